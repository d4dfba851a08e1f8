"""The GPT decoder space has its published numbers, and its networks are causal decoders.

Truth: the published numbers, the published surrogates, parts of the network computed apart.
"""

import pytest
import torch
from torch import nn

from harness import catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.space.choices import SearchSpace, SpaceFamily
from harness.task.signature import Signature

LARGEST = {"gpt-s": (768, 12, 4, 12), "gpt-m": (1024, 24, 4, 16), "gpt-l": (1280, 36, 4, 20)}
SMALLEST = (192, 10, 2, 4)


def family() -> SpaceFamily:
    return catalog.load("space", "decoder")


def bound(preset: str = "micro", signature: Signature | None = None, *, tied: bool = False) -> SearchSpace:
    if not tied:
        return family().space(preset, signature)
    make = type(family().space(preset))
    return make(preset, signature or family().presets[preset], None, tied=True)


def form_of(dimensions: tuple[int, int, int, int], *, bias: bool) -> dict[str, object]:
    width, depth, ratio, heads = dimensions
    return {
        "embed_dim": width,
        "num_layers": depth,
        "mlp_ratio": [ratio] * depth,
        "num_heads": [heads] * depth,
        "bias": bias,
    }


def shaken(space: SearchSpace) -> nn.Module:
    """Returns a supernet all of whose weights differ from zero, biases included."""
    supernet = space.networks.supernet()
    with torch.no_grad():
        for weight in supernet.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    return supernet


@pytest.mark.parametrize(
    ("preset", "dimensions", "free", "without_bias", "tied"),
    [
        ("gpt-s", LARGEST["gpt-s"], 162_246_144, 162_163_200, 123_651_072),
        ("gpt-s", SMALLEST, 22_761_600, 22_746_240, 13_112_832),
        ("gpt-m", LARGEST["gpt-m"], 405_231_616, 405_010_432, 353_771_520),
        ("gpt-l", LARGEST["gpt-l"], 837_040_640, 836_625_920, 772_715_520),
    ],
)
def test_published_networks_have_their_published_parameters(
    preset: str, dimensions: tuple[int, int, int, int], free: int, without_bias: int, tied: int
) -> None:
    space, sharing = bound(preset), bound(preset, tied=True)
    with_bias = space.from_json(form_of(dimensions, bias=True))
    assert space.parameters(with_bias) == free
    assert space.parameters(space.from_json(form_of(dimensions, bias=False))) == without_bias
    assert sharing.parameters(with_bias) == tied


@pytest.mark.parametrize(("preset", "size"), [("gpt-s", 1.904e12), ("gpt-m", 5.377e23), ("gpt-l", 1.519e35)])
def test_spaces_have_their_published_sizes(preset: str, size: float) -> None:
    assert bound(preset).size() == pytest.approx(size, rel=5e-4)  # four digits are published


def test_logits_depend_on_the_order_of_tokens() -> None:
    space = bound()
    with seeded(0), torch.inference_mode():
        module = space.networks.build(space.default())
        one, other = torch.tensor([[1, 2, 3]]), torch.tensor([[2, 1, 3]])
        assert (module(one)[:, -1] - module(other)[:, -1]).abs().max() > 1e-4


def test_attention_and_mlp_read_the_same_input() -> None:
    space = bound()
    with seeded(0), torch.inference_mode():
        module = shaken(space)
        block = module.blocks[0]
        tokens = torch.randn(1, 5, 64)
        whole = block(tokens, 4, 256, True)
        parts = []
        for name in ("outward", "down"):
            kept = {one: getattr(block, one).clone() for one in (name, f"{name}_bias")}
            for one in kept:
                block.get_parameter(one).zero_()
            parts.append(block(tokens, 4, 256, True) - tokens)
            for one, weight in kept.items():
                block.get_parameter(one).copy_(weight)
        torch.testing.assert_close(whole, tokens + parts[0] + parts[1], atol=1e-5, rtol=0)


def test_items_of_absent_layers_are_ignored() -> None:
    space = bound()
    short = form_of((48, 2, 3, 3), bias=False)
    padded = short | {"mlp_ratio": [3, 3, 1, 4], "num_heads": [3, 3, 4, 2]}
    assert space.from_json(padded) == space.from_json(short)
    with pytest.raises(HarnessError, match="5 items in mlp_ratio; give a list of 2 numbers"):
        space.from_json(short | {"mlp_ratio": [3] * 5})
