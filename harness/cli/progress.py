"""What runs now and how long is left: a live bar on a terminal, plain lines through a pipe."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from harness import catalog
from harness.board.table import Table
from harness.board.terminal import terminal_lines
from harness.board.wording import MISSING
from harness.guard.inert import line, unshielded
from harness.identity.unit import AnyUnit
from harness.run.kept import time_told
from harness.run.stored import unit_record
from harness.study.cost import MACS_PER_SECOND, Costs
from harness.study.plan import Plan
from harness.study.work.units import SearchingSpec
from harness.workers.execute import Event, OnEvent


def label(unit: AnyUnit) -> str:
    """Returns the unit in a few words."""
    return line(unit.label)


@catalog.held()
def planned(plan: Plan, *, workers: int, width: int | None) -> str:
    """Returns the units of a plan by task and kind, and what they are estimated to cost."""
    from harness.study.pace import Paced

    paced = Paced(plan.units)
    costs = Costs(plan.units, paced)
    groups: dict[tuple[str, str], list[AnyUnit]] = {}
    for unit in plan.units:
        groups.setdefault((unit.spec.of.partition("/")[0] or MISSING, unit.kind.name), []).append(unit)
    rows, seconds, macs = [], 0.0, 0
    for (of, kind), units in groups.items():
        took, counted = sum(map(paced.seconds, units)), sum(map(costs.macs, units))
        seconds, macs = seconds + took, macs + counted
        products = f"{counted / 1e12:,.3g}" if counted else ""
        rows.append((of, kind, f"{len(units):,}", f"{took / 60:,.1f}", products))
    notes = [
        f"{len(plan.units):,} units: {seconds / 60:,.1f} CPU minutes here, {time_told(seconds / workers)} by "
        f"{workers} processes with nothing beside them, measured on a few steps of each kind of network. "
        "What is made already, or lies in the cache, costs nothing."
    ]
    if macs:
        notes.append(
            f"TMACs are 10^12 multiply-accumulates. One device at {MACS_PER_SECOND:.0e} of them a second "
            f"takes {time_told(macs / MACS_PER_SECOND)} where it is fed fast enough."
        )
    specs = [unit.spec for unit in plan.units if isinstance(unit.spec, SearchingSpec)]
    if any(spec.llm is not None and spec.llm.base_url for spec in specs):
        notes.append("What the endpoint takes is not counted.")
    table = Table(
        caption=f"What {plan.name} costs by an estimate",
        columns=("Task", "Kind of unit", "Units", "CPU minutes here", "TMACs"),
        rows=tuple(rows),
        labels=2,
        notes=tuple(notes),
    )
    return "\n".join(terminal_lines(table, width)).rstrip()


class Clock:
    """Estimates the time left from what units of each kind took in this run."""

    def __init__(self, plan: Plan, workers: int) -> None:
        self.workers = workers
        self.left = Counter(unit.kind.name for unit in plan.units)
        self.kinds = {unit.kind.name: unit.kind for unit in plan.units}
        self.done: Counter[str] = Counter()
        self.taken = dict.fromkeys(self.kinds, 0.0)
        self.started: dict[str, float] = {}
        self.ended: set[str] = set()

    def note(self, event: Event, unit: AnyUnit) -> None:
        """Takes an event of `execute`."""
        if event == "started":
            if unit.hash in self.ended:  # it is made again
                self.ended.discard(unit.hash)
                self.left[unit.kind.name] += 1
            self.started[unit.hash] = perf_counter()
            return
        if unit.hash not in self.ended:
            self.ended.add(unit.hash)
            self.left[unit.kind.name] -= 1
        begun = self.started.pop(unit.hash, None)
        if begun is not None:
            self.done[unit.kind.name] += 1
            self.taken[unit.kind.name] += perf_counter() - begun

    def text(self) -> str:
        """Returns the time left, `about 3 min left`."""
        total = 0.0
        for kind, count in self.left.items():
            done = self.done[kind]
            total += count * (self.taken[kind] / done if done else self.kinds[kind].seconds)
        seconds = total / self.workers
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"


def told(run: Path, unit: AnyUnit, status: str) -> str:
    """Returns the unit in a few words, and why it has no result where it has none."""
    record = unit_record(run, unit) if status != "ok" else None
    return f"{label(unit)}: {line(record.reason)}" if record and record.reason else label(unit)


@contextmanager
def progress(plan: Plan, workers: int, run: Path) -> Iterator[OnEvent]:
    """Gives the callback that `execute` reports to, of a plan that is carried out in the folder `run`."""
    clock, total = Clock(plan, workers), len(plan.units)
    running: dict[str, str] = {}

    def lines(event: Event, unit: AnyUnit, status: str) -> None:
        clock.note(event, unit)
        if event == "finished":
            done = total - sum(clock.left.values())
            text = f"[{done}/{total}] {status:7} {told(run, unit, status)} ({clock.text()})"
            print(text, file=sys.stderr, flush=True)

    if not sys.stderr.isatty():
        yield lines
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        MofNCompleteColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[left]}", markup=False),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=Console(file=unshielded(sys.stderr))) as live:
        task = live.add_task("starting", total=total, left=clock.text())

        def bar(event: Event, unit: AnyUnit, status: str) -> None:
            clock.note(event, unit)
            if event == "started":
                running[unit.hash] = label(unit)
            else:
                running.pop(unit.hash, None)
            if event == "finished" and status != "ok":
                live.console.print(f"{status}: {told(run, unit, status)}", style="yellow", markup=False)
            now = "; ".join(running.values()) or "finishing"
            live.update(task, advance=int(event != "started"), description=now, left=clock.text())

        yield bar
