"""The spaces of TransNAS-Bench-101 (micro) and NAS-Bench-Macro count, slice and read back.

Truth: built modules, torch's counter, enumeration, and the counts of NAS-Bench-201 for the same cells.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from harness import catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.space.choices import SearchSpace, SpaceFamily
from harness.task.signature import Signature

ODD = Signature(kind="image", classes=7, channels=3, height=13, width=18)
CASES = [
    (name, preset, signature)
    for name in ("transnas_micro", "nasbench_macro")
    for preset, signature in (("cifar10", None), ("micro", None), ("micro", ODD))
]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keeps parallel test workers from fighting over cores, which makes small networks very slow."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def bound(name: str, preset: str, signature: Signature | None = None) -> SearchSpace:
    family: SpaceFamily = catalog.load("space", name)
    return family.space(preset, signature)


@pytest.mark.parametrize(("name", "size"), [("transnas_micro", 4096), ("nasbench_macro", 6561)])
def test_size_equals_enumeration(name: str, size: int) -> None:
    space = bound(name, "micro")
    assert sum(1 for _ in space.enumerate()) == space.size() == size


@pytest.mark.parametrize(("name", "preset", "signature"), CASES)
def test_closed_forms_equal_the_built_module(name: str, preset: str, signature: Signature | None) -> None:
    """The counter counts no bias and nothing that no input reaches.

    NAS-Bench-201's convention, kept for TransNAS, counts the classifier's bias, and every edge.
    """
    space = bound(name, preset, signature)
    bias = space.signature.classes if name == "transnas_micro" else 0
    draw = random.Random(2)
    least = 1 if name == "transnas_micro" else 0  # no edge is absent, so that every node is reached
    drawn = [tuple(max(least, gene) for gene in space.sample(draw)) for _ in range(10)]
    for architecture in (space.default(), *drawn):
        with torch.device("meta"):
            module = space.build(architecture).eval()
            inputs = torch.zeros(1, space.signature.channels, space.signature.height, space.signature.width)
            counter = FlopCounterMode(display=False)
            with torch.no_grad(), counter:
                module(inputs)
        assert sum(weight.numel() for weight in module.parameters()) == space.parameters(architecture)
        assert counter.get_total_flops() // 2 + bias == space.macs(architecture)


def test_cells_without_pooling_have_the_counts_of_nasbench201() -> None:
    ours, theirs = bound("transnas_micro", "cifar10"), bound("nasbench201", "cifar10")
    for architecture in ours.enumerate():
        assert ours.parameters(architecture) == theirs.parameters(architecture)
        assert ours.macs(architecture) == theirs.macs(architecture)


@pytest.mark.parametrize("name", ["transnas_micro", "nasbench_macro"])
@pytest.mark.parametrize("trains", [False, True], ids=["eval", "train"])
def test_a_slice_equals_the_stand_alone_module(name: str, trains: bool) -> None:
    space = bound(name, "micro")
    draw = random.Random(0)
    images = torch.linspace(-1, 1, 4 * 28 * 28).sin().reshape(4, 1, 28, 28)
    with seeded(0), torch.inference_mode():
        supernet = space.supernet().train(trains)
        for _ in range(20):
            architecture = space.sample(draw)
            alone = space.slice(supernet, architecture)
            assert alone.training == trains
            there = supernet(images, space.route(architecture))
            torch.testing.assert_close(alone(images), there, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["transnas_micro", "nasbench_macro"])
def test_a_supernet_wants_a_route(name: str) -> None:
    with seeded(0), pytest.raises(ValueError, match="A supernet needs a route"):
        bound(name, "micro").supernet()(torch.zeros(1, 1, 28, 28))


@pytest.mark.parametrize("name", ["transnas_micro", "nasbench_macro"])
def test_every_architecture_comes_back_from_its_json(name: str) -> None:
    space = bound(name, "micro")
    assert all(space.from_json(space.to_json(one)) == one for one in space.enumerate())


def test_the_defaults_are_the_largest_networks() -> None:
    for name in ("transnas_micro", "nasbench_macro"):
        space = bound(name, "cifar10")
        assert space.default() == space.extreme(largest=True)


@pytest.mark.parametrize(
    ("name", "text", "genes"),
    [
        ("transnas_micro", "64-41414-3_12_031", (3, 1, 2, 0, 3, 1)),
        ("nasbench_macro", "01222010", (0, 1, 2, 2, 2, 0, 1, 0)),
    ],
)
def test_published_texts_are_read(name: str, text: str, genes: tuple[int, ...]) -> None:
    read: Callable[[Any], Any] = bound(name, "cifar10").from_json
    assert read(text) == genes


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("transnas_micro", "64-41414-4_00_000", "is not of the form 64-41414-a_bc_def"),
        ("transnas_micro", {"ops": ["none"]}, "wants .*6 operation names"),
        ("transnas_micro", {"ops": ["skip"] * 6}, "no operation 'skip'; there are: none"),
        ("nasbench_macro", "0122201", "is not 8 digits from 0 to 2"),
        ("nasbench_macro", {"layer": []}, "wants .*8 option names"),
        ("nasbench_macro", {"layers": ["mb3_k5"] * 8}, "no layer 'mb3_k5'; did you mean mb"),
    ],
)
def test_what_is_no_architecture_is_refused(name: str, value: Any, message: str) -> None:
    read: Callable[[Any], Any] = bound(name, "micro").from_json
    with pytest.raises(HarnessError, match=message):
        read(value)
