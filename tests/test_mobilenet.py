"""The once-for-all MobileNetV3 counts, slices and reads back.

Truth: published counts, the measured sub-networks of the authors (where the user has their table), built
modules, torch's counter, enumeration of a smaller instance.
"""

import csv
import dataclasses
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from harness import catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.nn.networks.mobilenet import Block, ElasticDepthwise, MobileNet, sort_channels
from harness.space.choices import Architecture, SearchSpace, SpaceFamily
from harness.task.signature import Signature

TABLES = Path(os.environ.get("HARNESS_BENCHMARKS") or Path(__file__).parents[2] / "shared" / "benchmarks")
MEASURED = TABLES / "ofa_mbv3_w10_measured.csv"
ODD = Signature(kind="image", classes=7, channels=3, height=33, width=46)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keeps parallel test workers from fighting over cores, which makes small networks very slow."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def bound(preset: str, signature: Signature | None = None) -> SearchSpace:
    family: SpaceFamily = catalog.load("space", "mobilenet")
    return family.space(preset, signature)


def uniform(space: SearchSpace, kernel: int, expansion: int, depth: int, side: int) -> Architecture:
    return space.from_json({"r": side, "d": [depth] * 5, "ks": [kernel] * 20, "e": [expansion] * 20})


def stirred(space: SearchSpace) -> MobileNet:
    """Returns a supernet no tensor of which is at a value that hides a mistake."""
    module = space.supernet()
    assert isinstance(module, MobileNet)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.1)
    return module


def images(side: int = 28) -> torch.Tensor:
    return torch.linspace(-1, 1, 4 * side * side).sin().reshape(4, 1, side, side)


@pytest.mark.parametrize(
    ("preset", "shape", "parameters", "large", "small"),
    [
        ("w1.0", (7, 6, 4), 7_664_760, 566_170_656, 188_248_320),
        ("w1.0", (5, 4, 3), 4_551_792, 250_746_944, 84_099_584),
        ("w1.2", (7, 6, 4), 10_701_632, 843_101_040, 279_987_456),
    ],
)
def test_uniform_networks_have_the_published_counts(
    preset: str, shape: tuple[int, int, int], parameters: int, large: int, small: int
) -> None:
    space = bound(preset)
    at_224, at_128 = (uniform(space, *shape, side) for side in (224, 128))
    assert space.parameters(at_224) == space.parameters(at_128) == parameters
    assert (space.macs(at_224), space.macs(at_128)) == (large, small)


def test_the_wider_network_has_the_published_widths() -> None:
    with torch.device("meta"):
        module = bound("w1.2").supernet()
    assert isinstance(module, MobileNet)
    frame = module.frame
    assert (frame.stem, frame.first) == (24, 24)
    assert [stage.width for stage in frame.stages] == [32, 48, 96, 136, 192]
    assert (frame.final, frame.last) == (1152, 1536)


def test_the_supernet_adds_its_kernel_matrices_to_the_largest_network() -> None:
    with torch.device("meta"):
        module = bound("w1.0").supernet()
    assert sum(weight.numel() for weight in module.parameters()) == 7_678_880


def test_there_are_as_many_networks_as_published_at_each_of_25_resolutions() -> None:
    assert bound("w1.0").size() == 25 * (9**2 + 9**3 + 9**4) ** 5
    assert (9**2 + 9**3 + 9**4) ** 5 == 21_758_655_492_572_485_851


def test_every_measured_sub_network_has_its_parameters_and_macs() -> None:
    if not MEASURED.is_file():
        pytest.skip("ofa_mbv3_w10_measured.csv is absent; set HARNESS_BENCHMARKS to its folder")
    space = bound("w1.0")
    with MEASURED.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1100
    for row in rows:
        digits = {name: [int(digit) for digit in row[name]] for name in ("d", "ks", "e")}
        architecture = space.from_json({"r": int(row["res"]), **digits})
        counted = (space.parameters(architecture), space.macs(architecture))
        assert counted == (int(row["params"]), int(row["macs"])), row


def test_the_default_is_the_plain_middle() -> None:
    space = bound("w1.0")
    assert space.default() == uniform(space, 5, 4, 3, 224)


