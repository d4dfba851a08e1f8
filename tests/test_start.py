"""How the command begins, and when a run did something. Truth: `pyproject.toml`, and the texts here."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command import harness

from harness.errors import DamagedError
from harness.run.stored import read_dates, write_dates

VERSION = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["version"]


def test_the_command_says_its_version() -> None:
    assert harness("--version").stdout == f"harness {VERSION}\n"


def test_the_package_runs_as_a_module_and_loads_no_torch() -> None:
    code = "import sys, runpy; sys.argv = ['harness', '--version']\n"
    code += "try: runpy.run_module('harness', run_name='__main__')\n"
    code += "finally: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == f"harness {VERSION}\nFalse\n"


@pytest.mark.parametrize("words", [("nonsense",), ("eval", "toy", "--nonsense"), ("describe",)])
def test_a_word_that_is_none_ends_with_status_2(words: tuple[str, ...]) -> None:
    assert harness(*words).returncode == 2


def test_dates_that_are_damaged_are_refused_by_name_and_made_again(tmp_path: Path) -> None:
    assert read_dates(tmp_path) is None
    write_dates(tmp_path, "2026-01-02T03:04+00:00", did_something=False)
    assert read_dates(tmp_path) is None
    write_dates(tmp_path, "2026-01-02T03:04+00:00", did_something=True)
    write_dates(tmp_path, "2026-02-03T04:05+00:00", did_something=True)
    write_dates(tmp_path, "2026-09-09T09:09+00:00", did_something=False)
    assert read_dates(tmp_path) == ("2026-01-02T03:04+00:00", "2026-02-03T04:05+00:00")
    file = tmp_path / "dates.json"
    file.write_bytes(file.read_bytes().replace(b"2026-01", b"2025-01"))
    with pytest.raises(DamagedError, match=r"dates.json is damaged.*delete it, no result depends on it"):
        read_dates(tmp_path)
    write_dates(tmp_path, "2026-03-04T05:06+00:00", did_something=False)
    assert read_dates(tmp_path) == ("2026-03-04T05:06+00:00",) * 2
