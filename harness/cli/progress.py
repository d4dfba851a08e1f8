"""What runs now and how long is left: a live bar on a terminal, plain lines through a pipe."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from harness import catalog
from harness.board.table import Table
from harness.board.terminal import terminal_lines
from harness.board.wording import MISSING
from harness.data.corruptions import domain_of
from harness.data.overview import absent, fetched, prepared_card
from harness.guard.inert import line, unshielded
from harness.identity.unit import AnyUnit
from harness.llm.package import EMBEDDED_MODEL
from harness.run.kept import time_told
from harness.run.stored import unit_record
from harness.study.cost import MACS_PER_SECOND, Costs
from harness.study.plan import Plan
from harness.study.work.units import PrepareSpec, SearchingSpec
from harness.task.task import Archive
from harness.workers.execute import Event, OnEvent


def label(unit: AnyUnit) -> str:
    """Returns the unit in a few words."""
    return line(unit.label)


@catalog.held()
def planned(plan: Plan, *, workers: int, width: int | None, data: Path) -> str:
    """Returns the units of a plan by task and kind, what they are estimated to cost, and what is fetched."""
    from harness.study.pace import Paced

    paced = Paced(plan.units, data=data)
    costs = Costs(plan.units, paced)
    groups: dict[tuple[str, str], list[AnyUnit]] = {}
    for unit in plan.units:
        groups.setdefault((unit.spec.of.partition("/")[0] or MISSING, unit.kind.name), []).append(unit)
    rows, seconds, macs = [], paced.started(workers), 0
    packages: set[Archive] = set()
    for (of, kind), units in groups.items():
        took, counted = sum(map(paced.seconds, units)), sum(map(costs.macs, units))
        seconds, macs = seconds + took, macs + counted
        products = f"{counted / 1e12:,.3g}" if counted else ""
        new = absent({one for unit in units for one in _packages(unit, data)}, data) - packages
        packages |= new
        megabytes = f"{fetched(new).bytes / 1e6:,.1f}" if new else ""
        rows.append((of, kind, f"{len(units):,}", f"{took / 60:,.1f}", products, megabytes))
    notes = [
        f"{len(plan.units):,} units: {seconds / 60:,.1f} CPU minutes here with those of starting up, "
        f"{time_told(seconds / workers)} by {workers} processes with nothing beside them, measured on a few "
        "steps of each kind of network. What is made already, or lies in the cache, costs nothing.",
        _to_fetch(packages, _repositories(plan.units, data)),
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
        columns=("Task", "Kind of unit", "Units", "CPU minutes here", "TMACs", "MB to fetch"),
        rows=tuple(rows),
        labels=2,
        notes=tuple(notes),
    )
    return "\n".join(terminal_lines(table, width)).rstrip()


def _packages(unit: AnyUnit, data: Path) -> Iterator[Archive]:
    """Yields the released packages that a unit opens; a prepared domain opens none."""
    spec = unit.spec
    if isinstance(spec, PrepareSpec):
        domain = domain_of(catalog.load("task", spec.task), spec.domain)
        yield from domain.archives if prepared_card(spec.task, domain, data)[0] is None else ()
        return
    if (
        isinstance(spec, SearchingSpec)
        and spec.llm is not None
        and not (spec.llm.base_url or spec.llm.model_file)
    ):
        yield EMBEDDED_MODEL
    for read in spec.reads():
        if read.input == "baseline":
            yield from getattr(catalog.load("baseline", read.name), "packages", ())
        if read.input == "table" and "package" in (card := catalog.load("table", read.name)):
            yield Archive(**card["package"])


def _repositories(units: Iterable[AnyUnit], data: Path) -> set[str]:
    """Returns the repositories of hubs that domains of a plan are yet to be fetched from."""
    found = set()
    for spec in (unit.spec for unit in units if isinstance(unit.spec, PrepareSpec)):
        domain = domain_of(catalog.load("task", spec.task), spec.domain)
        if domain.repository and prepared_card(spec.task, domain, data)[0] is None:
            found.add(domain.repository)
    return found


def _to_fetch(packages: set[Archive], repositories: set[str]) -> str:
    size = fetched(packages)
    told = [f"{len(packages)} packages of {size.bytes:,} bytes"] if packages else []
    if size.unknown:
        told[0] += f" and {size.unknown} of a size that nobody noted"
    told += [f"{name}, whose size its hub tells" for name in sorted(repositories)]
    return f"To fetch: {'; '.join(told) or 'nothing, all is in the cache'}."


class Clock:
    """Estimates the time left: what `--dry-run` says of units, by what those that ended took beside it."""

    def __init__(self, plan: Plan, workers: int, data: Path) -> None:
        self.plan, self.workers, self.data = plan, workers, data
        self.left = {unit.hash for unit in plan.units}
        self.begun: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self.ahead, self.taken, self.expected = (
            dict.fromkeys((unit.kind.name for unit in plan.units), 0.0) for _ in range(3)
        )

    def note(self, event: Event, unit: AnyUnit) -> None:
        """Takes an event of `execute`; nothing is estimated before a unit starts."""
        kind = unit.kind.name
        if event == "started":
            if not self.seconds:
                self._estimate()
            if unit.hash not in self.left:  # it is made again
                self.left.add(unit.hash)
                self.ahead[kind] += self.seconds[unit.hash]
            self.begun[unit.hash] = perf_counter()
            return
        if unit.hash in self.left:
            self.left.discard(unit.hash)
            self.ahead[kind] -= self.seconds.get(unit.hash, 0)
        begun = self.begun.pop(unit.hash, None)
        if begun is not None:
            self.taken[kind] += perf_counter() - begun
            self.expected[kind] += self.seconds[unit.hash]

    def text(self) -> str:
        """Returns the time left, `about 3 min left`."""
        seconds = self.left_seconds()
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"

    def left_seconds(self) -> float:
        """Returns the seconds of what has not ended, by so many workers."""
        return sum(ahead * self._factor(kind) for kind, ahead in self.ahead.items()) / self.workers

    def _estimate(self) -> None:
        from harness.study.pace import Paced

        with catalog.held():
            paced = Paced(self.plan.units, data=self.data, is_measuring=False)
            self.seconds = {unit.hash: paced.seconds(unit) for unit in self.plan.units}
        for unit in self.plan.units:
            self.ahead[unit.kind.name] += self.seconds[unit.hash] if unit.hash in self.left else 0

    def _factor(self, kind: str) -> float:
        """Returns how many times as long as expected units of a kind took; 1 where none ended."""
        return self.taken[kind] / self.expected[kind] if self.expected[kind] else 1


def told(run: Path, unit: AnyUnit, status: str) -> str:
    """Returns the unit in a few words, and why it has no result where it has none."""
    record = unit_record(run, unit) if status != "ok" else None
    return f"{label(unit)}: {line(record.reason)}" if record and record.reason else label(unit)


@contextmanager
def progress(plan: Plan, workers: int, run: Path, data: Path) -> Iterator[OnEvent]:
    """Gives the callback that `execute` reports to, of a plan that is carried out in the folder `run`."""
    clock, total = Clock(plan, workers, data), len(plan.units)
    running: dict[str, str] = {}

    def lines(event: Event, unit: AnyUnit, status: str) -> None:
        clock.note(event, unit)
        if event == "finished":
            done = total - len(clock.left)
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
        task = live.add_task("starting", total=total, left="")

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
