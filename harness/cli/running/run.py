"""Carries out the plan of a suite, and prints its board."""

import os
import shutil
import sys
from datetime import UTC, datetime
from typing import NamedTuple

from harness.cli.language_model import check_language_model
from harness.cli.options import data_folder, results_of_all_runs, terminal_width
from harness.cli.progress import progress
from harness.files import removed, write_atomically
from harness.guard import inert
from harness.identity import memory
from harness.run.kept import SUPERSEDED
from harness.run.place import Place
from harness.run.provenance import kind_of, provenance
from harness.run.score_cache import FOLDER
from harness.run.standing import Belief
from harness.run.stored import DATES, write_dates
from harness.study.plan import Plan
from harness.workers import perform
from harness.workers.execute import execute
from harness.workers.folder import claim, lock
from harness.workers.pools.local import Local
from harness.workers.pools.pool import Pool
from harness.workers.pools.together import Together, follow


class How(NamedTuple):
    """How the plan of a suite is carried out, as the options say."""

    workers: int
    fresh: bool
    keep_stale: bool
    strict: bool
    as_json: bool


def carry_out(plan: Plan, place: Place, how: How) -> int:
    """Carries out a plan, in as many processes as were launched together, and returns the exit status."""
    from harness.learn.peers import data_parallel

    if place.replay is None:
        check_language_model(plan, place)
    with data_parallel(place.device, launched="WORLD_SIZE" in os.environ) as peers:
        if peers.rank:
            follow(place)
            return 0
        machine = {**kind_of(provenance(place.device, peers.size)), "threads": 1} if how.strict else None
        belief = Belief(keep_stale=how.keep_stale, provenance=machine)
        return _run(plan, place, how, belief=belief, processes=peers.size)


def _run(plan: Plan, place: Place, how: How, *, belief: Belief, processes: int) -> int:
    from harness.report.shown import board_text, show

    def start(waiting: int) -> Pool:
        if processes > 1:
            return Together(place, perform.carry_out)
        return Local(place, perform.carry_out, plan.suite.limits, workers=min(how.workers, waiting))

    folder = place.run
    claim(folder, plan.name)
    with lock(folder):
        if how.fresh:
            for part in ("units", SUPERSEDED, FOLDER):
                shutil.rmtree(folder / part, ignore_errors=True)
            (folder / DATES).unlink(missing_ok=True)
        write_atomically(folder / "plan.json", plan.to_json())
        with progress(plan, how.workers, folder) as on_event:
            outcome = execute(
                plan,
                place,
                start,
                on_event=on_event,
                tell=lambda line: print(f"harness: {line}", file=sys.stderr),
                belief=belief,
                store=results_of_all_runs(device=place.device, processes=processes, answers=not how.fresh),
            )
        if not (folder / "plan.json").exists():
            raise removed(folder)
        now = datetime.now(UTC).isoformat(timespec="minutes")
        write_dates(folder, now, did_something=outcome.reused < len(plan.units))
        is_whole = not outcome.failed and not outcome.skipped
        width = terminal_width()
        shown = show(folder, plan.units, data=data_folder(), width=width, is_whole=is_whole)
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
