"""A run ends in the same bytes whatever happens to it. Truth: an undisturbed run of the same suite."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import COMMAND, harness, python, result_bytes
from working import done, planned, units

from harness import catalog
from harness.data import load, view
from harness.data.view import DataPlace, SourceView
from harness.errors import HarnessError
from harness.run.record import read_record
from harness.task.split import Split
from harness.workers.folder import lock


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "toy"
    ended = harness("eval", "toy", "--out", str(out))
    assert ended.returncode == 0, ended.stderr
    assert "Report:" in ended.stdout
    return out


def test_a_finished_run_says_so_and_runs_nothing_and_json_is_one_document(finished: Path) -> None:
    before = result_bytes(finished)
    again = harness("eval", "toy", "--out", str(finished), "--json")
    assert again.returncode == 0
    assert isinstance(json.loads(again.stdout), dict)
    assert "already finished" in again.stderr
    assert result_bytes(finished) == before


@pytest.mark.slow
@pytest.mark.ci
def test_one_worker_gives_the_same_bytes_as_two(finished: Path, tmp_path: Path) -> None:
    assert harness("eval", "toy", "--out", str(tmp_path / "one"), "--workers", "1").returncode == 0
    assert result_bytes(tmp_path / "one") == result_bytes(finished)


def test_every_unit_kind_left_a_record(finished: Path) -> None:
    kinds = {folder.name.partition("-")[0] for folder in (finished / "units").iterdir()}
    assert kinds == {"prepare", "supernet", "search", "tune", "final", "score"}
    made = [json.loads(file.read_bytes()) for file in (finished / "units").glob("*/provenance.json")]
    assert {one["threads"] for one in made} == {1}


def test_a_folder_of_another_suite_is_refused(finished: Path) -> None:
    refused = harness("eval", "toy_canary", "--out", str(finished))
    assert refused.returncode == 2
    assert "holds a run of toy, not of toy_canary" in refused.stderr


@pytest.mark.slow
@pytest.mark.ci
def test_a_canary_among_the_held_out_domains_harms_only_its_own_scores(tmp_path: Path) -> None:
    assert harness("eval", "toy_canary", "--out", str(tmp_path / "run")).returncode == 1
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    lost = set()
    for unit in plan["units"]:
        record = read_record(tmp_path / "run" / "units" / f"{unit['kind']}-{unit['hash']}" / "record.json")
        if record.status != "ok":
            lost.add((unit["kind"], unit["spec"].get("domain")))
            assert "canary" in (record.reason or "")
    assert lost == {("prepare", "canary"), ("score", "canary")}


def test_no_test_split_and_no_held_out_domain_is_read_before_scoring(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[tuple[str, str]] = set()
    real = load.load_split

    def watched(task_name, task, domain, name, folder, *, limit=None) -> Split:
        read.add((domain.name, name))
        return real(task_name, task, domain, name, folder, limit=limit)

    monkeypatch.setattr(view, "load_split", watched)
    monkeypatch.setattr(view, "load_part", lambda *words: pytest.fail("a held-out domain was read"))
    for unit in units(planned("toy"), "prepare", "supernet", "search", "tune", "final"):
        done(planned("toy"), unit, tmp_path)
    assert read == {(source, name) for source in ("clean", "grainy") for name in ("train", "validation")}


def test_a_source_view_refuses_the_test_split(tmp_path: Path) -> None:
    task = catalog.load("task", "toy_patterns")
    sources = SourceView("toy_patterns", task, ("clean",), DataPlace(folder=tmp_path))
    with pytest.raises(ValueError, match="train and validation"):
        sources.splits("test")


def test_two_runs_of_one_folder_at_once_are_refused(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(HarnessError, match="Another harness"), lock(tmp_path):
        pass


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("{")
    with pytest.raises(HarnessError, match=r"record.json is damaged"):
        read_record(tmp_path / "record.json")


@pytest.mark.slow
@pytest.mark.ci
def test_ten_kills_at_random_moments_change_no_byte(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    draw = random.Random(0)
    for _ in range(10):
        process = subprocess.Popen(
            [*COMMAND, "eval", "toy", "--out", str(run)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ,
        )
        time.sleep(draw.uniform(0.3, 6.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert harness("eval", "toy", "--out", str(run)).returncode == 0
    assert result_bytes(run) == result_bytes(finished)


@pytest.mark.slow
@pytest.mark.ci
def test_an_interrupt_stops_at_once_and_says_how_to_go_on(tmp_path: Path) -> None:
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    process = subprocess.Popen(
        [sys.executable, "-c", heard + COMMAND[-1], "eval", "toy", "--out", str(tmp_path / "run")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ,
    )  # a shell's background jobs ignore interrupts, and so would whatever they start
    try:
        first = process.stderr.readline()  # a unit has ended
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)  # two seconds on an idle machine
    finally:
        process.kill()
        process.communicate()
    assert b"ok" in first
    assert process.returncode == 130
    assert b"continues from here" in errors


@pytest.mark.slow
@pytest.mark.ci
def test_every_searcher_that_asks_no_model_runs_on_a_supernet(tmp_path: Path) -> None:
    names = [name for name in catalog.names("searcher") if not catalog.load("searcher", name).needs_llm]
    suite = tmp_path / "all.toml"
    listed = ", ".join(f'"{name}"' for name in names)
    suite.write_text(f'extends = "toy"\nspaces = ["hybrid:micro"]\nsearchers = [{listed}]\n')
    ended = harness("eval", str(suite), "--out", str(tmp_path / "run"))
    assert ended.returncode == 0, ended.stderr
    board = json.loads((tmp_path / "run" / "board.json").read_text())
    rows = {row["method"]: row for row in board["tasks"][0]["rows"]}
    assert all(rows[name]["evaluations"] == [5, 5] for name in names)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("is_one", [True, False])
def test_what_is_loaded_later_uses_one_thread(is_one: bool) -> None:
    code = """
        import sys
        from harness.guard.threads import most_threads, one_thread
        if sys.argv[1] == "True":
            one_thread()
        import numpy, scipy.linalg, sklearn.linear_model, torch
        torch.set_num_threads(1)
        print(most_threads())
    """
    many = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    assert (python(code, is_one, **many).stdout == "1\n") == is_one
