"""Lets a pool perform the units of a plan, needs first; what has a valid record is not run again."""

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.identity.unit import AnyUnit
from harness.run.score_cache import forget_scores, sort_scores
from harness.run.standing import Belief, Standing
from harness.run.store import Store
from harness.run.stored import unit_record
from harness.study.plan import Plan
from harness.workers.pools.leases import Leases
from harness.workers.pools.pool import Pool, Start
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
    start: Start,
    *,
    on_event: OnEvent,
    tell: Callable[[str], None] = lambda line: None,
    belief: Belief | None = None,
    store: Store | None = None,
    leases: Leases | None = None,
    is_here: bool = True,
) -> Outcome:
    """Runs every unit that has no result of the same content and the same inputs.

    Args:
        plan: the units.
        place: where they run.
        start: starts what performs them.
        on_event: is told what happens.
        tell: is given a sentence on what runs again, and why.
        belief: what is believed although something changed.
        store: results of all runs.
        leases: of this process, where others share the run's folder.
        is_here: whether all units run on this machine, where what they leave outside of the folder must be.

    Raises:
        WaitingError: all that is left is left to other processes.
        KeyboardInterrupt: after the pool was stopped; what was finished is kept.
        HarnessError: a record cannot be read or written.
    """
    from harness.workers.perform import is_intact

    state = Standing(
        place.run,
        plan.units,
        belief=belief,
        is_intact=lambda unit, record: not is_here or is_intact(unit, record, place),
        store=store,
        hold=(lambda unit: leases.taken(unit.folder)) if leases else None,
    )
    for unit in state.settle():
        on_event("reused", unit, "ok")
    for line in state.told():
        tell(line)
    pool = start(state.waiting)
    try:
        _perform_all(state, pool, on_event=on_event, tell=tell)
    finally:
        pool.stop()
    if store and store.taken:
        tell(f"{store.taken} results are those of other runs, kept in {store.folder}.")
    with leases.awaited("end") if leases else nullcontext():
        return _outcome(state)


def _perform_all(
    state: Standing,
    pool: Pool,
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
        for unit, status in pool.finished() if pool.busy else ():
            state.finished(unit, status)
            on_event("finished", unit, status)
            why = rows.failed(unit, _reason(state.run, unit)) if status == "failed" else ""
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
