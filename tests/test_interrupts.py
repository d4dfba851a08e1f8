"""A command that is ended leaves no process behind. Truth: what runs with the environment of the test."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from command import COMMAND, python

TASK = """
import hashlib, os, re, subprocess, sys, time
from harness.task.task import Archive, Domain, Sample, Task; from harness.task.signature import Signature

def mark(name):
    open(os.environ["FAULTS"] + "/" + name, "w").close()

def waits(archives):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    mark("waits")
    time.sleep(1000)

def holds(archives):
    mark("holds")
    re.match(r"(a+)+$", "a" * 64 + "b")  # no other thread of Python runs

EMPTY = hashlib.sha256(b"").hexdigest()
ARCHIVE = Archive(registry="pypi", name="slow", version="1", filename="slow.whl", sha256=EMPTY)

def domain(read, **more):
    return Domain(name=read.__name__, origin="here", licence="CC0", groups="g", read=read, **more)

def fetched(archives):
    return []

TASK = Task(
    summary="Domains that take for ever.",
    signature=Signature(kind="image", classes=4, channels=1, height=8, width=8),
    metric="balanced_accuracy",
    chance=0.25,
    domains=(domain(waits), domain(holds), domain(fetched, archives=(ARCHIVE,)),),
    sources=("waits",),
    held_out=("holds",),
    class_names=("a", "b", "c", "d"),
)
"""
FETCHING = (
    TASK.replace("domain(waits), domain(holds), ", "")
    .replace('"waits"', '"fetched"')
    .replace('("holds",)', "()")
)
SUITE = """
title = "Takes for ever"
study = "trained"
seeds = [0, 1]
baselines = ["floor"]
tuned_space = "hybrid:micro-attention"
reference = "floor"
claim = { method = "floor" }
[[tasks]]
name = "lasting"
sources = ["SOURCE"]
held_out = ["holds"]
training = { steps = 1 }
"""
CLIENT = """
import os, pathlib, sys, time
place = pathlib.Path(os.environ["FAULTS"]) / "client"
if place.exists():
    (pathlib.Path(sys.argv[sys.argv.index("--dest") + 1]) / "slow.whl").touch()
else:
    place.write_text(str(os.getpid()))
    time.sleep(1000)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalog of tasks that take for ever, and a pip that does."""
    (tmp_path / "catalog/tasks").mkdir(parents=True)
    (tmp_path / "catalog/tasks/lasting.py").write_text(TASK)
    (tmp_path / "catalog/tasks/fetching.py").write_text(FETCHING)
    for source in ("waits", "fetched"):
        (tmp_path / f"{source}.toml").write_text(SUITE.replace("SOURCE", source))
    (tmp_path / "stand-in/pip").mkdir(parents=True)
    (tmp_path / "stand-in/pip/__init__.py").touch()
    (tmp_path / "stand-in/pip/__main__.py").write_text(CLIENT)
    return tmp_path


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts a command that ends with the test."""
    own = {
        "HARNESS_CATALOG": str(folder / "catalog"),
        "HARNESS_DATA": str(folder / "data"),
        "FAULTS": str(folder),
        "PYTHONPATH": os.pathsep.join([str(folder / "stand-in"), *sys.path]),
    }
    # A shell's background jobs ignore interrupts, and so would whatever they start.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [*COMMAND[:2], heard + COMMAND[2]]

    running = []

    def started(*words: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*command, *words], env=os.environ | own, text=True, stderr=subprocess.PIPE
        )
        running.append(process)
        return process

    yield started
    for process in ours(folder):
        process.kill()
    for process in running:
        process.communicate()


