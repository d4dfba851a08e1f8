"""The NAS-Bench-201 space counts, slices and reads back.

Truth: the published counts, built modules, torch's counter, enumeration. The counter sees the classifier
without its bias, which the published numbers count (64 n + n for n classes), and no convolution that `none`
cuts off, which they count too: it is asked about cells without `none`.
"""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.nn.measure import measured_macs
from harness.space.choices import SearchSpace
from harness.task.signature import Signature

ODD = Signature(kind="image", classes=7, channels=3, height=13, width=18)
CASES = [("cifar10", None), ("cifar100", None), ("imagenet16-120", None), ("micro", None), ("micro", ODD)]
NONE, SKIP, C1, C3, POOL = range(5)
CELLS = {
    "first": (POOL, C1, SKIP, C1, SKIP, SKIP),
    "twelfth": (C3, C3, POOL, NONE, C3, POOL),
    "none": (NONE,) * 6,
    "skip": (SKIP,) * 6,
    "pool": (POOL,) * 6,
    "3x3": (C3,) * 6,
}


def bound(preset: str, signature: Signature | None = None) -> SearchSpace:
    space: SearchSpace = catalog.load("space", "nasbench201").space(preset, signature)
    return space


def images() -> torch.Tensor:
    return torch.linspace(-1, 1, 4 * 28 * 28).sin().reshape(4, 1, 28, 28)


@pytest.mark.parametrize(
    ("preset", "cell", "parameters", "macs"),
    [
        ("cifar10", "first", 129_306, 15_647_370),
        ("cifar100", "first", 135_156, 15_653_220),
        ("imagenet16-120", "first", 136_456, 3_919_480),
        ("cifar10", "twelfth", 802_426, 113_951_370),
        *(("cifar10", cell, 73_306, 7_783_050) for cell in ("none", "skip", "pool")),
        *(("cifar100", cell, 79_156, 7_788_900) for cell in ("none", "skip", "pool")),
        *(("imagenet16-120", cell, 80_456, 1_953_400) for cell in ("none", "skip", "pool")),
        ("cifar10", "3x3", 1_531_546, 220_119_690),
        ("cifar100", "3x3", 1_537_396, 220_125_540),
        ("imagenet16-120", "3x3", 1_538_696, 55_037_560),
    ],
)
def test_cells_have_their_published_counts(preset: str, cell: str, parameters: int, macs: int) -> None:
    space = bound(preset)
    assert (space.parameters(CELLS[cell]), space.macs(CELLS[cell])) == (parameters, macs)


def test_there_are_15625_cells() -> None:
    space = bound("cifar10")
    assert space.size() == sum(1 for _ in space.enumerate()) == 15_625


@pytest.mark.parametrize("count", [8, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("preset", "signature"), CASES)
def test_closed_forms_equal_the_module(preset: str, signature: Signature | None, count: int) -> None:
    space = bound(preset, signature)
    draw = random.Random(0)
    for architecture in [space.default(), *(space.sample(draw) for _ in range(count))]:
        with torch.device("meta"):
            module = space.build(architecture)
        assert sum(weight.numel() for weight in module.parameters()) == space.parameters(architecture)
        whole = tuple(gene or SKIP for gene in architecture)
        with torch.device("meta"):
            measured = measured_macs(space.build(whole).eval(), space.signature)
        assert measured + space.signature.classes == space.macs(whole)


@pytest.mark.parametrize("trains", [False, True], ids=["eval", "train"])
def test_a_slice_equals_the_stand_alone_module(trains: bool) -> None:
    space = bound("micro")
    draw = random.Random(0)
    with seeded(0), torch.inference_mode():
        supernet = space.supernet()
        for tensor in supernet.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.01)
        supernet.train(trains)
        for _ in range(50):
            architecture = space.sample(draw)
            alone = space.slice(supernet, architecture)
            assert alone.training == trains
            there = supernet(images(), space.route(architecture))
            torch.testing.assert_close(alone(images()), there, atol=1e-5, rtol=1e-5)


def test_pooling_does_not_count_what_lies_outside() -> None:
    """A constant image stays constant under average pooling only where padding is left out of the mean."""
    space = bound("micro")
    with seeded(0), torch.inference_mode():
        pooled, passed = (space.slice(space.supernet(), CELLS[cell]).eval() for cell in ("pool", "skip"))
        passed.load_state_dict(pooled.state_dict())
        constant = torch.zeros(2, 1, 28, 28)
        torch.testing.assert_close(pooled(constant), passed(constant), atol=1e-5, rtol=1e-5)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_moves_stay_legal_and_json_reads_back(seed: int) -> None:
    space = bound("cifar10")
    draw = random.Random(seed)
    first, second = space.sample(draw), space.sample(draw)
    moved = [space.mutate(first, draw, 0.2), space.crossover(first, second, draw)]
    assert len(space.neighbours(first)) == 24
    for architecture in [first, second, *moved, *draw.sample(space.neighbours(first), 3)]:
        assert space.legal(architecture)
        assert space.from_json(space.to_json(architecture)) == architecture


def test_the_published_string_is_read() -> None:
    text = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    assert bound("cifar10").from_json(text) == CELLS["first"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"ops": ["none"] * 5}, r'wants \{"ops": \[6 operation names\]\}'),
        ({"op": ["none"] * 6}, r'wants \{"ops": \[6 operation names\]\}'),
        ({"ops": ["none"] * 5 + ["nor_conv_3x"]}, "did you mean nor_conv_3x3"),
        ({"ops": ["none"] * 5 + [3]}, "no operation 3; there are: none, skip_connect"),
        ("|none~0|+|none~0|", r"is not of the form \|op~0\|"),
    ],
)
def test_a_wrong_cell_is_told_in_one_sentence(form: dict[str, list[str]], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        bound("cifar10").from_json(form)
