"""The single-path one-shot ShuffleNetV2 counts, slices and reads back.

Truth: published counts, built modules, torch's counter, enumeration of a smaller instance.
"""

import dataclasses
import random
import sys
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
from harness.nn.networks.shufflenet import Choice, Inner, ShuffleNet
from harness.space.choices import SearchSpace, SpaceFamily
from harness.task.signature import Signature

ODD = Signature(kind="image", classes=7, channels=3, height=33, width=46)
PAPER = [2, 1, 0, 1, 2, 0, 2, 0, 2, 0, 2, 3, 0, 0, 0, 0, 3, 2, 3, 3]
CASES = [("paper", None), ("paper-scales", None), ("micro", None), ("micro-scales", ODD)]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keeps parallel test workers from fighting over cores, which makes small networks very slow."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def bound(preset: str, signature: Signature | None = None) -> SearchSpace:
    family: SpaceFamily = catalog.load("space", "shufflenet")
    return family.space(preset, signature)


def stirred(space: SearchSpace, **options: bool) -> ShuffleNet:
    """Returns a supernet no tensor of which is at a value that hides a mistake."""
    module = space.supernet(**options)
    assert isinstance(module, ShuffleNet)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.1)
    return module


def images(side: int = 28, channels: int = 1) -> torch.Tensor:
    return torch.linspace(-1, 1, 4 * channels * side * side).sin().reshape(4, channels, side, side)


@pytest.mark.parametrize(
    ("blocks", "parameters", "macs"),
    [
        (PAPER, 3_558_464, 322_918_720),
        ([0] * 20, 3_154_880, 295_842_496),
        ([3] * 20, 3_870_816, 358_825_920),
    ],
    ids=["published", "plain", "Xception"],
)
def test_networks_have_the_published_counts(blocks: list[int], parameters: int, macs: int) -> None:
    for preset in ("paper", "paper-scales"):
        space = bound(preset)
        architecture = space.from_json({"blocks": blocks})
        assert (space.parameters(architecture), space.macs(architecture)) == (parameters, macs)


def test_there_are_four_choices_at_twenty_places() -> None:
    assert bound("paper").size() == 4**20
    assert bound("paper-scales").size() == (4 * 8) ** 20


@pytest.mark.parametrize("preset", ["paper", "paper-scales"])
def test_the_default_is_the_plain_shufflenet(preset: str) -> None:
    space = bound(preset)
    assert space.default() == space.from_json({"blocks": [0] * 20})


@pytest.mark.parametrize(("preset", "signature"), CASES)
def test_closed_form_parameters_equal_the_module(preset: str, signature: Signature | None) -> None:
    space = bound(preset, signature)
    draw = random.Random(1)
    for _ in range(15):
        architecture = space.sample(draw)
        with torch.device("meta"):
            module = space.build(architecture)
        assert sum(weight.numel() for weight in module.parameters()) == space.parameters(architecture)


