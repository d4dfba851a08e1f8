"""Runs a plan's units on local processes; what has a valid record is not run again."""

import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from harness.errors import HarnessError
from harness.plan import Plan, Unit, unit_folder
from harness.records import Record, canonical_json, read_record, write_atomically
from harness.score_cache import sort_scores
from harness.walls import enter_worker

if TYPE_CHECKING:
    from harness.units import Place

Event = Literal["reused", "started", "finished"]
OnEvent = Callable[[Event, Unit, str, int], None]
"""Called with what happened, the unit, its status and the units still to do."""


TRAINING = ("supernet", "tune", "final", "scratch")
"""Kinds of units that processes share the batches of."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Units by how they ended: `ok` (of which `reused` were there before), `failed` and `skipped`."""

    ok: int
    reused: int
    failed: int
    skipped: int


def execute(
    plan: Plan, place: "Place", *, workers: int, on_event: OnEvent, together: bool = False
) -> Outcome:
    """Runs every unit that has no valid record.

    Args:
        plan: the units.
        place: where they run.
        workers: processes that are started, each of which runs a unit at a time.
        on_event: is told what happens.
        together: start no process and train with those that call `follow`, inside of `data_parallel`.

    Raises:
        KeyboardInterrupt: after the workers were stopped; what was finished is kept.
        HarnessError: a record cannot be read or written.
    """
    state = _State(plan, place)
    for unit in state.reused():
        on_event("reused", unit, "ok", len(state.waiting))
    pool = _Together(place) if together else _Pool(place, min(workers, max(1, len(state.waiting))))
    try:
        while state.waiting or pool.busy:
            for unit in state.blocked():
                state.skip(unit)
                on_event("finished", unit, "skipped", len(state.waiting) + len(pool.busy))
            while pool.idle and (ready := state.ready()) is not None:
                state.waiting.remove(ready)
                on_event("started", ready, "", len(state.waiting) + len(pool.busy))
                pool.submit(ready, {need: state.units[need] for need in ready.needs})
            if pool.busy:
                for unit, status in pool.finished():
                    state.status[unit.hash] = status
                    on_event("finished", unit, status, len(state.waiting) + len(pool.busy))
    finally:
        pool.stop()
    sort_scores(place.run)
    ended = list(state.status.values())
    return Outcome(
        ok=ended.count("ok"),
        reused=state.kept,
        failed=ended.count("failed"),
        skipped=ended.count("skipped"),
    )


def follow(place: "Place") -> None:
    """Trains with the process that calls `execute` until that is done; it alone keeps records."""
    from harness.peers import told
    from harness.units import perform

    while (task := told(None)) is not None:
        # What fails here fails there as well, and is recorded there.
        with suppress(Exception):
            perform(task[0], task[1], place)


@dataclass
class _State:
    plan: Plan
    place: "Place"
    units: dict[str, Unit] = field(init=False)
    status: dict[str, str] = field(default_factory=dict)
    waiting: list[Unit] = field(init=False)
    kept: int = 0

    def __post_init__(self) -> None:
        self.units = {unit.hash: unit for unit in self.plan.units}
        self.waiting = list(self.plan.units)

    def reused(self) -> list[Unit]:
        found = []
        for unit in self.plan.units:
            record = read_record(unit_folder(self.place.run, unit) / "record.json")
            if record is not None and record.status == "ok":
                self.status[unit.hash] = "ok"
                found.append(unit)
        self.waiting = [unit for unit in self.waiting if unit.hash not in self.status]
        self.kept = len(found)
        return found

    def ready(self) -> Unit | None:
        for unit in self.waiting:
            if all(self.status.get(need) == "ok" for need in unit.needs):
                return unit
        return None

    def blocked(self) -> list[Unit]:
        """Returns the waiting units that can never run, in plan order."""
        lost = {"failed", "skipped"}
        return [unit for unit in self.waiting if any(self.status.get(need) in lost for need in unit.needs)]

    def skip(self, unit: Unit) -> None:
        lost = next(need for need in unit.needs if self.status.get(need) in ("failed", "skipped"))
        cause = read_record(unit_folder(self.place.run, self.units[lost]) / "record.json")
        told = cause.reason if cause and cause.reason else "it has no record."
        if cause is None or cause.status == "failed":
            name = " ".join([self.units[lost].kind, str(self.units[lost].spec.get("domain") or "")]).strip()
            told = f"needs {name}, which failed: {told}"
        write_record(self.place.run, unit, "skipped", reason=told)
        self.status[unit.hash] = "skipped"
        self.waiting.remove(unit)


