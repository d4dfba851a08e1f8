"""Processes that share a run's folder. Truth: the bytes of a run of one process, and a log of what began."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
from command import harness, result_bytes
from sharing import KIND, LINKS, PREPARE, Length, Link, plan_of

from harness.data.view import DataPlace
from harness.errors import HarnessError
from harness.identity.unit import unit_folder
from harness.run.place import Place
from harness.run.standing import Standing
from harness.run.stored import unit_record, write_record
from harness.study.plan import planned
from harness.workers.perform import carry_out_anywhere
from harness.workers.pools import leases
from harness.workers.pools.leases import Leases, are_there
from harness.workers.pools.shards import shard

SCRIPT = Path(__file__).parent / "sharing.py"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(leases, "STALE_SECONDS", 0.6)
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.05)


def dead(folder: Path, name: str) -> Leases:
    """Returns the leases of a process that holds one and counts no more."""
    owner = Leases(folder)
    assert owner.take(name)
    owner._is_over.set()
    owner._beating.join()
    return owner


def taken_within(process: Leases, name: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.take(name):
            return True
        time.sleep(0.01)
    return False


def test_a_lease_whose_owner_counts_is_nobody_elses(tmp_path: Path) -> None:
    owner, other = Leases(tmp_path / "leases"), Leases(tmp_path / "leases")
    assert owner.take("unit")
    assert not taken_within(other, "unit", 1.5)
    assert owner.lost() == set()
    owner.release("unit", "failed")
    assert not taken_within(other, "unit", 0.3), "what failed is tried once as long as its owner lives"
    assert other.state("unit") == "failed"
    owner.stop()
    assert other.take("unit")
    other.stop()
    assert not (tmp_path / "leases").exists()


def test_of_all_who_see_an_owner_gone_one_takes_its_lease_and_the_owner_learns_it(tmp_path: Path) -> None:
    owner = dead(tmp_path, "unit")
    others = [Leases(tmp_path) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda one: taken_within(one, "unit", 1.5), others))
    assert Counter(won) == {True: 1, False: 7}
    assert not owner._kept("unit", owner._own["unit"])
    for process in others:
        process.stop()


def test_who_looked_a_moment_before_another_took_a_lease_takes_nothing(tmp_path: Path) -> None:
    first, second = Leases(tmp_path), Leases(tmp_path)
    assert first.take("unit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(second, "_last", lambda name: (-1, "freed"))
        assert not second.take("unit")
    assert first.lost() == set()
    first.stop()
    second.stop()


def test_a_process_whose_leases_were_swept_away_learns_that_it_lost_them(tmp_path: Path) -> None:
    owner = Leases(tmp_path / "leases")
    owner.take("unit")
    for file in (tmp_path / "leases").iterdir():
        file.unlink()
    until = time.monotonic() + 5
    while owner.lost() != {"unit"} and time.monotonic() < until:
        time.sleep(0.02)
    assert owner.lost() == {"unit"}
    assert are_there(tmp_path / "leases"), "and says again that it is there"
    owner.stop()


def test_an_owner_that_cannot_write_gives_its_lease_up_before_others_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Leases(tmp_path / "leases")
    owner.take("unit")
    began = time.monotonic()

    def full(*words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(owner, "_write", full)
    while not owner.lost():
        time.sleep(0.01)
    assert time.monotonic() - began < leases.STALE_SECONDS


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", "1/2/3"])
def test_what_is_no_share_is_told(text: str) -> None:
    with pytest.raises(HarnessError, match="give I/N with 1 <= I <= N"):
        shard(text)


def begun(*words: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, words)], text=True, stderr=subprocess.PIPE
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    told = process.communicate(timeout=120)[1]
    return process.returncode, told


def same(run: Path, other: Path) -> bool:
    """Whether the results are the same bytes, beside the plan, which processes alone do not write here."""
    first, second = (
        {name: text for name, text in result_bytes(one).items() if name.startswith("units/")}
        for one in (run, other)
    )
    return first == second


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


@pytest.mark.slow
@pytest.mark.ci
def test_processes_of_which_one_is_killed_leave_the_bytes_of_one_and_do_nothing_twice(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert ended(begun(tmp_path / "one", log, "--chains", 8, "--failing", 1, "--plain"))[0] == 1
    log.unlink()
    words = (tmp_path / "run", log, "--chains", 8, "--failing", 1, "--seconds", 0)
    running = [begun(*words) for _ in range(3)]
    while len(lines(log)) < 5:
        time.sleep(0.01)
    running[0].kill()
    assert [ended(one)[0] for one in running] == [-signal.SIGKILL, 1, 1]
    assert same(tmp_path / "run", tmp_path / "one")
    times = Counter(lines(log))
    assert len(times) == 22, "what needs the broken link is skipped"
    assert sum(times.values()) <= 23, "but for what the killed one had begun"
    assert times["0.0"] == 1, "what fails is tried once by all together"
    log.unlink()
    assert ended(begun(*words))[0] == 1
    assert lines(log) == ["0.0"], "the same command tries again what failed, and nothing else"


@pytest.mark.slow
@pytest.mark.ci
def test_a_suspended_process_gives_up_what_others_took_and_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = (tmp_path / "run", log, "--chains", 3, "--seconds", 0.2)
    first = begun(*words)
    while not lines(log):
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGSTOP)
    second = begun(*words)
    assert ended(second) == (0, "")
    os.kill(first.pid, signal.SIGCONT)
    assert ended(first) == (0, "")
    assert sum(Counter(lines(log)).values()) <= 10


@pytest.mark.slow
@pytest.mark.ci
def test_a_process_with_another_plan_is_refused_while_others_share_the_folder(tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = begun(
        tmp_path / "run", log, "--chains", 2, "--seconds", 2
    )  # longer than two others take to start
    while not lines(log):
        time.sleep(0.01)
    for more in ([], ["--plain"]):
        status, told = ended(begun(tmp_path / "run", log, "--chains", 3, *more))
        assert status == 2
        assert ("another plan" if not more else "Another harness runs in") in told
        assert told.count("\n") == 1
    assert ended(first) == (0, "")


@pytest.mark.slow
@pytest.mark.ci
def test_shares_wait_for_one_another_or_say_so_and_copied_together_they_are_the_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert ended(begun(tmp_path / "one", log, "--plain"))[0] == 0
    log.unlink()
    runs = [tmp_path / "a", tmp_path / "b"]
    for _ in range(6):  # what one share made is what the other waits for
        done = [ended(begun(run, log, "--share", f"{index}/2")) for index, run in enumerate(runs, 1)]
        assert {status for status, _ in done} <= {0, 3}
        assert all("share" in told for status, told in done if status == 3)
        for run, other in (runs, runs[::-1]):
            subprocess.run(["cp", "-r", f"{run}/units", str(other)], check=True)
        if all(status == 0 for status, _ in done):
            break
    assert sorted(Counter(lines(log)).values()) == [1] * 12
    assert ended(begun(runs[0], log, "--plain"))[0] == 0
    assert len(lines(log)) == 12
    assert same(runs[0], tmp_path / "one")
    log.unlink()
    both = [begun(tmp_path / "both", log, "--share", f"{index}/2", "--seconds", 0.1) for index in (1, 2)]
    assert {ended(one)[0] for one in both} <= {0, 3}
    assert set(Counter(lines(log)).values()) == {1}


@pytest.mark.slow
@pytest.mark.ci
def test_a_run_that_is_moved_goes_on_where_it_was(tmp_path: Path) -> None:
    first, moved = tmp_path / "laptop", tmp_path / "cluster" / "runs" / "mine"
    assert harness("eval", "toy_lookup", "--out", first, "--workers", 1).returncode == 0
    whole = result_bytes(first)
    moved.parent.mkdir(parents=True)
    shutil.copytree(first, moved)
    shutil.rmtree(first)
    gone = sorted((moved / "units").glob("lookup-*"))[::3]
    for folder in gone:
        shutil.rmtree(folder)
    done = harness("eval", "toy_lookup", "--out", moved, "--shared", "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("] ok ") == len(gone) > 3
    assert result_bytes(moved) == whole
    shutil.copytree(moved, first)
    back = harness("eval", "toy_lookup", "--out", first)
    assert "already finished" in back.stderr
    assert result_bytes(first) == whole


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("alone", [[], ["--plain"]])
def test_a_copy_with_the_leases_of_a_killed_process_goes_on(tmp_path: Path, alone: list[str]) -> None:
    log, words = tmp_path / "log", ("--chains", 2, "--seconds", 0.3)
    assert ended(begun(tmp_path / "whole", log, *words, "--plain"))[0] == 0
    log.unlink()
    killed = begun(tmp_path / "run", log, *words)
    until = time.monotonic() + 60
    while len(lines(log)) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    killed.kill()
    ended(killed)
    copied = tmp_path / "elsewhere" / "run"
    shutil.copytree(tmp_path / "run", copied)
    shutil.rmtree(tmp_path / "run")
    assert list(copied.glob(".leases/link-*")), "it was in the midst of a unit"
    code, told = ended(begun(copied, log, *words, *alone))
    assert code == 0, told
    assert same(copied, tmp_path / "whole")
    assert sum(Counter(lines(log)).values()) <= 2 * LINKS + 1, "what was finished is not done again"


def test_what_another_process_holds_is_neither_brought_nor_skipped(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "log", 1)
    run, first = tmp_path / "run", plan.units[0]
    write_record(run, first, "ok", result=Length(length=1))
    (run / ".superseded").mkdir()
    unit_folder(run, first).rename(run / ".superseded" / first.folder)
    held = Standing(run, plan.units, hold=lambda unit: nullcontext(False))
    assert held.settle() == []
    assert not unit_folder(run, first).exists()
    held.skip(first, "given up")
    assert unit_record(run, first) is None
    assert Standing(run, plan.units, hold=lambda unit: nullcontext(True)).settle() == [first]
    free = Standing(run, plan.units)
    free.skip(first, "given up, while another process did it")
    record = unit_record(run, first)
    assert record is not None
    assert record.status == "ok"


def test_data_that_another_machine_prepared_is_prepared_here_too(tmp_path: Path) -> None:
    made = planned(PREPARE, Link(chain=1, place=0))
    reader = planned(KIND, Link(chain=1, place=1, log=str(tmp_path / "log")), [made.hash])
    places = [Place(run=tmp_path, data=DataPlace(folder=tmp_path / name)) for name in ("first", "second")]
    for place in places:
        place.data.folder.mkdir()
    assert carry_out_anywhere(made, {}, places[0]) == "ok"
    record = unit_folder(tmp_path, made).joinpath("record.json").read_bytes()
    assert not (places[1].data.folder / "made 1").exists()
    assert carry_out_anywhere(reader, {made.hash: made}, places[1]) == "ok"
    assert (places[1].data.folder / "made 1").exists()
    assert unit_folder(tmp_path, made).joinpath("record.json").read_bytes() == record
