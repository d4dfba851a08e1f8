"""The spaces of published tables count as published, and read the texts of their benchmarks.

Truth: published counts, and the counts of NAS-Bench-201 for the same cells.
"""

import pytest
import torch

from harness import catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.nn.networks.cells import CellNetwork, Stack
from harness.space.choices import SearchSpace, SpaceFamily

NONE, SKIP, C1, C3, POOL = range(5)
CELLS = {
    "first": (POOL, C1, SKIP, C1, SKIP, SKIP),
    "twelfth": (C3, C3, POOL, NONE, C3, POOL),
    "none": (NONE,) * 6,
    "skip": (SKIP,) * 6,
    "pool": (POOL,) * 6,
    "3x3": (C3,) * 6,
}
STRING = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"


def bound(name: str) -> SearchSpace:
    name, _, preset = name.partition(":")
    family: SpaceFamily = catalog.load("space", name)
    return family.space(preset or "cifar10")


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
    space = bound(f"nasbench201:{preset}")
    assert (space.parameters(CELLS[cell]), space.macs(CELLS[cell])) == (parameters, macs)


def test_cells_without_pooling_have_the_counts_of_nasbench201() -> None:
    ours, theirs = bound("transnas_micro"), bound("nasbench201")
    for architecture in ours.enumerate():
        assert ours.parameters(architecture) == theirs.parameters(architecture)
        assert ours.macs(architecture) == theirs.macs(architecture)


def test_a_network_of_chosen_widths_has_its_published_counts() -> None:
    space = bound("nats_size")
    architecture = space.from_json("8:8:8:16:32")
    assert (space.parameters(architecture), space.macs(architecture)) == (49_202, 6_840_650)


def test_the_default_widths_have_the_counts_of_the_same_cell_in_nasbench201() -> None:
    sizes = bound("nats_size")
    third = "nor_conv_3x3"
    route = [third, third, third, "skip_connect", third, third]
    with torch.device("meta"):
        module = CellNetwork(Stack(3, 16, 1, 10), [[name] for name in route], route)
    counted = sum(weight.numel() for weight in module.parameters())
    assert sizes.to_json(sizes.default()) == {"channels": [16, 32, 32, 64, 64]}
    assert sizes.parameters(sizes.default()) == counted


def test_the_defaults_are_the_largest_networks() -> None:
    for name in ("transnas_micro", "nasbench_macro"):
        assert bound(name).default() == bound(name).extreme(largest=True)


@pytest.mark.parametrize(
    ("name", "text", "genes"),
    [
        ("nasbench201", STRING, CELLS["first"]),
        ("transnas_micro", "64-41414-3_12_031", (3, 1, 2, 0, 3, 1)),
        ("nasbench_macro", "01222010", (0, 1, 2, 2, 2, 0, 1, 0)),
    ],
)
def test_published_texts_are_read(name: str, text: str, genes: tuple[int, ...]) -> None:
    assert bound(name).from_json(text) == genes


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nasbench201", "|none~0|+|none~0|", r"is not of the form \|op~0\|"),
        ("nasbench201", STRING.replace("nor_conv_1x1", "nor_conv_1x"), "did you mean nor_conv_1x1"),
        ("transnas_micro", "64-41414-4_00_000", "is not of the form 64-41414-a_bc_def"),
        ("nasbench_macro", "0122201", "is not 8 digits from 0 to 2"),
        ("nats_size", "8:8:8:16:x", r"channels\[4\] 'x'"),
        ("nats_size", "8:8", "a list of 5 numbers"),
    ],
)
def test_other_texts_are_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        bound(name).from_json(text)


@pytest.mark.parametrize("name", ["nasbench201:micro", "transnas_micro:micro", "nasbench_macro:micro"])
def test_a_supernet_wants_a_route(name: str) -> None:
    with seeded(0), pytest.raises(ValueError, match="A supernet needs a route"):
        bound(name).networks.supernet()(torch.zeros(1, 1, 28, 28))


def test_pooling_does_not_count_what_lies_outside() -> None:
    """A constant image stays constant under average pooling only where padding is left out of the mean."""
    networks = bound("nasbench201:micro").networks
    with seeded(0), torch.inference_mode():
        pooled, passed = (networks.build(CELLS[cell]).eval() for cell in ("pool", "skip"))
        passed.load_state_dict(pooled.state_dict())
        constant = torch.zeros(2, 1, 28, 28)
        torch.testing.assert_close(pooled(constant), passed(constant), atol=1e-5, rtol=1e-5)


def test_training_a_slice_moves_only_its_own_statistics() -> None:
    networks = bound("nats_size:micro").networks
    with seeded(0):
        supernet = networks.supernet().train()
    supernet(torch.linspace(-1, 1, 4 * 28 * 28).sin().reshape(4, 1, 28, 28), networks.route((1,) * 5))
    mean = supernet.get_buffer("stem.norm.running_mean")
    assert bool((mean[:8] != 0).all())
    assert bool((mean[8:] == 0).all())
