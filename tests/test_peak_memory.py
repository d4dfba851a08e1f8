"""The memory of a unit. Truth: arrays of known size."""

import resource
from pathlib import Path

import numpy as np
import pytest

from harness.workers.memory import forget_peak, peak_bytes

MIB = 2**20


def test_a_peak_is_of_what_came_after_the_last_was_forgotten() -> None:
    if not forget_peak():
        pytest.skip("this system tells the peak of a process's life alone")
    before = peak_bytes()
    np.ones(64 * MIB, dtype=np.uint8)
    assert 60 * MIB < peak_bytes() - before < 80 * MIB
    assert forget_peak()
    assert peak_bytes() - before < 30 * MIB


def test_a_system_that_forgets_no_peak_says_so_and_tells_that_of_its_life(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("harness.workers.memory._CLEAR", tmp_path / "no" / "clear_refs")
    monkeypatch.setattr("harness.workers.memory._STATUS", tmp_path / "status")
    assert not forget_peak()
    assert peak_bytes() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
