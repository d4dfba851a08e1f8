"""Ends commands, their workers and their fetch clients at random moments, and lets the same command go on.

    python benchmarks/faults.py --moments 50

Three toy suites of a few seconds (fetched data and floors, trained networks, searches in a table) are begun
in fresh folders; SIGKILL, SIGTERM and SIGINT reach the command, a worker or the client that fetches, one to
three times before the command is let go on to its end. Prints, per signal and target, how often it was tried,
how often the end was that of an undisturbed run, byte for byte in records, artifacts, board and data cache,
and how often it was lost: other bytes, a traceback, another exit status, or a process that stays. Exit status
1 when one was lost.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [
    *(sys.executable, "-c"),
    # What a shell starts in the background ignores interrupts.
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from harness.cli import main; main()",
]
NOT_COMPARED = {"timing.json", ".lock", "report.html", "report.md"}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TARGETS = ("command", "worker", "client")
ENDS_SECONDS = 30.0
"""How long a command may take to end after SIGTERM or SIGINT, on a busy machine."""
CONTENT = bytes(range(256)) * 64
TASK = f"""
import hashlib
import numpy as np
from harness.task import Archive, Domain, Sample, Signature, Task

def reads(seed):
    def read(archives):
        first = next(iter(archives.values())).read_bytes() if archives else b""
        draw = np.random.default_rng(seed + len(first))
        for index in range(160):
            image = draw.integers(0, 80, (1, 8, 8)) + 40 * (index % 4)
            yield Sample(image.astype(np.uint8).tobytes(), index % 4, f"group {{index % 40}}")
    return read

def archive(name):
    hashed = {__import__("hashlib").sha256(CONTENT).hexdigest()!r}
    return Archive(registry="pypi", name=name, version="1", filename=f"{{name}}-1.whl", sha256=hashed)

def domain(name, seed, **more):
    return Domain(name=name, origin=name, licence="CC0", groups="index", read=reads(seed), **more)

TASK = Task(
    summary="Four grey levels under noise, two of the domains fetched.",
    signature=Signature(kind="image", classes=4, channels=1, height=8, width=8),
    metric="balanced_accuracy",
    chance=0.25,
    domains=(
        domain("near", 1, archives=(archive("near"),)),
        domain("other", 2),
        domain("far", 3, archives=(archive("far"),)),
    ),
    sources=("near", "other"),
    held_out=("far",),
    class_names=("a", "b", "c", "d"),
)
"""
CLIENT = """
import pathlib, sys, time
time.sleep(0.4)
folder, name = sys.argv[sys.argv.index("--dest") + 1], sys.argv[-1].partition("==")[0]
with (pathlib.Path(folder) / f"{name}-1.whl").open("wb") as file:
    for part in range(4):
        file.write(bytes(range(256)) * 16)
        file.flush()
        time.sleep(0.1)
