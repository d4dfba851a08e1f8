"""What a unit may take. Truth: processes that hold what a test tells them to, and a made clock."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import filled
import psutil
import pytest
from working import plan_of

from harness.files import write_atomically
from harness.run.loaded import load_run
from harness.study.settings import Limits, UnitLimit
from harness.study.study import load_study, make_plan
from harness.study.suite import load_suite
from harness.workers import watch as module
from harness.workers.watch import GIB, TRAINING_SECONDS, USUAL_SECONDS, Watch, end_tree

HOLDS = "held = bytearray(b'x' * {0}); import time; print('held', flush=True); time.sleep(1000)"


def watch(process: int = 1, **limits: float) -> Watch:
    return Watch(process, filled.KINDS["score"], UnitLimit(**limits))


def test_a_kind_without_limits_of_its_own_has_those_of_all(tmp_path: Path) -> None:
    text = "[limits]\nseconds = 60\nmemory_gib = 2\n[limits.kinds.score]\nseconds = 5\n"
    limits = plan_of(f'extends = "toy"\n{text}', tmp_path).suite.limits
    assert limits.of("score") == UnitLimit(seconds=5, memory_gib=2)
    assert limits.of("final") == UnitLimit(seconds=60, memory_gib=2)


@pytest.mark.parametrize("name", ["toy", "toy_lookup", "toy_quality"])
def test_limits_are_no_part_of_a_unit_and_no_protocol(tmp_path: Path, name: str) -> None:
    _, plain = load_suite(name)
    limited = replace(plain, limits=Limits(seconds=3, kinds={"score": UnitLimit(memory_gib=1)}))
    plans = [make_plan(name, one) for one in (plain, limited)]
    assert [unit.hash for unit in plans[0].units] == [unit.hash for unit in plans[1].units]
    protocols = []
    for plan, place in zip(plans, ("plain", "limited"), strict=True):
        write_atomically(tmp_path / place / "plan.json", plan.to_json())
        run = load_run(tmp_path / place)
        protocols.append(load_study(run.study).protocol(run))
    assert protocols[0] == protocols[1]


def test_without_limits_a_unit_that_trains_has_a_week_and_others_a_day() -> None:
    most = {name: Watch(1, kind, Limits().of(name)).most for name, kind in filled.KINDS.items()}
    training = {name for name, seconds in most.items() if seconds == TRAINING_SECONDS}
    assert training == {"supernet", "tune", "final", "scratch", "cell"}
    assert {most[name] for name in most.keys() - training} == {USUAL_SECONDS}
    assert watch().gib < psutil.virtual_memory().total / GIB


def test_memory_is_that_of_the_whole_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(module, "LARGEST_SHARE", 1e9)
    child = HOLDS.format(200 * 2**20)
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        assert watch(process.pid, memory_gib=1).exceeded() is None
        reason = watch(process.pid, memory_gib=0.1).exceeded()
        assert reason.startswith("It held 0.2")
        assert reason.endswith(
            "over its 0.1, and was ended; raise limits.kinds.score.memory_gib of the suite."
        )
        children = psutil.Process(process.pid).children(recursive=True)
    finally:
        end_tree(process.pid)
        process.communicate()
    assert children
    assert not psutil.wait_procs(children, timeout=60)[1]


def test_time_counts_from_the_unit_s_beginning_and_not_while_the_run_is_suspended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(module, "perf_counter", lambda: now)
    monkeypatch.setattr(module, "tree", lambda process: [])
    watched = watch(seconds=20)
    for _ in range(100):
        now += 1
        assert watched.exceeded() is None, "the process starts"
    watched.begins()
    now += 3600
    assert watched.exceeded() is None, "the run was suspended"
    for _ in range(15):
        now += 1
        assert watched.exceeded() is None
    now += 1
    assert watched.exceeded() == (
        "It ran for 21.0 seconds, over its 20, and was ended; raise limits.kinds.score.seconds of the suite."
    )


def test_a_process_that_never_starts_its_unit_is_over_its_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(module, "perf_counter", lambda: now)
    monkeypatch.setattr(module, "tree", lambda process: [])
    watched = watch(seconds=20)
    for _ in range(601):
        now += 1
        reason = watched.exceeded()
    assert reason is not None


def test_what_a_dead_process_left_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLDS.format(1)!r}])"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    watched = watch(process.pid)
    assert watched.exceeded() is None
    left = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    assert left[0].is_running()
    watched.end()
    assert not psutil.wait_procs(left, timeout=60)[1]
    process.communicate()


def test_looking_takes_a_small_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = 0.0, 0

    def slow(process: int | None) -> list[psutil.Process]:
        nonlocal now, looks
        now += 1
        looks += 1
        return []

    monkeypatch.setattr(module, "perf_counter", lambda: now)
    monkeypatch.setattr(module, "tree", slow)
    watched = watch()
    while now < 1000:
        now += 0.2
        watched.exceeded()
    assert 40 <= looks <= 50
