"""Zero-cost proxies. Truth: closed forms of linear networks and of a kernel written out in numpy."""

import copy
import math
import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from spaces import cells, named
from torch import Tensor, nn
from torch.nn import functional as F

from harness.errors import UnknownNameError
from harness.learn.fit import seeded
from harness.search.proxies import PROXIES, naswot, proxy_score, synflow
from harness.space.choices import SearchSpace
from harness.task.signature import Signature

FLAT = Signature(kind="image", classes=3, channels=1, height=2, width=2)
BYTES = Signature(kind="bytes", classes=256, context=8)


def spaces() -> list[SearchSpace]:
    signatures = (Signature(kind="image", classes=10), Signature(kind="bytes", classes=256))
    return [*(named("hybrid:micro", one, tolerance=0.05) for one in signatures), cells()]


def linear_layers(*widths: int) -> list[nn.Linear]:
    with seeded(1):
        return [nn.Linear(one, two, bias=False) for one, two in pairwise(widths)]


def test_synflow_of_linear_layers_is_the_layers_times_the_total_flow() -> None:
    layers = linear_layers(4, 6, 5, 3)
    flow = np.ones(4)
    for layer in layers:
        flow = np.abs(layer.weight.detach().numpy().astype(np.float64)) @ flow
    assert synflow(nn.Sequential(nn.Flatten(), *layers), FLAT) == pytest.approx(math.log(3 * flow.sum()))


def test_synflow_of_bytes_starts_from_the_sum_of_the_embedding() -> None:
    embed, layer = nn.Embedding(256, 4), nn.Linear(4, 2, bias=False)
    rows = embed.weight.detach().numpy().astype(np.float64)
    flow = np.abs(layer.weight.detach().numpy().astype(np.float64)) @ np.abs(rows).sum(0)
    expected = math.log(2 * 8 * flow.sum())
    assert synflow(nn.Sequential(embed, layer), BYTES) == pytest.approx(expected)


def test_synflow_ignores_signs_relus_and_fresh_batch_norms() -> None:
    convolution = nn.Conv2d(1, 4, 1, bias=False)
    head = nn.Linear(16, 3, bias=False)
    plain = nn.Sequential(convolution, nn.Flatten(), head)
    negative = copy.deepcopy(convolution)
    with torch.no_grad():
        negative.weight.neg_()
    norm = nn.BatchNorm2d(4)
    norm.running_mean = torch.full((4,), 5.0)
    bent = nn.Sequential(negative, norm, nn.ReLU(), nn.Flatten(), head)
    for weight in norm.parameters():
        weight.requires_grad_(False)  # its scale of ones would count as one more layer
    assert synflow(bent, FLAT) == pytest.approx(synflow(plain, FLAT))


def test_synflow_does_not_overflow_where_a_float32_would() -> None:
    layers = linear_layers(4, *[64] * 50, 3)
    with torch.no_grad():
        for layer in layers:
            layer.weight.fill_(1.0)
    expected = math.log(51) + math.log(4 * 3) + 50 * math.log(64)
    assert synflow(nn.Sequential(nn.Flatten(), *layers), FLAT) == pytest.approx(expected)


def test_synflow_of_a_network_whose_head_starts_at_zero_is_finite() -> None:
    with seeded(0):
        module = spaces()[0].networks.build(spaces()[0].default())
    assert math.isfinite(synflow(module, Signature(kind="image", classes=10)))


def kernel_by_hand(before: Tensor) -> float:
    codes = (before.numpy() > 0).reshape(len(before), -1)
    kernel = [[float((one == two).sum()) for two in codes] for one in codes]
    return float(np.linalg.slogdet(np.asarray(kernel))[1])


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(), nn.SiLU(), nn.ELU(), nn.Tanh(), nn.Sigmoid()])
def test_naswot_counts_equal_signs_before_an_activation(activation: nn.Module) -> None:
    inputs = torch.randn(6, 40, generator=torch.Generator().manual_seed(3))
    assert naswot(nn.Sequential(activation), inputs) == pytest.approx(kernel_by_hand(inputs))


def test_naswot_sees_functions_as_it_sees_modules() -> None:
    class Called(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return F.gelu(inputs)

    inputs = torch.randn(6, 40, generator=torch.Generator().manual_seed(3))
    assert naswot(Called(), inputs) == naswot(nn.GELU(), inputs)


def test_naswot_leaves_sigmoids_out_where_there_are_relus() -> None:
    inputs = torch.randn(6, 40, generator=torch.Generator().manual_seed(3))
    mixed = nn.Sequential(nn.ReLU(), nn.Linear(40, 40), nn.Sigmoid())
    assert naswot(mixed, inputs) == pytest.approx(kernel_by_hand(inputs))


@pytest.mark.parametrize("module", [nn.ReLU(), nn.Identity()])
def test_naswot_of_what_cannot_be_told_apart_is_minus_infinity(module: nn.Module) -> None:
    assert naswot(module, torch.ones(4, 10)) == -math.inf


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_proxy_is_a_function_of_architecture_and_seed(name: str, which: int) -> None:
    space, draw = spaces()[which], random.Random(0)
    chosen = [space.default(), *(space.sample(draw) for _ in range(3))]
    before = torch.random.get_rng_state()
    first, again = ([proxy_score(name, space, one, 5) for one in chosen] for _ in range(2))
    assert first == again
    assert all(math.isfinite(score) for score in first)
    assert len(set(first)) > 1
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", ["synflow", "naswot"])
def test_another_seed_gives_another_score(name: str) -> None:
    space = spaces()[1]
    assert proxy_score(name, space, space.default(), 1) != proxy_score(name, space, space.default(), 2)


def test_a_cell_that_passes_nothing_on_has_no_naswot() -> None:
    space = spaces()[2]
    assert proxy_score("naswot", space, (0,) * 6, 0) == -math.inf


def test_every_mixer_of_the_deepest_small_networks_has_a_synflow() -> None:
    space = named("hybrid:small", Signature(kind="bytes", classes=256, context=32))
    for mixer in range(5):
        genes = tuple(
            mixer if choice.name.startswith("mixers") else len(choice.options) - 1 for choice in space.choices
        )
        assert math.isfinite(proxy_score("synflow", space, space.canonical(genes), 0))


def test_an_unknown_proxy_is_refused_with_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match="did you mean synflow"):
        proxy_score("sinflow", spaces()[0], spaces()[0].default(), 0)
