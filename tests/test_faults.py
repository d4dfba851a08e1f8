"""A unit that fails in whatever way fails alone. Truth: what the toy entries do, each in its own way."""

import json
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from command import apart, harness

from harness.run.record import Record, read_record

TASK = """
import os, signal, subprocess, sys, time
import numpy as np
from harness.task.task import Domain, Sample, Task; from harness.task.signature import Signature

def good(archives):
    draw = np.random.default_rng(0)
    for index in range(80):
        image = draw.integers(0, 60, (1, 8, 8)) + 40 * (index % 4)
        yield Sample(image.astype(np.uint8).tobytes(), index % 4, f"group {index % 20}")

def hangs(archives):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", "left behind"])
    time.sleep(1000)

def hungry(archives):
    held = [bytearray(os.urandom(1) * 2**20) for _ in range(1100)]
    time.sleep(1000)

def dies(archives):
    with open(os.environ["FAULTS"] + "/dies", "a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)

def dies_once(archives):
    path = os.environ["FAULTS"] + "/dies_once"
    if not os.path.exists(path):
        open(path, "w").close()
        os.kill(os.getpid(), signal.SIGSEGV)
    return good(archives)

def exits(archives):
    with open(os.environ["FAULTS"] + "/exits", "a") as file:
        file.write("x")
    os._exit(3)

def stops(archives):
    raise SystemExit("enough")

def interrupts(archives):
    raise KeyboardInterrupt

BAD = (hangs, hungry, dies, dies_once, exits, stops, interrupts)

def domain(read, name=None):
    name = name or read.__name__
    return Domain(name=name, origin=name, licence="CC0", groups="group", read=read)

TASK = Task(
    summary="Bad domains.",
    signature=Signature(kind="image", classes=4, channels=1, height=8, width=8),
    metric="balanced_accuracy",
    chance=0.25,
    domains=(domain(good, "one"), domain(good, "two"), domain(good, "last"), *map(domain, BAD)),
    sources=("one", "two"),
    held_out=(*(read.__name__ for read in BAD), "last"),
    class_names=("a", "b", "c", "d"),
)
"""
SUITE = """
title = "Everything goes wrong"
study = "trained"
seeds = [0, 1]
baselines = ["floor"]
tuned_space = "hybrid:micro-attention"
reference = "floor"
claim = { method = "floor" }

[limits.kinds.prepare]
seconds = 8
memory_gib = 1

[[tasks]]
name = "faulty"
training = { steps = 1 }
"""


def environment(folder: Path) -> dict[str, str]:
    return {
        "HARNESS_CATALOG": str(folder / "catalog"),
        "HARNESS_DATA": str(folder / "data"),
        "FAULTS": str(folder),
    }


def evaluate(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Runs the suite in the folder's catalog; its run lies beside it."""
    return apart("eval", folder / "faulty.toml", "--out", folder / "run", *words, **environment(folder))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the faulty catalog."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "catalog/tasks").mkdir(parents=True)
    (folder / "catalog/tasks/faulty.py").write_text(TASK)
    (folder / "faulty.toml").write_text(SUITE)
    return folder


@pytest.fixture(scope="module")
def ran(faulty: Path) -> "subprocess.CompletedProcess[str]":
    """One worker meets every fault in turn."""
    return evaluate(faulty, "--workers", "1")


def records(run: Path, kind: str) -> dict[str, Record]:
    """Returns the records of a kind of units by their domain."""
    plan = json.loads((run / "plan.json").read_text())
    found = {}
    for unit in plan["units"]:
        if unit["kind"] == kind:
            record = read_record(run / "units" / f"{kind}-{unit['hash']}" / "record.json")
            assert record is not None, f"{kind} {unit['spec'].get('domain')} left no record"
            found[unit["spec"].get("domain")] = record
    return found


@pytest.mark.slow
@pytest.mark.ci
def test_whatever_fails_the_others_go_on_the_board_is_printed_and_the_status_is_1(
    faulty: Path, ran: "subprocess.CompletedProcess[str]"
) -> None:
    assert ran.returncode == 1, ran.stderr
    assert "Report:" in ran.stdout
    assert "Traceback" not in ran.stderr
    prepared = {domain: record.status for domain, record in records(faulty / "run", "prepare").items()}
    good = {"one", "two", "last", "dies_once"}
    assert {domain for domain, status in prepared.items() if status == "ok"} == good
    assert set(prepared.values()) == {"ok", "failed"}
    scored = {domain for domain, record in records(faulty / "run", "score").items() if record.status == "ok"}
    assert {"last", "dies_once"} <= scored


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (
            "hangs",
            r"It ran for \d+\.\d seconds, over its 8, and was ended; raise limits.kinds.prepare.seconds",
        ),
        ("hungry", r"It held 1\.\d+ GiB of memory, over its 1, .*; raise limits.kinds.prepare.memory_gib"),
        ("dies", r"Its worker process was ended by SIGKILL, and again when it was tried again"),
        ("exits", r"It ended its worker process with exit status 3"),
        ("stops", r"Domain 'stops' cannot be read: SystemExit: enough"),
        ("interrupts", r"KeyboardInterrupt"),
    ],
)
def test_a_unit_that_fails_says_why_in_one_sentence(
    faulty: Path, ran: "subprocess.CompletedProcess[str]", domain: str, words: str
) -> None:
    reason = records(faulty / "run", "prepare")[domain].reason or ""
    assert re.search(words, reason), reason