@pytest.mark.parametrize(
    ("preset", "signature"), [("w1.0", None), ("w1.2", None), ("micro", None), ("micro", ODD)]
)
def test_closed_form_parameters_equal_the_module(preset: str, signature: Signature | None) -> None:
    space = bound(preset, signature)
    draw = random.Random(1)
    for _ in range(15):
        architecture = space.sample(draw)
        with torch.device("meta"):
            module = space.build(architecture)
        assert sum(weight.numel() for weight in module.parameters()) == space.parameters(architecture)


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("preset", "signature"), [("w1.0", None), ("w1.2", None), ("micro", None), ("micro", ODD)]
)
def test_closed_form_macs_equal_the_flop_counter(
    preset: str, signature: Signature | None, count: int
) -> None:
    """The counter, too, counts convolutions and linear layers without biases: nothing is brought over."""
    space = bound(preset, signature)
    draw = random.Random(2)
    for _ in range(count):
        architecture = space.sample(draw)
        side = space.to_json(architecture).get("r")
        height, width = (side, side) if side else (space.signature.height, space.signature.width)
        with torch.device("meta"):
            module = space.build(architecture).eval()
            inputs = torch.zeros(1, space.signature.channels, height, width)
            counter = FlopCounterMode(display=False)
            with torch.no_grad(), counter:
                module(inputs)
        assert counter.get_total_flops() == 2 * space.macs(architecture)


def test_size_equals_enumeration_of_a_smaller_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    designs = sys.modules[type(bound("micro")).__module__].DESIGNS
    two = {
        name: getattr(designs["micro"], name)[:2] for name in ("widths", "strides", "activations", "gated")
    }
    smaller = dataclasses.replace(designs["micro"], **two, depths=(1, 2), resolutions=(16, 20))
    monkeypatch.setitem(designs, "micro", smaller)
    space = bound("micro")
    assert space.size() == 2 * 90**2
    assert sum(1 for _ in space.enumerate()) == space.size()


@pytest.mark.parametrize("trains", [False, True], ids=["eval", "train"])
def test_a_slice_equals_the_stand_alone_module(trains: bool) -> None:
    space = bound("micro")
    draw = random.Random(0)
    with seeded(0), torch.inference_mode():
        supernet = stirred(space).train(trains)
        for _ in range(50):
            architecture = space.sample(draw)
            alone = space.slice(supernet, architecture)
            assert alone.training == trains
            there = supernet(images(), space.route(architecture))
            torch.testing.assert_close(alone(images()), there, atol=1e-5, rtol=0)


def test_a_slice_of_the_published_network_equals_the_stand_alone_module() -> None:
    space = bound("w1.0", Signature(kind="image", classes=10, channels=1))
    architecture = space.canonical((0, *space.sample(random.Random(3))[1:]))
    with seeded(0), torch.inference_mode():
        supernet = stirred(space).train()
        supernet(images(), space.route(architecture))  # statistics that keep signals of deep networks apart
        alone = space.slice(supernet.eval(), architecture)
        there = supernet(images(), space.route(architecture))
        torch.testing.assert_close(alone(images()), there, atol=1e-5, rtol=1e-5)


def test_images_are_resized_to_the_chosen_resolution() -> None:
    space = bound("w1.0", Signature(kind="image", classes=10, channels=1))
    architecture = uniform(space, 3, 3, 2, 128)
    with seeded(0), torch.inference_mode():
        module = space.build(architecture).eval()
        resized = torch.nn.functional.interpolate(images(), (128, 128), mode="bilinear", antialias=True)
        assert torch.equal(module(images()), module(resized))


def test_gradients_reach_only_the_slice() -> None:
    space = bound("micro")
    form = {"d": [1, 2, 3], "ks": [3, 3, 3] + [7, 5, 3] + [7] * 3, "e": [3] * 9}
    with seeded(0):
        supernet = stirred(space)
    supernet(images(), space.route(space.from_json(form))).square().sum().backward()
    touched = {name: weight.grad for name, weight in supernet.named_parameters() if weight.grad is not None}
    blocks = {name[7:10] for name in touched if name.startswith("stages.")}
    assert blocks == {"0.0", "1.0", "1.1", "2.0", "2.1", "2.2"}
    matrices = {name for name in touched if "transforms" in name}
    assert matrices == {
        "stages.0.0.depth.transforms.7to5",
        "stages.0.0.depth.transforms.5to3",
        "stages.1.1.depth.transforms.7to5",
    }
    for name in ("expand.conv.weight", "depth.conv.weight", "depth.norm.weight", "project.conv.weight"):
        gradient = touched[f"stages.2.1.{name}"].transpose(0, 1 if name.startswith("project") else 0)
        assert gradient[:96].abs().sum() > 0
        assert gradient[96:].abs().sum() == 0


def test_training_a_slice_moves_only_its_own_statistics() -> None:
    space = bound("micro")
    smallest = space.from_json({"d": [1, 1, 1], "ks": [3] * 9, "e": [3] * 9})
    with seeded(0):
        supernet = space.supernet().train()
    supernet(images(), space.route(smallest))
    mean = supernet.get_buffer("stages.0.0.expand.norm.running_mean")
    assert bool((mean[:48] != 0).all())
    assert bool((mean[48:] == 0).all())


