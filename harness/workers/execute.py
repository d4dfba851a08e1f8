"""Runs a plan's units on local processes; what has a valid record is not run again."""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.errors import DamagedError, HarnessError
from harness.files import is_missing_in, read_sealed, removed, write_atomically
from harness.identity.content import check_code
from harness.identity.unit import AnyUnit, unit_folder
from harness.run.kept import SUPERSEDED, forget_parts
from harness.run.record import Timing
from harness.run.score_cache import FOLDER, forget_scores, sort_scores
from harness.run.standing import Belief, Standing
from harness.run.store import Store
from harness.run.stored import (
    DATES,
    PROVENANCE,
    SHOWN,
    TIMING,
    TRACEBACK,
    inputs_of,
    unit_record,
    write_beside,
    write_record,
)
from harness.study.plan import Plan
from harness.workers.pool import Pool, Together
from harness.workers.rows import Rows

if TYPE_CHECKING:
    from harness.run.place import Place

Event = Literal["reused", "started", "finished"]
OnEvent = Callable[[Event, AnyUnit, str], None]
"""Called with what happened, the unit and its status."""


class Outcome(NamedTuple):
    """How many units were there before, failed and were skipped."""

    reused: int
    failed: int
    skipped: int


def execute(
    plan: Plan,
    place: "Place",
    *,
    workers: int,
    on_event: OnEvent,
    tell: Callable[[str], None] = lambda line: None,
    together: bool = False,
    belief: Belief | None = None,
    store: Store | None = None,
) -> Outcome:
    """Runs every unit that has no result of the same content and the same inputs.

    Args:
        plan: the units.
        place: where they run.
        workers: processes that are started, each of which runs a unit at a time.
        on_event: is told what happens.
        tell: is given a sentence on what runs again, and why.
        together: start no process and train with those that call `follow`, inside of `data_parallel`.
        belief: what is believed although something changed.
        store: results of all runs.

    Raises:
        KeyboardInterrupt: after the workers were stopped; what was finished is kept.
        HarnessError: a record cannot be read or written.
    """
    from harness.workers.perform import is_intact

    state = Standing(
        place.run,
        plan.units,
        belief=belief,
        is_intact=lambda unit, record: is_intact(unit, record, place),
        store=store,
    )
    for unit in state.settle():
        on_event("reused", unit, "ok")
    for line in state.told():
        tell(line)
    size = min(workers, len(state.waiting))
    pool = Together(place, _run) if together else Pool(place, _run, plan.suite.limits, workers=size)
    try:
        _perform_all(state, pool, place, on_event=on_event, tell=tell)
    finally:
        pool.stop()
    if store and store.taken:
        tell(f"{store.taken} results are those of other runs, kept in {store.folder}.")
    return _outcome(state)


def _perform_all(
    state: Standing,
    pool: Pool | Together,
    place: "Place",
    *,
    on_event: OnEvent,
    tell: Callable[[str], None],
) -> None:
    """Lets the pool do what is ready, until nothing waits."""
    rows = Rows(state.units.values())
    told = len(state.damaged)

    def skip(unit: AnyUnit, why: str = "") -> None:
        state.skip(unit, why)
        on_event("finished", unit, "skipped")

    while state.waiting or pool.busy:
        for unit in state.blocked():
            skip(unit)
        while pool.idle and (ready := state.ready()) is not None:
            if why := rows.why(ready):
                skip(ready, why)
                continue
            on_event("started", ready, "")
            pool.submit(ready, {need: state.units[need] for need in ready.needs})
        if not pool.idle and state.order.next() is not None:
            pool.grow()
        for unit, status, reason in pool.finished() if pool.busy else ():
            if reason is not None:
                write_record(place.run, unit, "failed", reason=place.keys.hidden_in(reason))
            state.finished(unit, status)
            on_event("finished", unit, status)
            why = rows.failed(unit, _reason(place.run, unit)) if status == "failed" else ""
            if why and (rest := rows.given_up(unit, state.waiting)):
                tell(f"{unit.label}: {why} The rest of its row is skipped.")
                for one in rest:
                    skip(one, rows.why(one))
        for unit in state.settle():
            on_event("reused", unit, "ok")
        for line in state.damaged[told:]:
            tell(f"{line} It is made again.")
        told = len(state.damaged)


