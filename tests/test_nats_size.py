"""The NATS-Bench size space counts, slices and reads back.

Truth: a published count, built modules, torch's counter, enumeration.
"""

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from harness import catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.nn.networks.cells import CellNetwork, Stack, WidthNetwork
from harness.space.choices import SearchSpace, SpaceFamily
from harness.task.signature import Signature

ODD = Signature(kind="image", classes=7, channels=3, height=13, width=18)
CASES = [("cifar10", None), ("imagenet16-120", None), ("micro", None), ("micro", ODD)]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keeps parallel test workers from fighting over cores, which makes small networks very slow."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def bound(preset: str, signature: Signature | None = None) -> SearchSpace:
    family: SpaceFamily = catalog.load("space", "nats_size")
    return family.space(preset, signature)


def stirred(space: SearchSpace) -> WidthNetwork:
    """Returns a supernet no tensor of which is at a value that hides a mistake."""
    module = space.supernet()
    assert isinstance(module, WidthNetwork)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.01)
    return module


def images() -> torch.Tensor:
    return torch.linspace(-1, 1, 4 * 28 * 28).sin().reshape(4, 1, 28, 28)


def test_a_network_has_its_published_counts() -> None:
    space = bound("cifar10")
    architecture = space.from_json("8:8:8:16:32")
    assert (space.parameters(architecture), space.macs(architecture)) == (49_202, 6_840_650)


@pytest.mark.parametrize("preset", ["cifar10", "micro"])
def test_size_equals_enumeration(preset: str) -> None:
    space = bound(preset)
    assert sum(1 for _ in space.enumerate()) == space.size() == 32_768


@pytest.mark.parametrize(("preset", "signature"), CASES)
def test_closed_form_parameters_equal_the_module(preset: str, signature: Signature | None) -> None:
    space = bound(preset, signature)
    draw = random.Random(1)
    for _ in range(30):
        architecture = space.sample(draw)
        with torch.device("meta"):
            module = space.build(architecture)
        assert sum(weight.numel() for weight in module.parameters()) == space.parameters(architecture)


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("preset", "signature"), CASES)
def test_closed_form_macs_equal_the_flop_counter(
    preset: str, signature: Signature | None, count: int
) -> None:
    """The counter does not count the bias of the classifier, which the convention counts: one per class."""
    space = bound(preset, signature)
    draw = random.Random(2)
    for _ in range(count):
        architecture = space.sample(draw)
        with torch.device("meta"):
            module = space.build(architecture).eval()
            inputs = torch.zeros(1, space.signature.channels, space.signature.height, space.signature.width)
            counter = FlopCounterMode(display=False)
            with torch.no_grad(), counter:
                module(inputs)
        assert counter.get_total_flops() // 2 + space.signature.classes == space.macs(architecture)


def test_the_default_has_the_counts_of_the_same_cell_in_nasbench201() -> None:
    sizes = bound("cifar10")
    third = "nor_conv_3x3"
    route = [third, third, third, "skip_connect", third, third]
    with torch.device("meta"):
        module = CellNetwork(Stack(3, 16, 1, 10), [[name] for name in route], route)
    counted = sum(weight.numel() for weight in module.parameters())
    assert sizes.to_json(sizes.default()) == {"channels": [16, 32, 32, 64, 64]}
    assert sizes.parameters(sizes.default()) == counted


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
            torch.testing.assert_close(alone(images()), there, atol=1e-5, rtol=1e-5)


def test_gradients_reach_only_the_slice() -> None:
    space = bound("micro")
    with seeded(0):
        supernet = stirred(space)
    route = space.route(space.from_json({"channels": [8, 12, 16, 20, 20]}))
    supernet(images(), route).square().sum().backward()
    touched = {name: weight.grad for name, weight in supernet.named_parameters() if weight.grad is not None}
    untouched = set(dict(supernet.named_parameters())) - set(touched)
    assert {name.rsplit(".", 2)[0] for name in untouched} == {"cells.2.project"}
    for name, outputs, inputs in [
        ("reductions.0.body.0.1.weight", 12, 8),
        ("cells.1.edges.0-1.1.weight", 16, 12),
        ("cells.1.project.conv.weight", 16, 12),
        ("head.weight", 10, 20),
    ]:
        gradient = touched[name].clone()
        assert bool((gradient[:outputs, :inputs].reshape(outputs, inputs, -1).abs().sum(dim=-1) > 0).all())
        gradient[:outputs, :inputs] = 0
        assert gradient.abs().sum() == 0


def test_training_a_slice_moves_only_its_own_statistics() -> None:
    space = bound("micro")
    with seeded(0):
        supernet = space.supernet().train()
    supernet(images(), space.route((1,) * 5))
    mean = supernet.get_buffer("stem.norm.running_mean")
    assert bool((mean[:8] != 0).all())
    assert bool((mean[8:] == 0).all())


@given(seed=st.integers(0, 2**32), preset=st.sampled_from(["cifar10", "micro"]))
@settings(max_examples=40, deadline=None)
def test_moves_stay_legal_and_json_reads_back(preset: str, seed: int) -> None:
    space = bound(preset)
    draw = random.Random(seed)
    first, second = space.sample(draw), space.sample(draw)
    moved = [space.mutate(first, draw, 0.2), space.crossover(first, second, draw)]
    for architecture in [first, second, *moved, *draw.sample(space.neighbours(first), 3)]:
        assert space.legal(architecture)
        assert space.from_json(space.to_json(architecture)) == architecture


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"channels": [8, 8, 8, 16]}, "a list of 5 widths"),
        ({"channels": [8, 8, 8, 16, 30]}, r"channels\[4\] 30; give one of \[8, 16"),
        ({"channels": "8:8:8:16:32"}, "a list of 5 widths"),
        ({"widths": [8] * 5}, "keys .*widths.*give channels"),
        ("8:8:8:16:x", r"channels\[4\] 'x'"),
        ("8:8", "a list of 5 widths"),
    ],
)
def test_a_wrong_architecture_is_told_in_one_sentence(form: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        bound("cifar10").from_json(form)
