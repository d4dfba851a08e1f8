"""The AutoFormer space counts, slices and reads back.

Truth: the published numbers, built modules, enumeration and torch's counter. The counter sees the patch
convolution, the linear layers without their biases, and the batched products of attention and of relative
positions; the plain attention kernel is chosen, as the fused ones hide theirs. That is the stated convention.
"""

import random
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from harness import catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.nn.measure import measured_macs
from harness.nn.networks.autoformer import Block, VisionTransformer
from harness.space.choices import SearchSpace, SpaceFamily
from harness.task.signature import Signature

PRESETS = ["tiny", "tiny-paper", "small", "small-paper", "base", "base-paper", "micro"]
SIGNATURES = [
    Signature(kind="image", classes=10),
    Signature(kind="image", classes=7, channels=3, height=32, width=32),
    Signature(kind="image", classes=3, channels=2, height=35, width=21),
    Signature(kind="image", classes=5, channels=3, height=30, width=26),
]
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
    found: SpaceFamily = catalog.load("space", "autoformer")
    return found


def bound(preset: str = "micro", signature: Signature | None = None, *, relative: bool = True) -> SearchSpace:
    if relative:
        return family().space(preset, signature)
    make = type(family().space(preset))
    space: SearchSpace = make(preset, signature or family().presets[preset], None, relative=False)  # type: ignore[call-arg]
    return space


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


def inputs_of(signature: Signature) -> torch.Tensor:
    return torch.randn(2, signature.channels, signature.height, signature.width)


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


@pytest.mark.parametrize(
    ("preset", "width", "heads", "depth"),
    [("tiny", 256, 4, 14), ("small", 448, 7, 14), ("base", 640, 10, 16)],
)
def test_supernets_have_their_published_dimensions(preset: str, width: int, heads: int, depth: int) -> None:
    with torch.device("meta"):
        supernet = bound(preset).supernet()
    assert isinstance(supernet, VisionTransformer)
    shape = supernet.largest
    assert (shape.width, shape.heads, shape.hidden) == (width, (heads,) * depth, (4 * width,) * depth)


def test_the_default_of_tiny_has_the_shape_of_deit_tiny() -> None:
    space = bound("tiny", relative=False)
    assert space.parameters(space.default()) == 5_717_416


def test_size_equals_enumeration() -> None:
    space = bound()
    assert space.size() == sum(1 for _ in space.enumerate()) == 3 * (9**2 + 9**3 + 9**4)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_closed_form_parameters_equal_the_module(preset: str, relative: bool) -> None:
    space = bound(preset, relative=relative)
    draw = random.Random(0)
    for architecture in [space.default(), *(space.sample(draw) for _ in range(15))]:
        module = on_meta(space, architecture)
        assert sum(weight.numel() for weight in module.parameters()) == space.parameters(architecture)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_closed_form_macs_equal_the_flop_counter(preset: str, relative: bool) -> None:
    space = bound(preset, relative=relative)
    draw = random.Random(1)
    for architecture in [space.default(), *(space.sample(draw) for _ in range(2))]:
        assert measured_macs(on_meta(space, architecture), space.signature) == space.macs(architecture)


@pytest.mark.parametrize("signature", SIGNATURES, ids=["28x28", "32x32", "35x21", "30x26"])
def test_the_micro_preset_counts_and_runs_on_any_image(signature: Signature) -> None:
    space = bound("micro", signature)
    draw = random.Random(2)
    for _ in range(40):
        architecture = space.sample(draw)
        with seeded(0):
            module = space.build(architecture)
            assert module(inputs_of(signature)).shape == (2, signature.classes)
        assert sum(weight.numel() for weight in module.parameters()) == space.parameters(architecture)
        assert measured_macs(module, signature) == space.macs(architecture)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("relative", [True, False])
def test_a_slice_equals_the_stand_alone_module(relative: bool, training: bool) -> None:
    space = bound(relative=relative)
    draw = random.Random(3)
    with seeded(0), torch.inference_mode():
        supernet = shaken(space).train(training)
        inputs = inputs_of(space.signature)
        for _ in range(50):
            architecture = space.sample(draw)
            alone = space.slice(supernet, architecture).train(training)
            expected = supernet(inputs, space.route(architecture))
            torch.testing.assert_close(alone(inputs), expected, atol=1e-5, rtol=0)