@pytest.mark.parametrize("count", [8, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("preset", "signature"), CASES)
def test_closed_form_macs_equal_the_flop_counter(
    preset: str, signature: Signature | None, count: int
) -> None:
    """The counter, too, counts convolutions and linear layers without biases: nothing is brought over."""
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
        assert counter.get_total_flops() == 2 * space.macs(architecture)


def test_size_equals_enumeration() -> None:
    space = bound("micro")
    assert sum(1 for _ in space.enumerate()) == space.size() == 4**6


def test_size_with_scales_equals_enumeration_of_a_smaller_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    designs = sys.modules[type(bound("micro")).__module__].DESIGNS
    smaller = dataclasses.replace(designs["micro"], repeats=(2,), widths=(32,))
    monkeypatch.setitem(designs, "micro", smaller)
    space = bound("micro-scales")
    assert sum(1 for _ in space.enumerate()) == space.size() == 32**2


@pytest.mark.parametrize("affine", [False, True], ids=["plain", "affine"])
@pytest.mark.parametrize("trains", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("preset", ["micro", "micro-scales"])
def test_a_slice_equals_the_stand_alone_module(preset: str, trains: bool, affine: bool) -> None:
    space = bound(preset)
    draw = random.Random(0)
    with seeded(0), torch.inference_mode():
        supernet = stirred(space, affine=affine).train(trains)
        for _ in range(25):
            architecture = space.sample(draw)
            alone = space.slice(supernet, architecture)
            assert alone.training == trains
            there = supernet(images(), space.route(architecture))
            torch.testing.assert_close(alone(images()), there, atol=1e-5, rtol=0)


def test_a_slice_of_the_published_network_equals_the_stand_alone_module() -> None:
    space = bound("paper-scales", Signature(kind="image", classes=10, channels=3, height=64, width=64))
    architecture = space.sample(random.Random(3))
    with seeded(0), torch.inference_mode():
        supernet = stirred(space).train()
        supernet(images(64, 3), space.route(architecture))
        alone = space.slice(supernet.eval(), architecture)
        there = supernet(images(64, 3), space.route(architecture))
        torch.testing.assert_close(alone(images(64, 3)), there, atol=1e-5, rtol=1e-5)


def test_batch_norms_of_a_supernet_learn_nothing_unless_asked() -> None:
    space = bound("micro")
    names = {
        affine: {name for name, _ in stirred(space, affine=affine).named_parameters() if ".norm." in name}
        for affine in (False, True)
    }
    assert not names[False]
    assert names[True]


def test_gradients_reach_only_the_slice() -> None:
    space = bound("micro-scales")
    form = {"blocks": [0, 1, 2, 3, 0, 3], "scales": [0.2, 0.4, 0.6, 0.8, 1.0, 1.2]}
    architecture = space.from_json(form)
    with seeded(0):
        supernet = stirred(space)
    supernet(images(), space.route(architecture)).square().sum().backward()
    touched = {name: weight.grad for name, weight in supernet.named_parameters() if weight.grad is not None}
    choices = {name[7:10] for name in touched if name.startswith("blocks.")}
    assert choices == {"0.0", "1.1", "2.2", "3.3", "4.0", "5.3"}
    middle = touched["blocks.3.3.main.3.conv.weight"]
    assert bool((middle[:25, :25].abs().sum(dim=(0, 2, 3)) > 0).all())
    assert middle[25:].abs().sum() == 0
    assert middle[:, 25:].abs().sum() == 0


def test_half_of_the_channels_pass_a_block_of_stride_one_unchanged() -> None:
    with seeded(0):
        block = Choice(8, 8, 1, Inner(3, 4), affine=True)
    inputs = torch.arange(2 * 8 * 9.0).reshape(2, 8, 3, 3)
    assert torch.equal(block(inputs, 4)[:, :4], inputs[:, ::2])


def test_the_classifier_has_no_bias() -> None:
    assert bound("micro").build((0,) * 6).get_submodule("head").bias is None


def test_only_the_published_network_drops_channels_in_training() -> None:
    with torch.device("meta"):
        shares = {
            preset: bound(preset).build(bound(preset).default()).get_submodule("dropout").p
            for preset in ("paper", "micro")
        }
    assert shares == {"paper": 0.1, "micro": 0.0}


@given(seed=st.integers(0, 2**32), preset=st.sampled_from(["paper", "paper-scales", "micro"]))
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
    ("preset", "form", "message"),
    [
        ("paper", {"blocks": [0] * 19}, "a list of 20 numbers"),
        ("paper", {"blocks": [0] * 19 + [4]}, r"blocks\[19\] 4; give one of \[0, 1, 2, 3\]"),
        ("paper", {"blocks": [True] * 20}, r"blocks\[0\] True"),
        ("paper", {"block": [0] * 20}, "did you mean blocks"),
        ("paper", {"scales": [1.0] * 20}, "give blocks"),
        ("paper", {"blocks": [0] * 20, "scales": [0.8] * 20}, "use shufflenet:paper-scales"),
        ("paper-scales", {"blocks": [0] * 20, "scales": [0.5] * 20}, r"scales\[0\] 0.5"),
    ],
)
def test_a_wrong_architecture_is_told_in_one_sentence(
    preset: str, form: dict[str, Any], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        bound(preset).from_json(form)
