"""Runs a plan's units on local processes; what has a valid record is not run again."""

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from harness.errors import HarnessError
from harness.plan import Plan, Unit, unit_folder
from harness.records import Record, canonical_json, read_record, write_atomically
from harness.run.pool import Pool, Together
from harness.score_cache import sort_scores

if TYPE_CHECKING:
    from harness.units import Place

Event = Literal["reused", "started", "finished"]
OnEvent = Callable[[Event, Unit, str, int], None]
"""Called with what happened, the unit, its status and the units still to do."""


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
    size = min(workers, max(1, len(state.waiting)))
    pool = Together(place, _run) if together else Pool(place, _run, plan.suite.limits, workers=size)
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
                for unit, status, reason in pool.finished():
                    if reason is not None:
                        write_record(place.run, unit, "failed", reason=reason)
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


def _run(unit: Unit, needs: Mapping[str, Unit], place: "Place") -> str:
    import resource
    import socket

    from harness.units import perform, versions

    started = perf_counter()
    try:
        done = perform(unit, needs, place)
    except HarnessError as error:
        write_record(place.run, unit, "failed", reason=str(error))
        return "failed"
    except Exception as error:  # any failure of a unit is a row with a reason
        folder = unit_folder(place.run, unit)
        write_atomically(folder / "traceback.txt", traceback.format_exc())
        reason = f"{type(error).__name__}: {error} (see {folder.name}/traceback.txt)."
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
