"""A suite on a Ray cluster. Truth: the bytes of a run of local processes."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from command import apart, harness, result_bytes

SCRIPT = Path(__file__).parent / "ray_cluster.py"
lacks_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra `ray` is not installed")
"""Of tests that start a cluster."""


@lacks_ray
@pytest.mark.slow
@pytest.mark.ci
def test_a_cluster_that_loses_a_node_leaves_the_bytes_of_a_local_run(tmp_path: Path) -> None:
    local = apart("eval", "toy_lookup", "--out", tmp_path / "local", HARNESS_CACHE_GIB="0")
    assert local.returncode == 0, local.stderr
    words = [sys.executable, str(SCRIPT), "toy_lookup", str(tmp_path / "run")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a node of a run that went on: True" in done.stdout
    assert "[21/21] ok" in done.stdout
    files = result_bytes(tmp_path / "run")
    assert files == result_bytes(tmp_path / "local")
    assert "board.json" in files


@lacks_ray
def test_a_cluster_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    words = ("toy_lookup", "--out", tmp_path / "run", "--executor", "ray", "--address", "127.0.0.1:9")
    ended = harness("eval", *words)
    assert ended.returncode == 2
    assert "harness: Cannot join the Ray cluster '127.0.0.1:9': " in ended.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--executor", "slurm"], "There is no executor 'slurm'; choose local or ray."),
        (["--executor", "ray", "--shared"], "leave out --shared and --shard"),
        (["--shared", "--fresh"], "leave out one of the two"),
        (["--shard", "2"], "give I/N with 1 <= I <= N"),
    ],
)
def test_executors_that_do_not_go_together_are_told(tmp_path: Path, words: list[str], told: str) -> None:
    ended = harness("eval", "toy_lookup", "--out", tmp_path / "run", *words)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert told in ended.stderr
    assert not (tmp_path / "run").exists()