@pytest.mark.slow
@pytest.mark.ci
def test_a_death_by_a_signal_is_tried_once_more_and_an_exit_is_not(
    faulty: Path, ran: "subprocess.CompletedProcess[str]"
) -> None:
    assert (faulty / "dies").read_text() == "xx"
    assert (faulty / "exits").read_text() == "x"


@pytest.mark.slow
@pytest.mark.ci
def test_what_an_ended_unit_started_is_ended_too(
    faulty: Path, ran: "subprocess.CompletedProcess[str]"
) -> None:
    assert not [
        one for one in psutil.process_iter(["cmdline"]) if "left behind" in (one.info["cmdline"] or ())
    ]


@pytest.mark.slow
@pytest.mark.ci
def test_where_nothing_can_be_scored_the_board_is_printed_all_the_same(faulty: Path) -> None:
    suite = faulty / "hopeless.toml"
    suite.write_text(
        SUITE.replace('name = "faulty"', 'name = "faulty"\nsources = ["stops"]\nheld_out = ["last"]')
    )
    done = harness("eval", suite, "--out", faulty / "hopeless", **environment(faulty))
    assert done.returncode == 1, done.stderr
    assert "Report:" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.ci
def test_a_network_that_diverges_fails_alone_and_tells_step_and_rate(tmp_path: Path) -> None:
    suite = tmp_path / "diverging.toml"
    suite.write_text(
        'extends = "toy"\nbaselines = ["default", "tuned:default", "floor"]\nreference = "floor"\n'
        '[[tasks]]\nname = "toy_patterns"\n'
        "supernet = { learning_rate = 1e30 }\ntraining = { learning_rates = [1e30] }\n"
    )
    done = apart("eval", suite, "--out", tmp_path / "run")
    assert done.returncode == 1, done.stderr
    for kind in ("supernet", "tune", "final"):
        reasons = [record.reason for record in records(tmp_path / "run", kind).values() if record.reason]
        assert any(
            re.search(r"not finite at step [1-3] of 4, where the loss is .* learning rate .*e\+", reason)
            for reason in reasons
        ), (kind, reasons)
    finals = json.loads((tmp_path / "run/plan.json").read_text())["units"]
    floors = [unit for unit in finals if unit["kind"] == "final" and unit["spec"]["method"] == "floor"]
    for unit in floors:
        record = read_record(tmp_path / "run/units" / f"final-{unit['hash']}" / "record.json")
        assert record.status == "ok"


def script(name: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Runs a benchmark that does at length what a test does once."""
    path = Path(__file__).parents[1] / "benchmarks" / name
    return subprocess.run([sys.executable, path, *words], capture_output=True, text=True, timeout=550)


@pytest.mark.slow
@pytest.mark.ci
def test_one_file_of_every_kind_that_is_damaged_is_refused_or_made_again() -> None:
    done = script("damage.py", "--count", "18", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    name, tried, refused, redone, lost = done.stdout.splitlines()[-2].split()
    assert (name, tried, lost) == ("all", "18", "0")
    assert int(refused) + int(redone) == 18


@pytest.mark.slow
def test_no_signal_at_any_moment_changes_a_byte() -> None:
    done = script("faults.py", "--moments", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tried 9, resumed to the same bytes 9, lost 0" in done.stdout


@pytest.mark.slow
def test_no_full_or_read_only_disk_changes_a_byte() -> None:
    done = script("full_disk.py", "--points", "2")
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost 0" in done.stdout
