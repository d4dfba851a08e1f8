"""What a unit's process takes, with all that it starts, and its end when that is too much."""

import multiprocessing
import os
from multiprocessing.connection import wait
from time import perf_counter

import psutil

from harness.identity.unit import AnyKind
from harness.study.settings import UnitLimit

GIB = 2.0**30
USUAL_SECONDS = 86_400.0
TRAINING_SECONDS = 7 * 86_400.0
"""What a unit that trains may take where no limit is given; others may take `USUAL_SECONDS`."""
STARTING_SECONDS = 600.0
"""What a process may take to start before its unit begins, unless the limit is larger."""
MEMORY_SHARE = 0.9
"""What a unit may hold of the machine's memory where no limit is given."""
LOOK_SECONDS = 0.25
LARGEST_SHARE = 0.05
"""Largest share of the time that goes into looking."""
STEP_SECONDS = 5.0
"""What counts at most between two looks, so that a suspended run wakes without a unit over its time."""


class Watch:
    """Time and resident memory of one unit; address-space limits would break torch."""

    def __init__(self, process: int, kind: AnyKind, limit: UnitLimit) -> None:
        self.process = process
        self.kind = kind
        self.seconds = 0.0
        self.has_begun = False
        self.gib = limit.memory_gib or MEMORY_SHARE * psutil.virtual_memory().total / GIB
        self.most = limit.seconds or (TRAINING_SECONDS if kind.trains else USUAL_SECONDS)
        self.tree: list[psutil.Process] = []
        self._looked = self._counted = perf_counter()
        self._pause = 0.0

    def begins(self) -> None:
        """Counts the time from here on."""
        self.has_begun, self.seconds = True, 0.0

    def exceeded(self) -> str | None:
        """Returns what the unit takes too much of, in one sentence; None where it may go on."""
        now = perf_counter()
        self.seconds += min(now - self._counted, STEP_SECONDS)
        self._counted = now
        allowed = self.most if self.has_begun else max(self.most, STARTING_SECONDS)
        if self.seconds > allowed:
            return (
                f"It ran for {self.seconds:.1f} seconds, over its {allowed:g}, and was ended; "
                f"raise limits.kinds.{self.kind}.seconds of the suite."
            )
        if now - self._looked < self._pause:
            return None
        self.tree = tree(self.process)
        held = sum(map(_resident, self.tree)) / GIB
        self._looked = perf_counter()
        self._pause = max(LOOK_SECONDS, (self._looked - now) / LARGEST_SHARE)
        if held <= self.gib:
            return None
        return (
            f"It held {held:.2f} GiB of memory, over its {self.gib:.3g}, and was ended; "
            f"raise limits.kinds.{self.kind}.memory_gib of the suite."
        )

    def end(self) -> None:
        """Ends the process with all that it started, also what a dead one left."""
        end_tree(self.process)
        _kill(self.tree)


def tree(process: int | None) -> list[psutil.Process]:
    """Returns a process and all that it started and that still runs; nothing when it is gone."""
    try:
        first = psutil.Process(process)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def end_tree(process: int | None) -> None:
    """Kills a process and all that it started."""
    _kill(tree(process))


def end_with_parent() -> None:
    """Waits for the end of the parent and ends this process with all that it started."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    end_children()
    os._exit(1)


def end_children() -> None:
    """Kills all that this process started."""
    _kill(tree(os.getpid())[1:])


def _kill(found: list[psutil.Process]) -> None:
    for one in found:
        try:
            one.kill()  # not one that has its number now
        except psutil.NoSuchProcess:
            continue


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it ended just now
        return 0