def test_gradients_reach_only_the_slice() -> None:
    space = bound()
    with seeded(0):
        supernet = shaken(space)
        inputs = inputs_of(space.signature)
    form = {"depth": 2, "embed_dim": 32, "mlp_ratio": [2.0, 3.0], "num_heads": [2, 3]}
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


def test_attention_with_relative_positions_equals_a_loop_over_pairs() -> None:
    space = bound(
        "micro", Signature(kind="image", classes=2, height=12, width=8)
    )  # three rows of two patches
    with seeded(0), torch.inference_mode():
        network = shaken(space)
        assert isinstance(network, VisionTransformer)
        block = network.blocks[0]
        assert isinstance(block, Block)
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


def test_only_positions_tell_where_a_patch_lies() -> None:
    space = bound("micro", Signature(kind="image", classes=4, height=8, width=8))
    with seeded(0), torch.inference_mode():
        network = space.build(space.default())
        network.get_parameter("positions").zero_()
        for name, weight in network.named_parameters():
            if "_position" in name:
                weight.zero_()
        inputs = torch.randn(1, 1, 8, 8)
        turned = torch.cat([inputs[:, :, 4:], inputs[:, :, :4]], dim=2)
        torch.testing.assert_close(network(inputs), network(turned), atol=1e-5, rtol=0)


def test_counting_a_thousand_networks_takes_well_under_a_second() -> None:
    space = bound("base-paper")
    draw = random.Random(4)
    drawn = [space.sample(draw) for _ in range(1000)]
    started = time.process_time()
    for architecture in drawn:
        space.parameters(architecture)
        space.macs(architecture)
    assert time.process_time() - started < 0.5


@given(seed=st.integers(0, 2**32), preset=st.sampled_from(PRESETS))
@settings(max_examples=40, deadline=None)
def test_moves_stay_legal_and_json_reads_back(seed: int, preset: str) -> None:
    space = family().matched(preset, family().presets[preset], 0.1)
    draw = random.Random(seed)
    first, second = space.sample(draw), space.sample(draw)
    moved = [space.mutate(first, draw, 0.2), space.crossover(first, second, draw)]
    for architecture in [first, second, *moved]:
        assert space.legal(architecture)
        assert space.from_json(space.to_json(architecture)) == architecture


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embed_dim": 50}, r"embed_dim 50; give one of \[32, 48, 64\]\.$"),
        ({"embed_dim": True}, "embed_dim True"),
        ({"depth": 9}, r"depth 9; give one of \[2, 3, 4\]\.$"),
        ({"depth": "3"}, "depth '3'"),
        ({"mlp_ratio": [2.0]}, "1 MLP ratios and 3 numbers of heads for depth 3"),
        ({"mlp_ratio": [2.0, 3.0, 3.7]}, "mlp_ratio 3.7"),
        ({"num_heads": [2, 3, [4]]}, r"num_heads \[4\]"),
        ({"num_heads": "233"}, "no list"),
        ({"head": 1}, "key 'head'"),
        ({"num_head": [2, 2, 2]}, "key 'num_head'; give num_heads"),
    ],
)
def test_a_wrong_architecture_is_told_in_one_sentence(change: dict[str, object], message: str) -> None:
    space = bound()
    with pytest.raises(HarnessError, match=message):
        space.from_json(space.to_json(space.default()) | change)


def test_missing_keys_are_named() -> None:
    with pytest.raises(HarnessError, match="lacks mlp_ratio and num_heads"):
        bound().from_json({"depth": 3, "embed_dim": 48})


def test_bytes_are_refused() -> None:
    with pytest.raises(HarnessError, match="reads image, the task gives bytes"):
        family().space("micro", Signature(kind="bytes", classes=256))


def test_another_module_is_no_supernet() -> None:
    space = bound()
    with pytest.raises(TypeError, match="Linear is not a supernet of autoformer:micro"):
        space.slice(nn.Linear(1, 1), space.default())


def test_the_card_names_every_option_and_an_example() -> None:
    card = bound("tiny").card()
    for text in ("[192, 216, 240]", "[12, 13, 14]", "[3.5, 4.0]", "[3, 4]", '"embed_dim":192'):
        assert text in card
