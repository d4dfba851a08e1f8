"""Where a run lies does not matter, nor what the clock says. Truth: the bytes of an undisturbed run."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from command import COMMAND, Ended, apart, harness, result_bytes
from working import FLOORS, no_timing_can_be_written

from harness.data.parts import part_folder
from harness.errors import HarnessError
from harness.files import unwritable
from harness.study.settings import Limits
from harness.workers.folder import claim, lock
from harness.workers.pools.local import Local

CLOCK = """
import itertools, time
real, steps = time.time, itertools.count()
time.time = lambda: 1e9 - 3600.0 * next(steps)
open(__file__ + ".ran", "w").close()
"""


def suite(folder: Path) -> Path:
    path = folder / "floors.toml"
    path.write_text(FLOORS)
    return path


def evaluate(suite: Path, run: Path, **settings: str) -> Ended:
    return harness("eval", suite, "--out", run, **settings)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a suite and its undisturbed run."""
    folder = tmp_path_factory.mktemp("whole")
    done = evaluate(suite(folder), folder / "run")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.ci
def test_a_folder_of_any_name_gives_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    name = "a b é漢字🙂; rm -rf $HOME 'q' \"q\" %s {} #"
    place = tmp_path / name.ljust(200, "n")
    place.mkdir()
    done = evaluate(whole / "floors.toml", place / "run", HARNESS_DATA=str(place / "data"), TMPDIR=str(place))
    assert done.returncode == 0, done.stderr
    assert result_bytes(place / "run") == result_bytes(whole / "run")


@pytest.mark.slow
@pytest.mark.ci
def test_a_name_that_is_too_long_is_told_in_one_sentence(whole: Path, tmp_path: Path) -> None:
    done = evaluate(whole / "floors.toml", tmp_path / ("n" * 300))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "File name too long; choose another --out." in done.stderr


@pytest.mark.slow
@pytest.mark.ci
def test_a_record_from_the_future_is_as_good_as_any(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "run", tmp_path / "run")
    for file in (tmp_path / "run").rglob("*"):
        os.utime(file, (4e9, 4e9))
    done = evaluate(whole / "floors.toml", tmp_path / "run")
    assert "already finished" in done.stderr
    assert result_bytes(tmp_path / "run") == result_bytes(whole / "run")


@pytest.mark.slow
@pytest.mark.ci
def test_a_clock_that_runs_backwards_changes_no_byte(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    words = ["eval", whole / "floors.toml", "--out", tmp_path / "run"]
    done = apart(*words, PYTHONPATH=path, HARNESS_DATA=str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sitecustomize.py.ran").exists()
    assert result_bytes(tmp_path / "run") == result_bytes(whole / "run")


@pytest.mark.slow
@pytest.mark.ci
def test_two_evaluations_started_together_share_one_data_cache(whole: Path, tmp_path: Path) -> None:
    environment = os.environ | {"HARNESS_DATA": str(tmp_path / "data")}
    running = [
        subprocess.Popen(
            [*COMMAND, "eval", str(whole / "floors.toml"), "--out", str(tmp_path / name)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("first", "second")
    ]
    errors = [process.communicate(timeout=300)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    for name in ("first", "second"):
        assert result_bytes(tmp_path / name) == result_bytes(whole / "run")
    assert not list((tmp_path / "data").rglob(".part-*"))


@pytest.mark.slow
@pytest.mark.ci
def test_a_run_folder_that_is_removed_is_told_and_the_same_command_makes_it_again(
    whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["eval", str(whole / "floors.toml"), "--out", str(run), "--workers", "1"]
    process = subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    first = process.stderr.readline()
    run.rename(tmp_path / "gone")
    errors = process.communicate(timeout=300)[1]
    assert "[1/" in first
    assert process.returncode == 2
    assert f"harness: {run} was removed while it ran; run the command again.\n" in errors
    assert "Traceback" not in errors
    assert evaluate(whole / "floors.toml", run).returncode == 0
    assert result_bytes(run) == result_bytes(whole / "run")


@pytest.mark.slow
@pytest.mark.ci
def test_a_file_that_is_gone_from_a_held_folder_tells_its_removal_and_no_other_file_does(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    gone = FileNotFoundError(2, "No such file or directory", str(run / "units" / "timing.json"))
    unwritten = unwritable(run, gone)
    unwritten.__cause__ = gone
    for error in (gone, unwritten):
        with pytest.raises(HarnessError, match="was removed while it ran"), lock(run):
            raise error
    elsewhere = FileNotFoundError(2, "No such file or directory", str(tmp_path / "data" / "images.npy"))
    for other in (elsewhere, HarnessError("a unit failed"), unwritable(run, PermissionError(13, "no"))):
        with pytest.raises(type(other)) as raised, lock(run):
            raise other
        assert raised.value is other


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize(("unit", "told"), [("gone", "was removed while it ran"), ("full", "free space")])
def test_a_worker_tells_the_removal_of_a_folder_from_a_full_disk(
    tmp_path: Path, unit: str, told: str
) -> None:
    place = SimpleNamespace(run=tmp_path, data=SimpleNamespace(offline=False, folder=tmp_path))
    pool = Local(place, no_timing_can_be_written, Limits(), workers=1)  # type: ignore[arg-type]
    worker = pool.idle.pop()
    worker.connection.send((unit, {}))
    try:
        assert worker.connection.recv() == ("begins", "")
        assert worker.connection.poll(60)
        with pytest.raises(HarnessError, match=told):
            pool._answer(worker, SimpleNamespace())  # type: ignore[arg-type]
    finally:
        pool.idle.append(worker)
        pool.stop()


@pytest.mark.slow
@pytest.mark.ci
def test_a_folder_with_what_a_killed_run_leaves_before_its_plan_is_free(tmp_path: Path) -> None:
    for name in (".lock", ".part-123-plan.json"):
        (tmp_path / name).touch()
    (tmp_path / "units").mkdir()
    claim(tmp_path, "toy")
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(HarnessError, match="is not a run folder and not empty"):
        claim(tmp_path, "toy")


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("text", ["{", "[]", "3", '{"title": "x"}', "\x00"])
def test_a_folder_with_a_damaged_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(HarnessError, match=r"holds a run of a damaged plan\.json"):
        claim(tmp_path, "toy")


@pytest.mark.slow
@pytest.mark.ci
def test_a_folder_that_is_swept_before_its_process_holds_it_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = tempfile.mkdtemp, []

    def swept_at_first(**options: Any) -> str:
        made.append(make(**options))
        if len(made) == 1:
            Path(made[0]).rmdir()
        return made[-1]

    monkeypatch.setattr("harness.data.parts.tempfile.mkdtemp", swept_at_first)
    with part_folder(tmp_path / "place") as folder:
        assert [folder] == [Path(made[1])] == list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.ci
def test_what_a_killed_process_left_of_a_folder_is_swept_and_what_one_holds_is_not(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from harness.data.parts import part_folder\n"
        "with part_folder(pathlib.Path(sys.argv[1]) / 'place') as folder:\n"
        "    (folder / 'half').touch()\n"
        "    print(folder.name, flush=True)\n"
        "    time.sleep(1000)\n"
    )
    words = [sys.executable, "-c", script, str(tmp_path)]
    held = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ)
    name = held.stdout.readline().strip()
    try:
        with part_folder(tmp_path / "place") as own:
            assert {path.name for path in tmp_path.iterdir()} == {name, own.name}
    finally:
        held.kill()
        held.communicate()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with part_folder(tmp_path / "place") as own:
        assert [path.name for path in tmp_path.iterdir()] == [own.name]
    assert not list(tmp_path.iterdir())
