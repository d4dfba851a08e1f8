"""Hybrid mixers are matched, causal and what their recurrences say. Truth: a plain recurrence."""

import pytest
import torch

from harness.learn.fit import seeded
from harness.nn.counts import FAMILIES, mixer_parameters
from harness.nn.mixers import _scan


@pytest.mark.parametrize("width", [32, 48, 64])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_mixer_has_the_parameters_of_attention(family: str, width: int) -> None:
    assert abs(mixer_parameters(family, width) / (4 * width**2) - 1) <= 0.03


def test_the_parallel_scan_equals_the_plain_recurrence() -> None:
    with seeded(0):
        keep, fresh = torch.rand(2, 37, 3), torch.randn(2, 37, 3)
    state, states = torch.zeros(2, 3), []
    for step in range(37):
        state = keep[:, step] * state + fresh[:, step]
        states.append(state)
    torch.testing.assert_close(_scan(keep, fresh), torch.stack(states, dim=1))
