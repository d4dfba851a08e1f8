"""The GPT decoder space counts, slices and reads back.

Truth: the published numbers, built modules, enumeration and torch's counter. The counter sees the linear
layers without their biases, the head, and both attention products over the whole square; the plain attention
kernel is chosen, as the fused ones hide theirs. That is the stated convention.
"""

import os
import random
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from harness import catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.nn.measure import measured_macs
from harness.nn.networks.gpt import GptDecoder
from harness.space.choices import SearchSpace, SpaceFamily
from harness.task.signature import Signature

PRESETS = ["gpt-s", "gpt-m", "gpt-l", "micro"]
LARGEST = {"gpt-s": (768, 12, 4, 12), "gpt-m": (1024, 24, 4, 16), "gpt-l": (1280, 36, 4, 20)}
SMALLEST = (192, 10, 2, 4)
TABLES = Path(os.environ.get("HARNESS_BENCHMARKS") or Path(__file__).parents[2] / "shared" / "benchmarks")
SURROGATES = TABLES / "hwgptbench_perplexity_surrogates.npz"


def family() -> SpaceFamily:
    found: SpaceFamily = catalog.load("space", "decoder")
    return found


def bound(preset: str = "micro", signature: Signature | None = None, *, tied: bool = False) -> SearchSpace:
    if not tied:
        return family().space(preset, signature)
    make = type(family().space(preset))
    space: SearchSpace = make(preset, signature or family().presets[preset], None, tied=True)  # type: ignore[call-arg]
    return space


def form_of(dimensions: tuple[int, int, int, int], *, bias: bool) -> dict[str, object]:
    width, depth, ratio, heads = dimensions
    return {
        "embed_dim": width,
        "num_layers": depth,
        "mlp_ratio": [ratio] * depth,
        "num_heads": [heads] * depth,
        "bias": bias,
    }


def on_meta(space: SearchSpace, architecture: tuple[int, ...]) -> nn.Module:
    with torch.device("meta"):
        return space.build(architecture)


def shaken(space: SearchSpace) -> nn.Module:
    """Returns a supernet all of whose weights differ from zero, biases included."""
    supernet = space.supernet()
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


@pytest.mark.skipif(not SURROGATES.is_file(), reason=f"{SURROGATES.name} is absent; set HARNESS_BENCHMARKS")
@pytest.mark.parametrize(
    ("preset", "dimensions", "perplexity"),
    [
        ("gpt-s", LARGEST["gpt-s"], 21.2994),
        ("gpt-s", SMALLEST, 42.9816),
        ("gpt-m", LARGEST["gpt-m"], 20.6879),
        ("gpt-l", LARGEST["gpt-l"], 18.0214),
    ],
)
def test_genes_read_as_the_published_surrogates_read_them(
    preset: str, dimensions: tuple[int, int, int, int], perplexity: float
) -> None:
    space = bound(preset)
    architecture = space.from_json(form_of(dimensions, bias=True))
    # The surrogates take the bias last, and nothing for absent layers.
    order = [0, 1, *range(3, len(space.choices)), 2]
    used = space.active(architecture)
    hidden = np.concatenate(
        [
            used[index] * np.eye(len(space.choices[index].options))[architecture[index]]  # one-hot
            for index in order
        ]
    )
    with np.load(SURROGATES) as weights:
        for layer in range(1, 6):
            name = f"{preset[-1]}/fc{layer}"
            hidden = weights[f"{name}.weight"] @ hidden + weights[f"{name}.bias"]
            hidden = hidden if layer == 5 else np.maximum(hidden, 0)
    assert float(hidden[0]) == pytest.approx(perplexity, abs=1e-3)


def test_size_equals_enumeration_with_fewer_layers() -> None:
    space = bound()
    shallow = [one for one in space.enumerate() if one[1] < 2]
    options = len(space.choices[3].options) * 3
    assert len(shallow) == 3 * 2 * (options**2 + options**3)
    assert space.size() == len(shallow) + 3 * 2 * options**4


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("preset", PRESETS)
def test_closed_form_parameters_equal_the_module(preset: str, tied: bool) -> None:
    space = bound(preset, tied=tied)
    draw = random.Random(0)
    for architecture in [space.default(), *(space.sample(draw) for _ in range(25))]:
        module = on_meta(space, architecture)
        assert sum(weight.numel() for weight in module.parameters()) == space.parameters(architecture)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("preset", PRESETS)
def test_closed_form_macs_equal_the_flop_counter(preset: str, tied: bool) -> None:
    space = bound(preset, tied=tied)
    draw = random.Random(1)
    for architecture in [space.default(), *(space.sample(draw) for _ in range(2))]:
        assert measured_macs(on_meta(space, architecture), space.signature) == space.macs(architecture)


@pytest.mark.parametrize("context", [16, 64, 100])
def test_the_micro_preset_counts_and_runs_on_any_context(context: int) -> None:
    signature = Signature(kind="bytes", classes=256, context=context)
    space = bound("micro", signature)
    draw = random.Random(2)
    for _ in range(60):
        architecture = space.sample(draw)
        with seeded(0):
            module = space.build(architecture)
            assert module(torch.randint(0, 256, (2, context))).shape == (2, context, 256)
        assert sum(weight.numel() for weight in module.parameters()) == space.parameters(architecture)
        assert measured_macs(module, signature) == space.macs(architecture)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("tied", [False, True])