class _Pool:
    """Spawned processes with one pipe each; a killed parent takes them along."""

    def __init__(self, place: "Place", workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.processes = []
        self.idle: list[Connection] = []
        self.busy: dict[Connection, Unit] = {}
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, place), daemon=True)
            with _no_bars():
                process.start()
            theirs.close()
            self.processes.append(process)
            self.idle.append(ours)
        self.place = place

    def submit(self, unit: Unit, needs: Mapping[str, Unit]) -> None:
        connection = self.idle.pop(0)
        connection.send((unit, needs))
        self.busy[connection] = unit

    def finished(self) -> list[tuple[Unit, str]]:
        """Waits for at least one unit; a worker that died fails its unit and is not used again."""
        ended = []
        for connection in wait(list(self.busy), timeout=0.5):
            assert isinstance(connection, Connection)
            unit = self.busy.pop(connection)
            try:
                status, error = connection.recv()
                if error is not None:
                    raise HarnessError(error)
                self.idle.append(connection)
            except EOFError:
                reason = "The worker process died, perhaps for want of memory; run the command again."
                write_record(self.place.run, unit, "failed", reason=reason)
                status = "failed"
                if not self.idle and not self.busy:
                    raise HarnessError(reason) from None
            ended.append((unit, status))
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


class _Together:
    """This process, with its peers where a unit trains; the rest it does alone."""

    def __init__(self, place: "Place") -> None:
        self.place = place
        self.idle = [self]
        self.busy: list[tuple[Unit, Mapping[str, Unit]]] = []

    def submit(self, unit: Unit, needs: Mapping[str, Unit]) -> None:
        self.busy.append((unit, needs))
        self.idle.clear()

    def finished(self) -> list[tuple[Unit, str]]:
        """Does what was submitted."""
        from harness.peers import told

        unit, needs = self.busy.pop()
        if unit.kind in TRAINING:
            told((unit, needs))
        status = _run(unit, needs, self.place)
        self.idle.append(self)
        return [(unit, status)]

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


def _work(connection: Connection, place: "Place") -> None:
    """The life of a worker: one unit after another until the parent is gone."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    enter_worker(offline=place.data.offline)
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            unit, needs = connection.recv()
        except EOFError:
            return
        try:
            connection.send((_run(unit, needs, place), None))
        except HarnessError as error:
            connection.send(("failed", str(error)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _run(unit: Unit, needs: Mapping[str, Unit], place: "Place") -> str:
    import resource
    import socket

    from harness.units import perform, versions

    started = perf_counter()
    try:
        done = perform(unit, needs, place)
    except HarnessError as error:
        write_record(place.run, unit, "failed", reason=place.keys.hidden_in(str(error)))
        return "failed"
    except Exception as error:  # any failure of a unit is a row with a reason
        folder = unit_folder(place.run, unit)
        write_atomically(folder / "traceback.txt", place.keys.hidden_in(traceback.format_exc()))
        told = place.keys.hidden_in(str(error))
        reason = f"{type(error).__name__}: {told} (see {folder.name}/traceback.txt)."
        write_record(place.run, unit, "failed", reason=reason)
        return "failed"
    timing = {
        "seconds": perf_counter() - started,
        "parts": dict(done.seconds),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "host": socket.gethostname(),
    }
    folder = unit_folder(place.run, unit)
    write_atomically(folder / "timing.json", canonical_json(timing, indent=1) + "\n")
    write_record(place.run, unit, "ok", result=done.result, provenance=versions())
    return "ok"


def write_record(
    run: Path,
    unit: Unit,
    status: Literal["ok", "failed", "skipped"],
    *,
    reason: str | None = None,
    result: Mapping[str, object] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Writes the record of `unit`, the last thing a unit does."""
    record = Record(
        kind=unit.kind,
        hash=unit.hash,
        status=status,
        reason=reason,
        spec=unit.spec,
        result=result or {},
        provenance=provenance or {},
    )
    write_atomically(unit_folder(run, unit) / "record.json", record.to_json())


@contextmanager
def lock(run: Path) -> Iterator[None]:
    """Keeps a second `eval` out of the run folder, and clears what a killed one left half-written.

    Raises:
        HarnessError: another process holds the folder.
    """
    import fcntl

    try:
        run.mkdir(parents=True, exist_ok=True)
        file = (run / ".lock").open("w")
    except OSError as error:
        raise HarnessError(f"Cannot write {run}: {error.strerror}; choose another --out.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HarnessError(
                f"Another harness runs in {run}; wait for it or choose another --out."
            ) from None
        for part in run.rglob(".part-*"):
            part.unlink(missing_ok=True)
        yield