def _outcome(state: Standing) -> Outcome:
    """Leaves the folder as a fresh run does, and counts."""
    state.tidy()
    ended = Counter(state.status.values())
    if ended["ok"] == len(state.units):
        forget_scores(state.run)
    else:
        sort_scores(state.run)
    return Outcome(reused=len(state.reused), failed=ended["failed"], skipped=ended["skipped"])


def _reason(run: Path, unit: AnyUnit) -> str:
    record = unit_record(run, unit)
    return (record.reason if record else None) or "no reason"


def follow(place: "Place") -> None:
    """Trains with the process that calls `execute` until that is done; it alone keeps records."""
    from harness.learn.peers import told
    from harness.workers.perform import perform

    while (task := told(None)) is not None:
        # What fails here fails there as well, and is recorded there.
        with suppress(Exception):
            perform(task[0], task[1], place)


def _run(unit: AnyUnit, needs: Mapping[str, AnyUnit], place: "Place") -> str:
    import socket

    from harness.learn.peers import peers
    from harness.run.provenance import provenance
    from harness.workers.memory import forget_peak, peak_bytes
    from harness.workers.perform import perform

    started = perf_counter()
    is_own_peak = forget_peak()
    try:
        check_code(unit)
        inputs = inputs_of(place.run, unit, needs.values())
        done = perform(unit, needs, place)
        check_code(unit)
    except Exception as error:  # any failure of a unit is a row with a reason
        reason = place.keys.hidden_in(str(error))
        if not isinstance(error, HarnessError):
            folder = unit_folder(place.run, unit)
            write_atomically(folder / TRACEBACK, place.keys.hidden_in(traceback.format_exc()))
            reason = f"{type(error).__name__}: {reason} (see {folder.name}/{TRACEBACK})."
        write_record(place.run, unit, "failed", reason=reason)
        return "failed"
    timing = Timing(
        seconds=perf_counter() - started + done.elsewhere,
        parts=dict(done.seconds),
        peak_memory_bytes=peak_bytes(),
        is_own_peak=is_own_peak,
        host=socket.gethostname(),
    )
    write_beside(place.run, unit, TIMING, timing.to_json())
    write_beside(place.run, unit, PROVENANCE, provenance(place.device, peers().size))
    write_record(place.run, unit, "ok", result=done.result, about=done.about, inputs=inputs)
    return "ok"


@contextmanager
def lock(run: Path) -> Iterator[None]:
    """Keeps a second `eval` out of the run folder, and clears what a killed one left half-written.

    Raises:
        HarnessError: another process holds the folder, or it is removed meanwhile.
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
        forget_parts(run)
        try:
            yield
        except (HarnessError, OSError) as error:
            if is_missing_in(run, error):
                raise removed(run) from error
            raise


def claim(folder: Path, name: str) -> None:
    """Makes sure that `folder` is free for the run of the suite `name`, or holds it.

    Raises:
        HarnessError: it holds something else, or cannot be read.
    """
    held = folder / "plan.json"
    try:
        if held.exists():
            other = _name(held, name)
            if other != name:
                raise HarnessError(f"{folder} holds a run of {other}, not of {name}; choose another --out.")
        elif folder.exists() and (not folder.is_dir() or not all(map(_is_of_a_run, folder.iterdir()))):
            raise HarnessError(f"{folder} is not a run folder and not empty; choose another --out.")
    except OSError as error:
        raise HarnessError(f"Cannot read {folder}: {error.strerror}; choose another --out.") from error


def _name(plan: Path, name: str) -> str:
    """Returns the suite of the run; a damaged plan is written again where units are there to continue."""
    try:
        return str(read_sealed(plan, "it is written again")["name"])
    except DamagedError:
        return name if (plan.parent / "units").is_dir() else "a damaged plan.json"


def _is_of_a_run(path: Path) -> bool:
    """Whether this is what a run leaves that was killed, or its folder removed, without a plan."""
    return path.name in (".lock", "units", SUPERSEDED, SHOWN, FOLDER, DATES) or path.name.startswith(".part-")
