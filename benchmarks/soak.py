"""Carries out chains of small units by several processes, disturbs them at random, and counts what was lost.

    python benchmarks/soak.py --minutes 120 [--executors shared ray]

A round has a run folder of its own. `shared`: three processes under leases, which are killed and begun
anew, suspended for longer than a lease lives, robbed of a lease, or find the disk full (where a tmpfs can
be mounted, as root or under `unshare -rm`). `ray`: a cluster of two nodes, of which one is killed and
replaced, or the process that gives it its units. Then the same command goes on undisturbed. At the end no
unit may lack its record, all bytes must be those of an undisturbed run, the same command must do nothing
more, and no more units may have begun again than were in flight at a disturbance. Exit status 1 where
that does not hold.
"""

import argparse
import os
import random
import signal
import subprocess  # it runs this checkout by words of its own  # nosec B404
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "tests" / "sharing.py"
PROCESSES = 3
CHAINS = 12
LINKS = 3
SECONDS = 0.15
STALE_SECONDS = 4.0
"""As tests/sharing.py sets it."""
DISTURBED_SECONDS = 12.0
ENDS_SECONDS = 120.0
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
    "OMP_NUM_THREADS": "1",
    "RAY_DEDUP_LOGS": "0",
}


@dataclass
class Round:
    """A run folder and its processes.

    Attributes:
        place: where the folder and the log of what began lie.
        more: words of the command beside the folder and the log.
        spared: units that may have begun once more by what was done to the processes so far.
        running: the processes.
    """

    place: Path
    more: tuple[str, ...]
    spared: int = 0
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def run(self) -> Path:
        return self.place / "run"

    def start(self, *more: str) -> "subprocess.Popen[bytes]":
        """Starts one more process."""
        words = [self.run, self.place.parent / f"{self.place.name}.log", "--chains", CHAINS]
        words += ["--seconds", SECONDS, *self.more, *more]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(  # its own words  # nosec B603
            [sys.executable, str(SCRIPT), *map(str, words)], env=ENVIRONMENT, stdout=quiet, stderr=quiet
        )
        self.running.append(process)
        return process

    def begun(self) -> Counter[str]:
        """Returns how often each unit began."""
        log = self.place.parent / f"{self.place.name}.log"
        return Counter(log.read_text().split() if log.exists() else [])

    def results(self) -> dict[str, bytes]:
        """Returns what must not depend on how the run went."""
        files = [*self.run.glob("units/*/record.json"), *self.run.glob("units/*/length.txt")]
        return {str(file.relative_to(self.run)): file.read_bytes() for file in files}


def killed(one: Round, draw: random.Random) -> None:
    """Kills a process and what it started, and begins another."""
    process = draw.choice(one.running)
    one.running.remove(process)
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
    process.kill()
    process.wait()
    one.spared += 1
    one.start()


def suspended(one: Round, draw: random.Random) -> None:
    """Suspends a process for longer than its leases live; its worker goes on."""
    process = draw.choice(one.running)
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        time.sleep(STALE_SECONDS + 1)
        process.send_signal(signal.SIGCONT)
        one.spared += 1


def robbed(one: Round, draw: random.Random) -> None:
    """Takes a lease away."""
    found = list(one.run.glob(".leases/*"))
    if found:
        draw.choice(found).unlink(missing_ok=True)
        one.spared += 1


def filled(one: Round, draw: random.Random) -> None:
    """Fills the disk for a moment; processes that ended by it are begun anew."""
    filler = one.place / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    time.sleep(draw.uniform(0.1, STALE_SECONDS))
    filler.unlink()
    one.spared += PROCESSES
    for process in [process for process in one.running if process.poll() is not None]:
        one.running.remove(process)
        one.start()


