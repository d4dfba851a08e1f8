"""Ends commands, their workers and their fetch clients at random moments, and lets the same command go on.

    python benchmarks/faults.py --moments 50

Three toy suites of a few seconds (fetched data and floors, trained networks, searches in a table) are begun
in fresh folders; SIGKILL, SIGTERM and SIGINT reach the command, up to three times, a worker or the client
that fetches, before the command is let go on to its end. Prints, per signal and target, how often it was
tried, how often the end was that of an undisturbed run, byte for byte in records, artifacts, board and data
cache, and how often it was lost: other bytes, a traceback, another exit status, or a process that stays. Exit
status 1 when one was lost.
"""

import argparse
import os
import random
import signal
import subprocess  # this script runs the harness itself  # nosec B404
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil

from harness.run.stored import APART

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [
    *(sys.executable, "-c"),
    # What a shell starts in the background ignores interrupts.
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from harness.cli.start import main; main()",
]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TARGETS = ("command", "worker", "client")
ENDS_SECONDS = 30.0
"""How long a command may take to end after SIGTERM or SIGINT, on a busy machine."""
CONTENT = bytes(range(256)) * 64
TASK = f"""
import hashlib
import numpy as np
from harness.task.task import Archive, Domain, Sample, Task; from harness.task.signature import Signature

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
study = "trained"
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


class Disturbed(NamedTuple):
    """How a command ended that was disturbed, and what is wrong with that, empty for nothing."""

    status: int
    wrong: str


Moment = tuple[signal.Signals, str]
"""A signal and its target."""


@dataclass
class Tally:
    """What was tried, and what was lost."""

    tried: Counter[Moment] = field(default_factory=Counter)
    lost: Counter[Moment] = field(default_factory=Counter)
    rounds: int = 0

    def add(self, suite: str, met: Sequence[Moment], wrong: str) -> None:
        """Counts one round."""
        self.rounds += 1
        self.tried.update(met)
        if wrong:
            self.lost.update(set(met))
            print(f"LOST {suite} {[(one.name, target) for one, target in met]}: {wrong}", flush=True)
        if self.rounds % 10 == 0:
            print(f"{self.tried.total()} moments tried", flush=True)

    def tell(self) -> int:
        """Prints the table and returns the exit status."""
        for moment in [(number, target) for number in SIGNALS for target in TARGETS]:
            tried, lost = self.tried[moment], self.lost[moment]
            name, target = moment[0].name, moment[1]
            print(f"{name:7} {target:7} tried {tried:3}  same bytes {tried - lost:3}  lost {lost:3}")
        tried, lost = self.tried.total(), self.lost.total()
        print(f"all: tried {tried}, resumed to the same bytes {tried - lost}, lost {lost}", flush=True)
        return 1 if lost else 0


@dataclass(frozen=True)
class Scene:
    """Where a suite runs: a run folder and a data cache of its own, and processes that are known by it."""

    home: Path
    place: Path
    suite: str

    def start(self) -> "subprocess.Popen[bytes]":
        """Starts the command."""
        words = ["eval", str(self.home / f"{self.suite}.toml"), "--out", str(self.place / "run")]
        return subprocess.Popen(  # the harness itself  # nosec B603
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
            "HARNESS_CACHE_GIB": "0",
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
        files = [file for file in self.place.rglob("*") if file.is_file() and file.name not in APART]
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
) -> Disturbed | None:
    """Runs the command and sends the signal at a moment; None when no target was there before it ended."""
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
        return Disturbed(1, f"did not end after {number.name}")
    status = process.returncode
    return Disturbed(status, _wrong(scene, status, errors.decode(errors="replace"), number, target))


def _wrong(scene: Scene, status: int, errors: str, number: signal.Signals, target: str) -> str:
    allowed = {0, 1} if target != "command" else {-number} if number == signal.SIGKILL else {128 + number, 0}
    if target == "command":
        allowed.add(-number)  # before the command heeds it, or when it has ended and Python has not
    for _ in range(50):
        if not scene.processes():
            break
        time.sleep(0.1)
    left = [" ".join(one.cmdline())[:80] for one in scene.processes()]
    if left:
        return f"left {left}"
    if status not in allowed:
        return f"ended with {status}: {errors[-300:]}"
    return f"told {errors[errors.index('Traceback') :][:600]}" if "Traceback" in errors else ""


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
    left = [(number, TARGETS[index % 3]) for number in SIGNALS for index in range(chosen.moments)]
    draw.shuffle(left)
    tally = Tally()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder, _until_interrupted():
        home = Path(folder)
        prepare(home)
        whole = {suite: undisturbed(home, suite) for suite in SUITES}
        for suite, (files, seconds) in whole.items():
            print(f"undisturbed {suite}: {seconds:.1f} s, {len(files)} files", flush=True)
        while left:
            moments, suite = _drawn(left, draw)
            scene = Scene(home, home / f"round {tally.rounds}", suite)
            met, wrong = _round(scene, moments, whole[suite], draw)
            tally.add(suite, met, wrong)
            for one in met:
                left.remove(one)
    return tally.tell()


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """Lets what was counted be told after an interrupt, and ends what runs."""
    try:
        yield
    except KeyboardInterrupt:
        for process in psutil.Process().children(recursive=True):
            process.kill()


def _drawn(left: Sequence[Moment], draw: random.Random) -> tuple[list[Moment], str]:
    """Returns the moments of one round, and its suite."""
    of = {target: [one for one in left if one[1] == target] for target in TARGETS}
    moments = [*of["command"][: draw.randint(0, 3)], *of["worker"][:1]] or of["command"][:1]
    if of["client"] and (not moments or draw.random() < 0.5):
        moments = of["client"][:1]
    suite = draw.choices(list(SUITES), SHARES)[0]
    return moments, "floors" if suite == "lookup" and moments[0][1] == "client" else suite


def _round(
    scene: Scene,
    moments: Sequence[Moment],
    whole: tuple[dict[str, bytes], float],
    draw: random.Random,
) -> tuple[list[Moment], str]:
    """Disturbs one run at some moments and lets it go on to its end.

    Returns:
        What was met, and what went wrong, empty for nothing.
    """
    met: list[Moment] = []
    wrong = ""
    is_whole = False
    for number, target in moments:
        found = disturb(scene, number, target, whole[1], draw)
        if found is None:  # it ended before
            is_whole = True
            break
        met.append((number, target))
        wrong = wrong or found.wrong
        is_whole = found.status == 0
        if is_whole:
            break
    if not is_whole:
        process = scene.start()
        errors = process.communicate()[1].decode(errors="replace")
        if process.returncode != 0:
            return met, wrong or f"the same command ended with {process.returncode}: {errors[-300:]}"
    results = scene.results()
    different = sorted(name for name in {*results, *whole[0]} if results.get(name) != whole[0].get(name))
    return met, wrong or (f"different: {', '.join(different[:5])}" if different else "")


if __name__ == "__main__":
    raise SystemExit(main())
