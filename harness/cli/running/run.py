"""Carries out the plan of a suite, and prints its board."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from harness.cli.language_model import check_language_model
from harness.cli.options import data_folder, results_of_all_runs, terminal_width
from harness.cli.progress import progress
from harness.errors import HarnessError, WaitingError
from harness.files import removed, write_atomically
from harness.guard import inert
from harness.identity import memory
from harness.identity.unit import AnyUnit
from harness.run.kept import SUPERSEDED
from harness.run.place import Place
from harness.run.provenance import kind_of, provenance
from harness.run.score_cache import FOLDER
from harness.run.standing import Belief
from harness.run.stored import DATES, write_dates
from harness.study.plan import Plan
from harness.workers import perform
from harness.workers.execute import execute
from harness.workers.folder import claim, lock, shared, take_units
from harness.workers.mirror import Mirror, Mirrored
from harness.workers.pools.leases import Leases
from harness.workers.pools.local import Local
from harness.workers.pools.on_ray import OnRay
from harness.workers.pools.pool import Pool, Start
from harness.workers.pools.shards import left_out, shard
from harness.workers.pools.shared import Shared
from harness.workers.pools.together import Together, follow

EXECUTORS = ("local", "ray")


class How(NamedTuple):
    """How the plan of a suite is carried out, as the options say; the share is I/N, or empty for all."""

    workers: int
    fresh: bool
    keep_stale: bool
    strict: bool
    as_json: bool
    is_shared: bool = False
    share: str = ""
    executor: str = "local"
    address: str = ""
    mirror: str = ""
    origin: Path | None = None

    @property
    def is_spread(self) -> bool:
        """Whether units may be done on machines that see the run's folder, or its mirror, and no more."""
        return self.is_shared or self.executor == "ray" or bool(self.mirror)


def carry_out(plan: Plan, place: Place, how: How) -> int:
    """Carries out a plan, in as many processes as were launched together, and returns the exit status."""
    from harness.learn.peers import data_parallel

    if how.share:
        shard(how.share)  # before anything is written
    if how.executor not in EXECUTORS:
        raise HarnessError(f"There is no executor {how.executor!r}; choose {' or '.join(EXECUTORS)}.")
    if how.executor == "ray" and how.is_shared:
        raise HarnessError("A Ray cluster does all units of a run; leave out --shared and --shard.")
    if how.is_shared and how.fresh:
        raise HarnessError("--fresh deletes what others of --shared may do; leave out one of the two.")
    if place.replay is None:
        check_language_model(plan, place)
    with data_parallel(place.device, launched="WORLD_SIZE" in os.environ) as peers:
        if peers.rank:
            follow(place)
            return 0
        machine = {**kind_of(provenance(place.device, peers.size)), "threads": 1} if how.strict else None
        belief = Belief(keep_stale=how.keep_stale, provenance=machine)
        if how.is_shared and peers.size > 1:
            raise HarnessError("Processes that train together do all units of a run; leave out --shared.")
        try:
            return _run(plan, place, how, belief=belief, processes=peers.size)
        except WaitingError as error:
            print(f"harness: {plan.name}: {error}", file=sys.stderr)
            return error.status


@contextmanager
def _writing(plan: Plan, place: Place, how: How) -> Iterator[Leases | None]:
    """Writes the plan of a run, which begins; yields what keeps those apart who share its folder."""
    if how.is_shared:
        with shared(place.run, plan.to_json()) as leases:
            yield leases
        return
    if how.fresh:
        for part in ("units", SUPERSEDED, FOLDER):
            shutil.rmtree(place.run / part, ignore_errors=True)
        (place.run / DATES).unlink(missing_ok=True)
    write_atomically(place.run / "plan.json", plan.to_json())
    yield None


def _start(
    plan: Plan, place: Place, how: How, leases: Leases | None, mirror: Mirror | None, processes: int
) -> Start:
    """Returns what starts the pool that the options ask for."""
    others = left_out(plan.units, how.share) if how.share else frozenset()

    act = perform.carry_out_anywhere if how.is_spread else perform.carry_out

    def start(waiting: Mapping[str, AnyUnit]) -> Pool:
        if processes > 1:
            return Together(place, perform.carry_out)
        if how.executor == "ray" and waiting:
            limits = plan.suite.limits
            return OnRay(place, act, limits, address=how.address, mirror=mirror)
        workers = min(how.workers, len(waiting))
        local = Local(place, act, plan.suite.limits, workers=workers)
        pool: Pool = local
        if leases is not None:
            pool = Shared(local, leases, waiting, lambda unit: unit.hash not in others)
        return Mirrored(pool, mirror) if mirror else pool

    return start


def _run(plan: Plan, place: Place, how: How, *, belief: Belief, processes: int) -> int:
    from harness.report.shown import FILES, board_text, show

    folder, width = place.run, terminal_width()
    claim(folder, plan.name)
    with lock(folder, is_shared=how.is_shared), _writing(plan, place, how) as leases:
        if how.origin:
            take_units(how.origin, folder)
        mirror = Mirror(how.mirror, folder) if how.mirror else None
        if mirror:
            mirror.exchange(plan.units)
        with progress(plan, how.workers, folder, place.data.folder) as on_event:
            outcome = execute(
                plan,
                place,
                _start(plan, place, how, leases, mirror, processes),
                on_event=on_event,
                tell=lambda line: print(f"harness: {line}", file=sys.stderr),
                belief=belief,
                store=results_of_all_runs(device=place.device, processes=processes, answers=not how.fresh),
                leases=leases,
                is_here=not how.is_spread,
            )
        if not (folder / "plan.json").exists():
            raise removed(folder)
        now = datetime.now(UTC).isoformat(timespec="minutes")
        is_whole = not outcome.failed and not outcome.skipped
        with leases.awaited("end") if leases else nullcontext():
            write_dates(folder, now, did_something=outcome.reused < len(plan.units))
            shown = show(folder, plan.units, data=data_folder(), width=width, is_whole=is_whole)
        if mirror:
            mirror.show(("plan.json", *FILES))
    memory.save()
    if how.as_json:
        print(board_text(folder), end="")
    else:
        print(shown.text)
        for line in shown.wants:
            print(f"A verdict would take: {inert.line(line)}")
        print(f"Report: {inert.line(str((folder / 'report.html').resolve()))}")
    if outcome.reused == len(plan.units):
        print(f"{plan.name} was already finished in {folder}; nothing was run.", file=sys.stderr)
    if outcome.failed or outcome.skipped:
        told = f"{outcome.failed} units failed and {outcome.skipped} were skipped; the report says why"
        print(f"{told}, and the same command tries them again.", file=sys.stderr)
    return 1 if outcome.failed or outcome.skipped else 0
