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
from command import COMMAND, harness

from harness.data import load
from harness.data.view import DataPlace, SourceView
from harness.errors import HarnessError
from harness.run.record import read_record
from harness.study.study import make_plan
from harness.study.suite import load_suite
from harness.task.split import Split
from harness.workers.execute import lock

APART = ("timing.json", "provenance.json", ".lock", "report.html", "report.md")


def result_bytes(run: Path) -> dict[str, bytes]:
    """Returns all that must not depend on how the run went: records, artifacts and the board."""
    kept = {}
    for file in sorted(run.rglob("*")):
        if file.is_file() and file.name not in APART:
            kept[str(file.relative_to(run))] = file.read_bytes()
    return kept


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "toy"
    done = harness("eval", "toy", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "Report:" in done.stdout
    return out


def test_a_finished_run_says_so_and_runs_nothing(finished: Path) -> None:
    before = result_bytes(finished)
    again = harness("eval", "toy", "--out", str(finished))
    assert again.returncode == 0
    assert "already finished" in again.stderr
    assert result_bytes(finished) == before


def test_one_worker_gives_the_same_bytes_as_two(finished: Path, tmp_path: Path) -> None:
    assert harness("eval", "toy", "--out", str(tmp_path / "one"), "--workers", "1").returncode == 0
    assert result_bytes(tmp_path / "one") == result_bytes(finished)


def test_every_unit_kind_left_a_record(finished: Path) -> None:
    kinds = {folder.name.partition("-")[0] for folder in (finished / "units").iterdir()}
    assert kinds == {"prepare", "supernet", "search", "final", "score"}


def test_json_output_is_one_document_and_nothing_else(finished: Path) -> None:
    done = harness("eval", "toy", "--out", str(finished), "--json")
    assert isinstance(json.loads(done.stdout), dict)


def test_a_folder_of_another_suite_is_refused(finished: Path) -> None:
    done = harness("eval", "toy_canary", "--out", str(finished))
    assert done.returncode == 2
    assert "holds a run of toy, not of toy_canary" in done.stderr


def test_a_canary_among_the_held_out_domains_harms_only_its_own_scores(tmp_path: Path) -> None:
    done = harness("eval", "toy_canary", "--out", str(tmp_path / "run"))
    assert done.returncode == 1
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
    from harness.data import view as protocol
    from harness.run.place import Place
    from harness.workers.perform import perform

    read: set[tuple[str, str]] = set()
    real = load.load_split

    def watched(task_name, task, domain, name, folder, *, limit=None) -> Split:
        read.add((domain.name, name))
        return real(task_name, task, domain, name, folder, limit=limit)

    monkeypatch.setattr(protocol, "load_split", watched)
    plan = make_plan(*load_suite("toy"))
    units = {unit.hash: unit for unit in plan.units}
    place = Place(run=tmp_path, data=DataPlace(folder=Path(os.environ["HARNESS_DATA"])))
    from harness.run.stored import inputs_of, write_record

    for unit in plan.units:
        if unit.kind.name in ("prepare", "supernet", "search", "final"):
            done = perform(unit, {need: units[need] for need in unit.needs}, place)
            inputs = inputs_of(tmp_path, [units[need] for need in unit.needs])
            write_record(tmp_path, unit, "ok", result=done.result, inputs=inputs)
    assert read == {(source, name) for source in ("clean", "grainy") for name in ("train", "validation")}


def test_a_source_view_refuses_the_test_split(tmp_path: Path) -> None:
    from harness import catalog

    task = catalog.load("task", "toy_patterns")
    view = SourceView("toy_patterns", task, ("clean",), DataPlace(folder=tmp_path))
    with pytest.raises(ValueError, match="train and validation"):
        view.splits("test")


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
    from harness import catalog

    names = [name for name in catalog.names("searcher") if not catalog.load("searcher", name).needs_llm]
    suite = tmp_path / "all.toml"
    listed = ", ".join(f'"{name}"' for name in names)
    suite.write_text(f'extends = "toy"\nspaces = ["hybrid:micro"]\nsearchers = [{listed}]\n')
    done = harness("eval", str(suite), "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    board = json.loads((tmp_path / "run" / "board.json").read_text())
    rows = {row["method"]: row for row in board["tasks"][0]["rows"]}
    assert all(rows[name]["evaluations"] == [5, 5] for name in names)
