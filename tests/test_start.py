"""How the command begins. Truth: the version in `pyproject.toml`."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command import harness

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