"""
TRAINED = """
title = "Faults"
seeds = [0, 1]
baselines = [BASELINES]
tuned_space = "hybrid:micro-attention"
reference = "floor"
claim = { method = "floor" }
[[tasks]]
name = "faulted"
validation_samples = 20
test_samples = 20
training = { steps = 4, batch_size = 8 }
"""
LOOKUP = """
extends = "toy_lookup"
repeats = 2
searchers = ["random_search", "local_search"]
"""
WORKERS = {"floors": 1, "networks": 2, "lookup": 1}
SHARES = (6, 1, 3)
"""How often each suite is drawn."""
SUITES = {
    "floors": TRAINED.replace("BASELINES", '"floor"'),
    "networks": TRAINED.replace("BASELINES", '"floor", "default"'),
    "lookup": LOOKUP,
}


@dataclass(frozen=True)
class Scene:
    """Where a suite runs: a run folder and a data cache of its own, and processes that are known by it."""

    home: Path
    place: Path
    suite: str

    def start(self) -> "subprocess.Popen[bytes]":
        """Starts the command."""
        words = ["eval", str(self.home / f"{self.suite}.toml"), "--out", str(self.place / "run")]
        return subprocess.Popen(
            [*COMMAND, *words, "--workers", str(WORKERS[self.suite])],
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def environment(self) -> dict[str, str]:
        """Returns the environment of the command."""
        catalogs = [str(self.home / "catalog"), str(ROOT / "tests/toy")]
        return os.environ | {
            "HARNESS_CATALOG": os.pathsep.join(catalogs),
            "HARNESS_DATA": str(self.place / "data"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(self.home / "stand-in"), str(ROOT)]),
        }

    def processes(self) -> list[psutil.Process]:
        """Returns the processes of the command that still run, whoever their parent is now."""
        found = []
        for process in psutil.process_iter():
            try:
                is_ours = process.environ().get("HARNESS_DATA") == str(self.place / "data")
                if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def results(self) -> dict[str, bytes]:
        """Returns path -> bytes of all that must not depend on how the run went."""
        files = [file for file in self.place.rglob("*") if file.is_file() and file.name not in NOT_COMPARED]
        return {str(file.relative_to(self.place)): file.read_bytes() for file in files}


def prepare(home: Path) -> None:
    """Writes the catalog, the suites and the client that stands in for pip."""
    (home / "catalog/tasks").mkdir(parents=True)
    (home / "catalog/tasks/faulted.py").write_text(TASK)
    (home / "stand-in/pip").mkdir(parents=True)
    (home / "stand-in/pip/__init__.py").touch()
    (home / "stand-in/pip/__main__.py").write_text(CLIENT)
    for name, text in SUITES.items():
        (home / f"{name}.toml").write_text(text)


def target_of(process: "subprocess.Popen[bytes]", target: str, draw: random.Random) -> psutil.Process | None:
    """Returns the process to end, or None where there is none of that kind now."""
    try:
        command = psutil.Process(process.pid)
        if target == "command":
            return command
        children = command.children(recursive=True)
        words = [(child, " ".join(child.cmdline())) for child in children]
    except psutil.NoSuchProcess:
        return None
    wanted = "spawn_main" if target == "worker" else "-m pip download"
    found = [child for child, text in words if wanted in text]
    return draw.choice(found) if found else None


def disturb(
    scene: Scene, number: signal.Signals, target: str, seconds: float, draw: random.Random
) -> str | None:
    """Runs the command and sends the signal at a moment.

    Returns:
        Nothing when no target was there before the command ended, else what went wrong, empty for nothing.
    """
    process = scene.start()
    at = time.monotonic() + draw.uniform(0.05, 0.6 if target == "client" else seconds)
    victim = None
    while process.poll() is None:
        if (target == "client" or time.monotonic() >= at) and (victim := target_of(process, target, draw)):
            break
        time.sleep(0.01)
    if victim is None:
        process.communicate()
        return None
    if target == "client":
        time.sleep(draw.uniform(0, 0.8))
    try:
        victim.send_signal(number)
    except psutil.NoSuchProcess:
        process.communicate()
        return None
    try:
        errors = process.communicate(timeout=ENDS_SECONDS if target == "command" else 20 * seconds + 60)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"did not end after {number.name}"
    return _wrong(scene, process.returncode, errors.decode(errors="replace"), number, target)


def _wrong(scene: Scene, status: int, errors: str, number: signal.Signals, target: str) -> str:
    allowed = {0, 1} if target != "command" else {-number} if number == signal.SIGKILL else {128 + number, 0}
    if target == "command" and number == signal.SIGTERM:
        allowed.add(-number)  # before the command heeds it
    for _ in range(50):
        if not scene.processes():
            break
        time.sleep(0.1)
    left = [" ".join(one.cmdline())[:80] for one in scene.processes()]
    if left:
        return f"left {left}"
    if status not in allowed:
        return f"ended with {status}: {errors[-300:]}"
    return f"told: {errors[-300:]}" if "Traceback" in errors and "harness" in errors else ""


def undisturbed(home: Path, suite: str) -> tuple[dict[str, bytes], float]:
    """Returns what a suite leaves, and the seconds it took with its data fetched."""
    scene = Scene(home, home / "whole" / suite, suite)
    started = time.monotonic()
    process = scene.start()
    errors = process.communicate()[1]
    assert process.returncode == 0, errors.decode()
    return scene.results(), time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--moments", type=int, default=50, help="of each signal")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    draw = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prepare(home)
        whole = {suite: undisturbed(home, suite) for suite in SUITES}
        for suite, (files, seconds) in whole.items():
            print(f"undisturbed {suite}: {seconds:.1f} s, {len(files)} files", flush=True)
        left = [(number, TARGETS[index % 3]) for number in SIGNALS for index in range(chosen.moments)]
        draw.shuffle(left)
        tried: Counter[tuple[str, str]] = Counter()
        lost: Counter[tuple[str, str]] = Counter()
        rounds = 0
        while left:
            rounds += 1
            suite = draw.choices(list(SUITES), SHARES)[0]
            scene = Scene(home, home / f"round {rounds}", suite)
            met, wrong = _round(scene, left, whole[suite], draw)
            tried.update(met)
            if wrong:
                lost.update(met)
                print(f"LOST {suite} {met}: {wrong}", flush=True)
    return _tell(tried, lost)


def _round(
    scene: Scene,
    left: list[tuple[signal.Signals, str]],
    whole: tuple[dict[str, bytes], float],
    draw: random.Random,
) -> tuple[Sequence[tuple[str, str]], str]:
    """Disturbs one run up to three times and lets it go on; returns what it met and what went wrong."""
    met: list[tuple[str, str]] = []
    wrong = ""
    for _ in range(draw.randint(1, 3)):
        fitting = [one for one in left if one[1] != "client" or scene.suite != "lookup"]
        if not fitting:
            break
        number, target = fitting[0]
        found = disturb(scene, number, target, whole[1], draw)
        if found is None:  # what was finished before has no such process
            break
        left.remove((number, target))
        met.append((number.name, target))
        wrong = wrong or found
    process = scene.start()
    errors = process.communicate()[1].decode(errors="replace")
    if process.returncode != 0:
        return met, wrong or f"the same command ended with {process.returncode}: {errors[-300:]}"
    results = scene.results()
    different = sorted(name for name in {*results, *whole[0]} if results.get(name) != whole[0].get(name))
    return met, wrong or (f"different: {', '.join(different[:5])}" if different else "")


def _tell(tried: Counter[tuple[str, str]], lost: Counter[tuple[str, str]]) -> int:
    for number in SIGNALS:
        for target in TARGETS:
            key = (number.name, target)
            same = tried[key] - lost[key]
            print(f"{number.name:7} {target:7} tried {tried[key]:3}  same bytes {same:3}  lost {lost[key]:3}")
    total = tried.total()
    print(f"all: tried {total}, resumed to the same bytes {total - lost.total()}, lost {lost.total()}")
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
