"""No damaged file is believed. Truth: the undamaged run. `benchmarks/damage.py` does this at length."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "damage.py"


@pytest.mark.slow
@pytest.mark.ci
def test_one_file_of_every_kind_that_is_damaged_is_refused_or_made_again() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--count", "17", "--seed", "1"],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=550,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    name, tried, refused, redone, lost = done.stdout.splitlines()[-2].split()
    assert (name, tried, lost) == ("all", "17", "0")
    assert int(refused) + int(redone) == 17
