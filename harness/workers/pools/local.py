"""A supervised pool of processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import HarnessError
from harness.files import is_missing_in, removed
from harness.guard.threads import one_thread
from harness.guard.tied import tie_to_parent
from harness.guard.walls import enter_worker
from harness.identity.memory import remember_in
from harness.identity.unit import AnyUnit, called
from harness.run.stored import write_record
from harness.study.settings import Limits
from harness.workers.pools.pool import Ended
from harness.workers.watch import Watch, end_tree, end_with_parent

if TYPE_CHECKING:
    from harness.run.place import Place
    from harness.workers.pools.pool import Perform

POLL_SECONDS = 0.2
GROW_SECONDS = 2.0
"""What units take together before a second process is started, which costs as much."""
TRIES = 2
"""How often a unit is begun whose process a signal ends."""


class _Task(NamedTuple):
    unit: AnyUnit
    needs: Mapping[str, AnyUnit]
    tries: int
    watch: Watch


@dataclass(eq=False)
class _Worker:
    process: SpawnProcess
    connection: Connection


class Local:
    """Spawned processes with one pipe each; a new one takes the place of one that died.

    This process watches what each takes and ends the unit that takes more than its limit; it fails alone. A
    killed parent takes the workers along.
    """

    def __init__(self, place: "Place", perform: "Perform", limits: Limits, *, workers: int) -> None:
        self.place = place
        self.perform = perform
        self.limits = limits
        self.folder = os.open(place.run, os.O_RDONLY)
        self.most = workers
        self.idle = [self._started()] if workers else []
        self.busy: dict[_Worker, _Task] = {}
        self._begun: float | None = None  # since when units are done that one more worker could have shared

    def submit(self, unit: AnyUnit, needs: Mapping[str, AnyUnit]) -> None:
        """Gives `unit` to an idle worker."""
        self._begin(self.idle.pop(0), unit, needs, tries=1)

    def grow(self) -> None:
        """Starts one more worker, as far as may be, where more wait than a few moments' work."""
        begun = self._begun
        is_long = begun is not None and perf_counter() - begun > GROW_SECONDS
        if is_long and len(self.busy) + len(self.idle) < self.most:
            self.idle.append(self._started())

    def finished(self) -> list[Ended]:
        """Waits for a moment, or until a worker says something, and returns the units that ended."""
        if not _is_same(self.folder, self.place.run):
            raise removed(self.place.run)
        heard = wait([worker.connection for worker in self.busy], timeout=POLL_SECONDS)
        ended = []
        for worker, task in list(self.busy.items()):
            speaks = worker.connection in heard or not worker.process.is_alive()
            one = self._answer(worker, task) if speaks else self._over(worker, task)
            if one is not None:
                ended.append(one)
        return ended

    def abandon(self, unit: AnyUnit) -> None:
        """Ends a unit that runs, of which nothing is recorded."""
        for worker, task in list(self.busy.items()):
            if task.unit.hash == unit.hash:
                self._stopped(worker, task)

    def stop(self) -> None:
        """Ends idle workers by closing their pipes, and busy ones at once, with what they started."""
        for worker in self.busy:
            end_tree(worker.process.pid)
        for worker in self.idle:
            worker.connection.close()
        for worker in [] if self.busy else self.idle:
            worker.process.join(timeout=5)
        for worker in (*self.idle, *self.busy):
            worker.process.kill()
            worker.process.join()
        os.close(self.folder)

    def _started(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.place, self.perform), daemon=True)
        with _quiet():
            resource_tracker.ensure_running()  # it would undo what follows
            one_thread()
            # What a process inherits holds from its first moment on: an interrupt is for this one alone.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                process.start()
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        theirs.close()
        return _Worker(process, ours)

    def _begin(self, worker: _Worker, unit: AnyUnit, needs: Mapping[str, AnyUnit], *, tries: int) -> None:
        """Lets the worker, or a new one in its place, do the unit."""
        try:
            worker.connection.send((unit, needs))
        except OSError:  # it died, or was ended
            worker = self._started()
            worker.connection.send((unit, needs))
        assert worker.process.pid is not None
        watch = Watch(worker.process.pid, unit.kind, self.limits.of(unit.kind.name))
        self.busy[worker] = _Task(unit, needs, tries, watch)

    def _answer(self, worker: _Worker, task: _Task) -> Ended | None:
        """Takes what a worker says, or its death; None where its unit goes on."""
        try:
            said, text = worker.connection.recv() if worker.connection.poll() else ("died", "")
        except (EOFError, OSError):
            said, text = "died", ""
        if said == "begins":
            self._begun = self._begun or perf_counter()
            task.watch.begins()
            return None
        if said == "died":
            return self._after_death(worker, task)
        if said == "stopped":
            raise HarnessError(text)
        self._free(worker)
        return self._failed(task.unit, text) if said == "raised" else Ended(task.unit, text)

    def _after_death(self, worker: _Worker, task: _Task) -> Ended | None:
        worker.process.join()
        task.watch.end()
        code = worker.process.exitcode or 0
        self._free(worker)
        if code < 0 and task.tries < TRIES:
            self.idle.remove(worker)
            self._begin(worker, task.unit, task.needs, tries=task.tries + 1)
            return None
        return self._failed(task.unit, _cause(code))

    def _over(self, worker: _Worker, task: _Task) -> Ended | None:
        """Ends a unit that takes more than its limit; None where it goes on."""
        reason = task.watch.exceeded()
        if reason is None:
            return None
        self._stopped(worker, task)
        return self._failed(task.unit, reason)

    def _failed(self, unit: AnyUnit, reason: str) -> Ended:
        """Records the failure of a unit that could not do so itself."""
        write_record(self.place.run, unit, "failed", reason=self.place.keys.hidden_in(reason))
        return Ended(unit, "failed")

    def _stopped(self, worker: _Worker, task: _Task) -> None:
        task.watch.end()
        worker.process.join()
        self._free(worker)

    def _free(self, worker: _Worker) -> None:
        """Makes the worker's place idle; a dead one is replaced when the place is needed."""
        del self.busy[worker]
        if not worker.process.is_alive():
            worker.connection.close()
        self.idle.append(worker)


