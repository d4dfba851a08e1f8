"""What runs now and how long is left: a live bar on a terminal, plain lines through a pipe."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from harness.guard.inert import line, unshielded
from harness.identity.unit import AnyUnit
from harness.study.cost import MACS_PER_SECOND, Costs
from harness.study.plan import Plan
from harness.workers.execute import Event, OnEvent

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def label(unit: AnyUnit) -> str:
    """Returns the unit in a few words."""
    return line(unit.label)


def planned(plan: Plan) -> str:
    """Returns the units of a plan, one a line, each with what it is estimated to cost."""
    costs = Costs(plan)
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
        self.seconds: dict[str, list[float]] = {name: [] for name in self.kinds}
        self.started: dict[str, float] = {}

    def note(self, event: Event, unit: AnyUnit) -> None:
        """Takes an event of `execute`."""
        if event == "started":
            self.started[unit.hash] = perf_counter()
            return
        self.left[unit.kind.name] -= 1
        begun = self.started.pop(unit.hash, None)
        if begun is not None:
            self.seconds[unit.kind.name].append(perf_counter() - begun)

    def text(self) -> str:
        """Returns the time left, `about 3 min left`."""
        total = 0.0
        for kind, count in self.left.items():
            taken = self.seconds[kind]
            total += count * (sum(taken) / len(taken) if taken else self.kinds[kind].seconds)
        seconds = total / self.workers
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"


class _Display(Protocol):
    def event(self, event: Event, unit: AnyUnit, status: str, running: list[str], left: str) -> None: ...


class _Lines:
    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0

    def event(self, event: Event, unit: AnyUnit, status: str, running: list[str], left: str) -> None:
        if event == "reused":
            self.done += 1
        if event == "finished":
            self.done += 1
            print(
                f"[{self.done}/{self.total}] {status:7} {label(unit)} ({left})", file=sys.stderr, flush=True
            )


class _Bar:
    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self.progress = progress
        self.task = task

    def event(self, event: Event, unit: AnyUnit, status: str, running: list[str], left: str) -> None:
        done = 0 if event == "started" else 1
        if event == "finished" and status != "ok":
            self.progress.console.print(f"{status}: {label(unit)}", style="yellow", markup=False)
        now = "; ".join(running) or "finishing"
        self.progress.update(self.task, advance=done, description=now, left=left)


@contextmanager
def progress(plan: Plan, workers: int) -> Iterator[OnEvent]:
    """Gives the callback that `execute` reports to."""
    clock = Clock(plan, workers)
    running: dict[str, str] = {}

    def note(display: _Display, event: Event, unit: AnyUnit, status: str) -> None:
        clock.note(event, unit)
        if event == "started":
            running[unit.hash] = label(unit)
        else:
            running.pop(unit.hash, None)
        display.event(event, unit, status, list(running.values()), clock.text())

    if not sys.stderr.isatty():
        lines = _Lines(len(plan.units))
        yield lambda event, unit, status, left: note(lines, event, unit, status)
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
        bar = _Bar(live, live.add_task("starting", total=len(plan.units), left=clock.text()))
        yield lambda event, unit, status, left: note(bar, event, unit, status)