@contextmanager
def disk(place: Path) -> Iterator[bool]:
    """Mounts a small disk at a place, and yields whether it could."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    done = subprocess.run(mount, check=False, capture_output=True)  # the system's own  # nosec B603
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", str(place)], check=False)  # nosec B603 B607


def shared(place: Path, draw: random.Random, tried: Counter[str]) -> str:
    """Disturbs processes that share a folder; returns what is wrong at the end, empty for nothing."""
    with disk(place) as has_disk:
        one = Round(place, ())
        kinds: list[Callable[[Round, random.Random], None]] = [killed, suspended, robbed]
        kinds += [filled] if has_disk else []
        for _ in range(PROCESSES):
            one.start()
        until = time.monotonic() + DISTURBED_SECONDS
        while time.monotonic() < until and any(process.poll() is None for process in one.running):
            time.sleep(draw.uniform(0.2, 2.0))
            kind = draw.choice(kinds)
            kind(one, draw)
            tried[kind.__name__] += 1
        return ended(one)


def on_ray(place: Path, draw: random.Random, tried: Counter[str]) -> str:
    """Disturbs a cluster of two nodes; returns what is wrong at the end, empty for nothing."""
    from ray.cluster_utils import Cluster

    place.mkdir()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        node = cluster.add_node(num_cpus=2)
        one = Round(place, ("--ray", cluster.address))
        one.start()
        for _ in range(draw.randint(1, 2)):
            time.sleep(draw.uniform(4.0, 9.0))
            if one.running[0].poll() is not None:
                break
            if draw.random() < 0.5:
                cluster.remove_node(node, allow_graceful=False)
                node = cluster.add_node(num_cpus=2)
                tried["node"] += 1
                one.spared += 2
            else:
                killed(one, draw)
                tried["driver"] += 1
                one.spared += 2
        return ended(one)
    finally:
        cluster.shutdown()


def ended(one: Round) -> str:
    """Lets the processes end, and the same command go on; returns what is wrong then."""
    statuses = []
    for process in one.running:
        try:
            statuses.append(process.wait(timeout=ENDS_SECONDS))
        except subprocess.TimeoutExpired:
            process.kill()
            return "a process did not end"
    one.running.clear()
    if 0 not in statuses and one.start().wait(timeout=ENDS_SECONDS) != 0:
        return f"the same command did not end well after {statuses}"
    began = one.begun()
    one.more = ("--plain",)
    if one.start().wait(timeout=ENDS_SECONDS) != 0:
        return "the command of one process did not end well"
    again = one.begun().total() - began.total()
    twice = began.total() - CHAINS * LINKS
    whole = Round(one.place.parent / f"{one.place.name} whole", ("--plain",))
    whole.place.mkdir()
    different = differing(one, whole)
    wrong = [f"{again} units were done once more in the end"] * bool(again)
    wrong += [f"{twice} units began again where {one.spared} may have"] * (twice > one.spared)
    wrong += [f"different: {different}"] * bool(different)
    return "; ".join(wrong)


def differing(one: Round, whole: Round) -> str:
    """Returns what differs from an undisturbed run, whose log is the same, as its path stands in records."""
    log = one.place.parent / f"{one.place.name}.log"
    kept = log.read_bytes()
    words = [whole.run, log, "--chains", CHAINS, "--seconds", SECONDS, "--plain"]
    subprocess.run(  # its own words  # nosec B603
        [sys.executable, str(SCRIPT), *map(str, words)], env=ENVIRONMENT, check=True
    )
    log.write_bytes(kept)
    first, second = one.results(), whole.results()
    names = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    return ", ".join(names[:4])


EXECUTORS = {"shared": shared, "ray": on_ray}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--executors", nargs="+", choices=EXECUTORS, default=list(EXECUTORS))
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    os.environ |= ENVIRONMENT
    draw = random.Random(chosen.seed)
    tried: Counter[str] = Counter()
    rounds, lost = 0, 0
    until = time.monotonic() + 60 * chosen.minutes
    while time.monotonic() < until:
        name = chosen.executors[rounds % len(chosen.executors)]
        with tempfile.TemporaryDirectory() as folder:
            wrong = EXECUTORS[name](Path(folder) / "round", draw, tried)
        rounds += 1
        lost += bool(wrong)
        print(f"{rounds} {name}: {wrong or 'same bytes'} {dict(tried)}", flush=True)
    units = rounds * CHAINS * LINKS
    told = f"{rounds} rounds of {units} units, {tried.total()} disturbances {dict(tried)}"
    print(f"{told}: rounds that lost something or did it twice: {lost}")
    return int(lost > 0)


if __name__ == "__main__":
    raise SystemExit(main())