def _is_same(folder: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(folder), os.stat(path))
    except OSError:
        return False


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences progress bars and what Python says of ended workers, in processes that start inside."""
    own = [os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"]
    before = dict(os.environ)
    os.environ |= {"TQDM_DISABLE": "1", "PYTHONWARNINGS": ",".join(filter(None, own))}
    try:
        yield
    finally:
        for name in ("TQDM_DISABLE", "PYTHONWARNINGS"):
            os.environ.pop(name)
        os.environ |= before


def _cause(code: int) -> str:
    if code >= 0:
        return f"It ended its worker process with exit status {code}; what it runs must raise instead."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    why = ", perhaps for want of memory; use fewer --workers or" if -code == signal.SIGKILL else ";"
    return f"Its worker process was ended by {name}, and again when it was tried again{why} run it again."


def _work(connection: Connection, place: "Place", perform: "Perform") -> None:
    """The life of a worker: one unit after another until the parent is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    assert parent.pid is not None
    tie_to_parent(parent.pid)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=end_with_parent, daemon=True).start()
    enter_worker(offline=place.data.offline)
    remember_in(place.data.folder)
    while True:
        try:
            unit, needs = connection.recv()
            with suppress(Exception):  # the unit will say what is wrong
                called(unit.kind.work)  # imports what it runs, which is no part of its time
            connection.send(("begins", ""))
        except (EOFError, OSError):
            return
        try:
            answer = ("ended", perform(unit, needs, place))
        except HarnessError as error:  # no record can be written
            answer = ("stopped", str(removed(place.run) if is_missing_in(place.run, error) else error))
        except BaseException as error:  # whatever a unit raises, the worker goes on
            answer = ("raised", f"{type(error).__name__}: {error}.")
        connection.send(answer)