def ours(folder: Path) -> list[psutil.Process]:
    """Returns the processes that descend from this test's command, whoever their parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("FAULTS") == str(folder) and process.status() != "zombie":
                found.append(process)
        except psutil.Error:
            continue
    return found


def until(claim: Callable[[], bool]) -> bool:
    """Returns whether the claim comes true within a time that no slow machine needs."""
    for _ in range(600):
        if claim():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("number", "status", "source"),
    [
        (signal.SIGTERM, 143, "waits"),
        (signal.SIGINT, 130, "fetched"),
        pytest.param(signal.SIGTERM, 143, "fetched", marks=[pytest.mark.slow, pytest.mark.ci]),
        pytest.param(signal.SIGINT, 130, "waits", marks=[pytest.mark.slow, pytest.mark.ci]),
    ],
)
def test_an_ended_evaluation_says_how_to_go_on_and_leaves_no_process(
    folder: Path, start: Start, number: signal.Signals, status: int, source: str
) -> None:
    process = start("eval", str(folder / f"{source}.toml"), "--out", str(folder / "run"))
    first = "waits" if source == "waits" else "client"
    assert until(lambda: (folder / first).exists() and (folder / "holds").exists())
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert "continues from here" in errors
    assert "Traceback" not in errors
    assert until(lambda: not ours(folder))


@pytest.mark.slow
@pytest.mark.ci
def test_a_killed_evaluation_leaves_no_process(folder: Path, start: Start) -> None:
    process = start("eval", str(folder / "fetched.toml"), "--out", str(folder / "run"))
    assert until(lambda: (folder / "client").exists() and (folder / "holds").exists())
    process.kill()
    process.communicate(timeout=60)
    assert until(lambda: not ours(folder))


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_ended_preparation_leaves_no_client(
    folder: Path, start: Start, number: signal.Signals, status: int
) -> None:
    process = start("data", "prepare", "fetching")
    assert until(lambda: (folder / "client").exists())
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert ("continues from here" in errors) == (number == signal.SIGTERM)
    assert until(lambda: not ours(folder))


@pytest.mark.slow
@pytest.mark.ci
def test_a_killed_client_is_started_once_more(folder: Path, start: Start) -> None:
    process = start("data", "prepare", "fetching")
    assert until(lambda: (folder / "client").exists() and (folder / "client").read_text() != "")
    os.kill(int((folder / "client").read_text()), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 1, "a domain without samples"
    assert [one.name for one in (folder / "data/archives").iterdir()] == ["slow.whl"]
    assert [one.name for one in (folder / "data").iterdir()] == ["archives"]


@pytest.mark.slow
@pytest.mark.ci
def test_no_interrupt_reaches_a_worker(folder: Path, start: Start) -> None:
    start("eval", str(folder / "waits.toml"), "--out", str(folder / "run"))
    assert until(lambda: (folder / "waits").exists() and (folder / "holds").exists())
    workers = [one for one in ours(folder) if "spawn_main" in " ".join(one.cmdline())]
    assert len(workers) == 2
    for worker in workers:
        status = Path(f"/proc/{worker.pid}/status").read_text()
        blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
        assert blocked >> (signal.SIGINT - 1) & 1


@pytest.mark.slow
@pytest.mark.ci
def test_a_command_that_swallows_its_interrupt_is_left_after_a_while(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "from harness.workers import termination\n"
        "termination.GRACE_SECONDS = 0.5\n"
        "termination.Termination().heed()\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "try:\n"
        "    print(child.pid, flush=True)\n"
        "    time.sleep(1000)\n"
        "except KeyboardInterrupt:\n"
        "    time.sleep(1000)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(process.stdout.readline()))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert not psutil.wait_procs([child], timeout=60)[1]
    process.communicate()


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_in_a_finaliser_is_not_lost(number: signal.Signals) -> None:
    script = (
        "import signal, sys, time, weakref\n"
        "from harness.workers.termination import Termination\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "Termination().heed()\n"
        "class Thing: pass\n"
        "thing = Thing()\n"
        f"kept = weakref.ref(thing, lambda gone: signal.raise_signal({int(number)}))\n"
        "try:\n"
        "    del thing\n"
        "    time.sleep(1000)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = python(script)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


@pytest.mark.slow
@pytest.mark.ci
def test_an_interrupt_while_the_command_is_imported_ends_without_a_traceback() -> None:
    script = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from harness.cli.start import main\n"
        "main()\n"
    )
    done = python(script)
    assert (done.returncode, done.stderr) == (130, "")
