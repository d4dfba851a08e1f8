"""The AutoFormer space has its published numbers, and its networks see where patches lie.

Truth: the published numbers, and attention as a loop over pairs of tokens.
"""

import pytest
import torch
from torch import nn

from harness import catalog
from harness.learn.fit import seeded
from harness.space.choices import SearchSpace, SpaceFamily
from harness.task.signature import Signature

TINY = {
    "depth": 13,
    "embed_dim": 192,
    "mlp_ratio": [3.5, 3.5, 3, 3.5, 3, 3, 4, 4, 3.5, 4, 3.5, 4, 3.5],
    "num_heads": [3] * 11 + [4] + [3],
}
SMALL = {
    "depth": 13,
    "embed_dim": 384,
    "mlp_ratio": [3, 3.5, 3, 3.5, 4, 4, 4, 4, 4, 4, 4, 3.5, 4],
    "num_heads": [6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7],
}


def family() -> SpaceFamily:
    return catalog.load("space", "autoformer")


def bound(preset: str = "micro", signature: Signature | None = None, *, relative: bool = True) -> SearchSpace:
    if relative:
        return family().space(preset, signature)
    make = type(family().space(preset))
    return make(preset, signature or family().presets[preset], None, relative=False)


def shaken(space: SearchSpace) -> nn.Module:
    """Returns a supernet all of whose weights differ from zero, biases included."""
    supernet = space.networks.supernet()
    with torch.no_grad():
        for weight in supernet.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    return supernet


@pytest.mark.parametrize(
    ("preset", "form", "relative", "parameters", "macs"),
    [
        ("tiny-paper", TINY, True, 5_867_944, 1_481_938_432),
        ("tiny-paper", TINY, False, 5_768_104, 1_283_236_352),
        ("small", SMALL, True, 22_891_432, 5_161_400_832),
        ("small", SMALL, False, 22_791_592, 4_773_931_776),
    ],
)
def test_published_networks_have_their_published_costs(
    preset: str, form: dict[str, object], relative: bool, parameters: int, macs: int
) -> None:
    space = bound(preset, relative=relative)
    architecture = space.from_json(form)
    assert (space.parameters(architecture), space.macs(architecture)) == (parameters, macs)


@pytest.mark.parametrize(
    ("preset", "size"),
    [
        ("tiny", 1_056_964_608),
        ("tiny-paper", 280_804_921_344),
        ("small", 77_103_263_459_313),
        ("small-paper", 77_103_263_459_313),
        ("base", 10_108_977_168_384),
        ("base-paper", 6_245_364_340_204_353),
    ],
)
def test_spaces_have_their_published_sizes(preset: str, size: int) -> None:
    assert bound(preset).size() == size


def test_the_default_of_tiny_has_the_shape_of_deit_tiny() -> None:
    space = bound("tiny", relative=False)
    assert space.parameters(space.default()) == 5_717_416


def test_attention_with_relative_positions_equals_a_loop_over_pairs() -> None:
    space = bound(
        "micro", Signature(kind="image", classes=2, height=12, width=8)
    )  # three rows of two patches
    with seeded(0), torch.inference_mode():
        network = shaken(space)
        block = network.blocks[0]
        projected = torch.randn(1, 7, 3, 2, 16)
        apart = (network.get_buffer("rows"), network.get_buffer("columns"))
        mixed = block._attend(projected, apart)[0].unflatten(-1, (2, 16))
        tables = {name: weight for name, weight in block.named_parameters() if "_position" in name}

        def between(what: str, one: int, other: int) -> torch.Tensor:
            down, right = 0, 0  # the row of pairs with the class token
            if one and other:
                down = (other - 1) // 2 - (one - 1) // 2 + 8
                right = (other - 1) % 2 - (one - 1) % 2 + 8
            return tables[f"{what}_position.vertical"][down] + tables[f"{what}_position.horizontal"][right]

        query, key, value = projected[0].unbind(1)
        for head in range(2):
            for one in range(7):
                keys = torch.stack([key[other, head] + between("key", one, other) for other in range(7)])
                values = torch.stack(
                    [value[other, head] + between("value", one, other) for other in range(7)]
                )
                weights = (keys @ query[one, head] / 4).softmax(dim=0)
                torch.testing.assert_close(mixed[one, head], weights @ values, atol=1e-5, rtol=0)
