"""The hybrid space counts, slices and reads back. Truth: built modules, enumeration and torch's counter."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness import catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.nn.counts import FAMILIES, KERNEL, inner_width, mixer_parameters
from harness.nn.measure import measured_macs
from harness.nn.mixers import _scan
from harness.space.choices import SearchSpace, SpaceFamily
from harness.task.signature import Signature

IMAGE = Signature(kind="image", classes=10)
BYTES = Signature(kind="bytes", classes=256)
RUNGS = ["micro-attention", "micro"]


def bound(preset: str, signature: Signature, tolerance: float | None = None) -> SearchSpace:
    family: SpaceFamily = catalog.load("space", "hybrid")
    return family.matched(preset, signature, tolerance)


def inputs_of(signature: Signature) -> torch.Tensor:
    if signature.kind == "bytes":
        return torch.arange(2 * 64).reshape(2, 64) % 256
    return torch.linspace(-1, 1, 2 * 28 * 28).reshape(2, 1, 28, 28)


@pytest.mark.parametrize("signature", [IMAGE, BYTES], ids=["image", "bytes"])
@pytest.mark.parametrize("preset", RUNGS)
def test_a_slice_equals_the_stand_alone_module(preset: str, signature: Signature) -> None:
    space = bound(preset, signature)
    draw = random.Random(0)
    with seeded(0), torch.inference_mode():
        supernet = space.supernet()
        torch.nn.init.normal_(supernet.get_parameter("head"), std=0.1)
        for _ in range(50):
            architecture = space.sample(draw)
            alone = space.slice(supernet, architecture)
            inputs = inputs_of(signature)
            torch.testing.assert_close(
                alone(inputs), supernet(inputs, space.route(architecture)), atol=1e-5, rtol=0
            )


@pytest.mark.parametrize("signature", [IMAGE, BYTES], ids=["image", "bytes"])
def test_gradients_reach_only_the_slice(signature: Signature) -> None:
    space = bound("micro", signature)
    with seeded(0):
        supernet = space.supernet()
        torch.nn.init.normal_(supernet.get_parameter("head"), std=0.1)
    small = space.from_json(
        {"width": 32, "depth": 2, "mixers": ["convolution", "linear"], "mlp_ratio": [1.0, 1.5]}
    )
    supernet(inputs_of(signature), space.route(small)).square().sum().backward()
    touched = {name: weight.grad for name, weight in supernet.named_parameters() if weight.grad is not None}
    mixers = {name.split(".")[1] + name.split(".")[3] for name in touched if ".mixers." in name}
    assert mixers == {"0convolution", "1linear"}
    assert not any(name.startswith(("layers.2", "layers.3")) for name in touched)
    up = touched["layers.0.up"]
    assert up[:32, :32].abs().sum() > 0
    assert up[32:].abs().sum() == 0
    assert up[:, 32:].abs().sum() == 0


@pytest.mark.parametrize("signature", [IMAGE, BYTES], ids=["image", "bytes"])
def test_closed_form_counts_equal_the_module(signature: Signature) -> None:
    space = bound("micro", signature)
    draw = random.Random(1)
    for _ in range(50):
        architecture = space.sample(draw)
        with torch.device("meta"):
            module = space.build(architecture)
        assert sum(weight.numel() for weight in module.parameters()) == space.parameters(architecture)


@pytest.mark.parametrize("signature", [IMAGE, BYTES], ids=["image", "bytes"])
def test_closed_form_macs_equal_the_flop_counter(signature: Signature) -> None:
    space = bound("micro", signature)
    tokens = 64 if signature.kind == "bytes" else 49
    draw = random.Random(2)
    for _ in range(20):
        architecture = space.sample(draw)
        form = space.to_json(architecture)
        shifted = sum(  # shift-and-add kernels are not matrix products, so the counter cannot see them
            KERNEL * inner_width(family, form["width"]) * tokens
            for family in form["mixers"]
            if family == "convolution"
        )
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            space.build(architecture)(inputs_of(signature)[:1])
        assert counter.get_total_flops() // 2 + shifted == space.macs(architecture)


def test_measured_macs_equal_the_closed_form_of_the_default() -> None:
    space = bound("micro-attention", IMAGE)
    assert measured_macs(space.build(space.default()), IMAGE) == space.macs(space.default())


def test_size_equals_enumeration() -> None:
    for signature in (IMAGE, BYTES):
        space = bound("micro-attention", signature)
        assert space.size() == sum(1 for _ in space.enumerate())


@pytest.mark.parametrize("width", [32, 48, 64])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_mixer_has_the_parameters_of_attention(family: str, width: int) -> None:
    assert abs(mixer_parameters(family, width) / (4 * width**2) - 1) <= 0.03


@given(seed=st.integers(0, 2**32), signature=st.sampled_from([IMAGE, BYTES]))
@settings(max_examples=40, deadline=None)
def test_moves_stay_legal_and_json_reads_back(seed: int, signature: Signature) -> None:
    space = bound("micro", signature, 0.05)
    draw = random.Random(seed)
    first, second = space.sample(draw), space.sample(draw)
    moved = [space.mutate(first, draw, 0.2), space.crossover(first, second, draw)]
    moved += draw.sample(space.neighbours(first), 3)
    for architecture in [first, second, *moved]:
        assert space.legal(architecture)
        assert space.from_json(space.to_json(architecture)) == architecture


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 50}, "width 50.*one of"),
        ({"depth": 9}, "depth 9"),
        ({"mixers": ["attention"]}, "1 mixers"),
        ({"mixers": ["attention", "attention", "wavelet"]}, "wavelet"),
        ({"extra": 1}, "keys"),
    ],
)
def test_a_wrong_architecture_is_told_in_one_sentence(change: dict[str, object], message: str) -> None:
    space = bound("micro", IMAGE)
    form = space.to_json(space.default()) | change
    with pytest.raises(HarnessError, match=message):
        space.from_json(form)


def test_a_byte_network_sees_no_later_byte() -> None:
    space = bound("micro", BYTES)
    draw = random.Random(3)
    for _ in range(20):
        with seeded(0), torch.inference_mode():
            module = space.build(space.sample(draw))
            torch.nn.init.normal_(module.get_parameter("head"))
            early = torch.full((1, 64), 65)
            late = early.clone()
            late[:, 40:] = 66
            assert torch.equal(module(early)[:, :40], module(late)[:, :40])


def test_the_parallel_scan_equals_the_plain_recurrence() -> None:
    with seeded(0):
        keep, fresh = torch.rand(2, 37, 3), torch.randn(2, 37, 3)
    state, states = torch.zeros(2, 3), []
    for step in range(37):
        state = keep[:, step] * state + fresh[:, step]
        states.append(state)
    torch.testing.assert_close(_scan(keep, fresh), torch.stack(states, dim=1))