def test_a_slice_equals_the_stand_alone_module(tied: bool, training: bool) -> None:
    space = bound(tied=tied)
    draw = random.Random(3)
    with seeded(0), torch.inference_mode():
        supernet = shaken(space).train(training)
        inputs = torch.randint(0, 256, (2, 64))
        for _ in range(50):
            architecture = space.sample(draw)
            alone = space.slice(supernet, architecture).train(training)
            expected = supernet(inputs, space.route(architecture))
            torch.testing.assert_close(alone(inputs), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("tied", [False, True])
def test_gradients_reach_only_the_slice(tied: bool, bias: bool) -> None:
    space = bound(tied=tied)
    with seeded(0):
        supernet = shaken(space)
        inputs = torch.randint(0, 256, (2, 64))
    form = form_of((32, 2, 2, 2), bias=bias) | {"num_heads": [2, 3]}
    architecture = space.from_json(form)
    supernet(inputs, space.route(architecture)).square().sum().backward()
    inside = dict(on_meta(space, architecture).named_parameters())
    for name, weight in supernet.named_parameters():
        if name not in inside:
            assert weight.grad is None, name
            continue
        assert weight.grad is not None, name
        corner = tuple(slice(0, length) for length in inside[name].shape)
        assert weight.grad[corner].any(), name
        assert weight.grad.count_nonzero() == weight.grad[corner].count_nonzero(), name


def test_no_token_sees_a_later_one() -> None:
    space = bound()
    draw = random.Random(4)
    for _ in range(20):
        with seeded(0), torch.inference_mode():
            module = space.build(space.sample(draw))
            early = torch.full((1, 64), 65)
            late = early.clone()
            late[:, 40:] = 66
            before, after = module(early), module(late)
            assert torch.equal(before[:, :40], after[:, :40])
            assert not torch.equal(before[:, 40:], after[:, 40:])


def test_logits_depend_on_the_order_of_tokens() -> None:
    space = bound()
    with seeded(0), torch.inference_mode():
        module = space.build(space.default())
        one, other = torch.tensor([[1, 2, 3]]), torch.tensor([[2, 1, 3]])
        assert (module(one)[:, -1] - module(other)[:, -1]).abs().max() > 1e-4


def test_attention_and_mlp_read_the_same_input() -> None:
    space = bound()
    with seeded(0), torch.inference_mode():
        module = shaken(space)
        assert isinstance(module, GptDecoder)
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


def test_counting_a_thousand_networks_takes_well_under_a_second() -> None:
    space = bound("gpt-l")
    draw = random.Random(5)
    drawn = [space.sample(draw) for _ in range(1000)]
    started = time.process_time()
    for architecture in drawn:
        space.parameters(architecture)
        space.macs(architecture)
    assert time.process_time() - started < 0.5


@given(seed=st.integers(0, 2**32), preset=st.sampled_from(PRESETS))
@settings(max_examples=40, deadline=None)
def test_moves_stay_legal_and_json_reads_back(seed: int, preset: str) -> None:
    tolerance = 0.05 if preset == "micro" else None
    space = family().matched(preset, family().presets[preset], tolerance)
    draw = random.Random(seed)
    first, second = space.sample(draw), space.sample(draw)
    moved = [space.mutate(first, draw, 0.2), space.crossover(first, second, draw)]
    for architecture in [first, second, *moved]:
        assert space.legal(architecture)
        assert space.from_json(space.to_json(architecture)) == architecture


def test_items_of_absent_layers_are_ignored() -> None:
    space = bound()
    short = form_of((48, 2, 3, 3), bias=False)
    padded = short | {"mlp_ratio": [3, 3, 1, 4], "num_heads": [3, 3, 4, 2]}
    assert space.from_json(padded) == space.from_json(short)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embed_dim": 50}, r"embed_dim 50; give one of \[32, 48, 64\]\.$"),
        ({"num_layers": 9}, r"num_layers 9; give one of \[2, 3, 4\]\.$"),
        ({"num_layers": True}, "num_layers True"),
        ({"mlp_ratio": [2]}, "1 MLP ratios and 3 numbers of heads for 3 layers"),
        ({"mlp_ratio": [2] * 5}, "5 MLP ratios"),
        ({"mlp_ratio": [2, 3, 2.5]}, "mlp_ratio 2.5"),
        ({"num_heads": [2, 3, 8]}, "num_heads 8"),
        ({"num_heads": 3}, "no list"),
        ({"bias": 1}, "bias 1; give true or false"),
        ({"depth": 3}, "key 'depth'"),
        ({"num_layer": 3}, "key 'num_layer'; give num_layers"),
    ],
)
def test_a_wrong_architecture_is_told_in_one_sentence(change: dict[str, object], message: str) -> None:
    space = bound()
    with pytest.raises(HarnessError, match=message):
        space.from_json(space.to_json(space.default()) | change)


def test_missing_keys_are_named() -> None:
    with pytest.raises(HarnessError, match="lacks mlp_ratio and num_heads"):
        bound().from_json({"num_layers": 3, "embed_dim": 48, "bias": True})


def test_images_are_refused() -> None:
    with pytest.raises(HarnessError, match="reads bytes or text, the task gives image"):
        family().space("micro", Signature(kind="image", classes=10))


def test_another_module_is_no_supernet() -> None:
    space = bound()
    with pytest.raises(TypeError, match="Linear is not a supernet of decoder:micro"):
        space.slice(nn.Linear(1, 1), space.default())


def test_the_card_names_every_option_and_an_example() -> None:
    card = bound("gpt-s").card()
    for text in ("[192, 384, 768]", "[10, 11, 12]", "[2, 3, 4]", "[4, 8, 12]", "1024 tokens", '"bias":true'):
        assert text in card