def test_a_new_supernet_takes_smaller_kernels_from_the_centre() -> None:
    with seeded(0):
        depth = ElasticDepthwise(4, (3, 5, 7), 1, "relu")
    assert torch.equal(depth.weight(5, 3), depth.conv.weight[:3, :, 1:6, 1:6])
    assert torch.equal(depth.weight(3, 4), depth.conv.weight[:, :, 2:5, 2:5])


def test_the_smallest_kernel_comes_through_both_matrices() -> None:
    with seeded(0), torch.no_grad():
        depth = ElasticDepthwise(4, (3, 5, 7), 1, "relu")
        first, second = depth.transforms["7to5"], depth.transforms["5to3"]
        first.copy_(torch.randn(25, 25))
        second.copy_(torch.randn(9, 9))
        five = (first @ depth.conv.weight[2, 0, 1:6, 1:6].reshape(25)).reshape(5, 5)
        three = (second @ five[1:4, 1:4].reshape(9)).reshape(3, 3)
        torch.testing.assert_close(depth.weight(3, 4)[2, 0], three)


@pytest.mark.parametrize("trains", [False, True], ids=["eval", "train"])
def test_sorting_channels_keeps_the_full_network(trains: bool) -> None:
    space = bound("micro")
    with seeded(0), torch.inference_mode():
        supernet = stirred(space).double().train(trains)
        inputs = images().double()
        before = supernet(inputs)
        sort_channels(supernet)
        torch.testing.assert_close(supernet(inputs), before, atol=1e-9, rtol=1e-9)


def test_sorting_channels_puts_the_important_ones_into_every_slice() -> None:
    space = bound("micro")
    small = space.route(space.from_json({"d": [3, 3, 3], "ks": [7] * 9, "e": [3] * 9}))
    with seeded(0), torch.inference_mode():
        supernet = stirred(space).eval()
        before = supernet(images(), small)
        sort_channels(supernet)
        assert not torch.allclose(supernet(images(), small), before, atol=1e-3)
    for block in supernet.modules():
        if isinstance(block, Block):
            norms = block.project.conv.weight.detach().abs().sum(dim=(0, 2, 3))
            assert bool((norms.diff() <= 0).all())


@pytest.mark.parametrize("preset", ["w1.0", "micro"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_moves_stay_legal_and_json_reads_back(preset: str, seed: int) -> None:
    space = bound(preset)
    draw = random.Random(seed)
    first, second = space.sample(draw), space.sample(draw)
    moved = [space.mutate(first, draw, 0.2), space.crossover(first, second, draw)]
    for architecture in [first, second, *moved, *draw.sample(space.neighbours(first), 3)]:
        assert space.legal(architecture)
        assert space.from_json(space.to_json(architecture)) == architecture


def test_blocks_beyond_the_depth_are_not_read() -> None:
    space = bound("w1.0")
    form = space.to_json(uniform(space, 7, 6, 2, 160))
    published = form | {"r": [160], "ks": [7, 7, 0, 0] * 5, "e": [6, 6, 4, None] * 5}
    assert space.from_json(published) == space.from_json(form)


@pytest.mark.parametrize(
    ("preset", "change", "message"),
    [
        ("w1.0", {"r": 226}, r"r 226; give 128 to 224 in steps of 4"),
        ("w1.0", {"d": [2, 2, 5, 2, 2]}, r"d\[2\] 5; give one of \[2, 3, 4\]"),
        ("w1.0", {"ks": [4] * 20}, r"ks\[0\] 4; give one of \[3, 5, 7\]"),
        ("w1.0", {"e": [3] * 19}, "a list of 20 numbers"),
        ("w1.0", {"e": "3"}, "a list of 20 numbers"),
        ("w1.0", {"kss": [3] * 20}, "did you mean ks.*exactly r, d, ks, e"),
        ("micro", {"r": 224}, "exactly d, ks, e"),
        ("micro", {"d": [True, 2, 2]}, r"d\[0\] True"),
    ],
)
def test_a_wrong_architecture_is_told_in_one_sentence(
    preset: str, change: dict[str, Any], message: str
) -> None:
    space = bound(preset)
    with pytest.raises(HarnessError, match=message):
        space.from_json(space.to_json(space.default()) | change)


def test_shrinking_opens_kernels_before_depths_before_widths() -> None:
    space = catalog.load("space", "mobilenet").space("micro")
    stems = [space.choices[group[0]].name.partition("[")[0] for group in space.stages()]
    assert stems == ["ks", "d", "e"]
    assert sorted(index for group in space.stages() for index in group) == list(range(len(space.choices)))
