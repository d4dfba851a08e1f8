"""What runs now and how long is left: a live bar on a terminal, plain lines through a pipe."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from harness.guard.inert import line, unshielded
from harness.identity.unit import AnyUnit
from harness.study.cost import MACS_PER_SECOND, Costs
from harness.study.plan import Plan
from harness.workers.execute import Event, OnEvent


def label(unit: AnyUnit) -> str:
    """Returns the unit in a few words."""
    return line(unit.label)


def planned(plan: Plan) -> str:
    """Returns the units of a plan, one a line, each with what it is estimated to cost."""
    costs = Costs(plan.units)
    lines, total = [], 0
    for unit in plan.units:
        macs = costs.macs(unit)
        total += macs
        lines.append(f"{unit.hash}  {label(unit)}" + (f"  {_cost(macs)}" if macs else ""))
    lines.append(f"{len(plan.units)} units" + (f"  {_cost(total)}" if total else ""))
    if total:
        lines.append(
            f"EMACs are 10^18 multiply-accumulates, hours those of one device at {MACS_PER_SECOND:.0e} of "
            "them a second; both are estimates."
        )
    return "\n".join(lines) + "\n"


def _cost(macs: int) -> str:
    return f"{macs / 1e18:.3g} EMACs, {macs / MACS_PER_SECOND / 3600:.3g} GPU-hours"


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


@contextmanager
def progress(plan: Plan, workers: int) -> Iterator[OnEvent]:
    """Gives the callback that `execute` reports to."""
    clock, total = Clock(plan, workers), len(plan.units)
    running: dict[str, str] = {}

    def lines(event: Event, unit: AnyUnit, status: str) -> None:
        clock.note(event, unit)
        if event == "finished":
            done = total - sum(clock.left.values())
            told = f"[{done}/{total}] {status:7} {label(unit)} ({clock.text()})"
            print(told, file=sys.stderr, flush=True)

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
                live.console.print(f"{status}: {label(unit)}", style="yellow", markup=False)
            now = "; ".join(running.values()) or "finishing"
            live.update(task, advance=int(event != "started"), description=now, left=clock.text())

        yield bar
