"""Processes that perform units: a pool of workers, or this process with its peers."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import HarnessError
from harness.plan import Unit

if TYPE_CHECKING:
    from harness.units import Place

    Perform = Callable[[Unit, Mapping[str, Unit], Place], str]
    """Does a unit's work, keeps its record, and returns its status; a module's function, as it is pickled."""

TRAINING = ("supernet", "tune", "final", "scratch")
"""Kinds of units that processes share the batches of."""


class Ended(NamedTuple):
    """A unit that a pool is done with; a `reason` is there where it left no record of its failure."""

    unit: Unit
    status: str
    reason: str | None = None


class Pool:
    """Spawned processes with one pipe each; a killed parent takes them along."""

    def __init__(self, place: "Place", perform: "Perform", *, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.processes = []
        self.idle: list[Connection] = []
        self.busy: dict[Connection, Unit] = {}
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, place, perform), daemon=True)
            with _no_bars():
                process.start()
            theirs.close()
            self.processes.append(process)
            self.idle.append(ours)

    def submit(self, unit: Unit, needs: Mapping[str, Unit]) -> None:
        connection = self.idle.pop(0)
        connection.send((unit, needs))
        self.busy[connection] = unit

    def finished(self) -> list[Ended]:
        """Waits for at least one unit; a worker that died fails its unit and is not used again."""
        ended = []
        for connection in wait(list(self.busy), timeout=0.5):
            assert isinstance(connection, Connection)
            unit = self.busy.pop(connection)
            reason = None
            try:
                status, error = connection.recv()
                if error is not None:
                    raise HarnessError(error)
                self.idle.append(connection)
            except EOFError:
                reason = "The worker process died, perhaps for want of memory; run the command again."
                status = "failed"
                if not self.idle and not self.busy:
                    raise HarnessError(reason) from None
            ended.append(Ended(unit, status, reason))
        return ended

    def stop(self) -> None:
        """Ends idle workers by closing their pipes, and busy ones at once."""
        if not self.busy:
            for connection in self.idle:
                connection.close()
            for process in self.processes:
                process.join(timeout=5)
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()


class Together:
    """This process, with its peers where a unit trains; the rest it does alone."""

    def __init__(self, place: "Place", perform: "Perform") -> None:
        self.place = place
        self.perform = perform
        self.idle = [self]
        self.busy: list[tuple[Unit, Mapping[str, Unit]]] = []

    def submit(self, unit: Unit, needs: Mapping[str, Unit]) -> None:
        self.busy.append((unit, needs))
        self.idle.clear()

    def finished(self) -> list[Ended]:
        """Does what was submitted."""
        from harness.peers import told

        unit, needs = self.busy.pop()
        if unit.kind in TRAINING:
            told((unit, needs))
        status = self.perform(unit, needs, self.place)
        self.idle.append(self)
        return [Ended(unit, status)]

    def stop(self) -> None:
        """Lets the peers go."""
        from harness.peers import told

        told(None)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Silences the progress bars of packages in processes that start inside; tqdm reads this on import."""
    before = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TQDM_DISABLE"]
        else:
            os.environ["TQDM_DISABLE"] = before


def _work(connection: Connection, place: "Place", perform: "Perform") -> None:
    """The life of a worker: one unit after another until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            unit, needs = connection.recv()
        except EOFError:
            return
        try:
            connection.send((perform(unit, needs, place), None))
        except HarnessError as error:
            connection.send(("failed", str(error)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
