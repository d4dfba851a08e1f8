"""Carries out very many empty units, and says what the scheduler and the folder cost for each.

    python benchmarks/scale.py [local] [shared] [processes] [ray] --units 100000
    python benchmarks/scale.py study

Units come in pairs, of which the second reads the first, and all read a root. They are done at once by a
pool that writes their records and nothing else, so that what is measured is planning, scheduling,
resuming and reading back; `processes` does them in two workers, and `ray` as tasks of a cluster of this
machine. The disk's own flushes are left out with --unsynced. Prints a line for each stage; exit status 1
where one is over its goal.
"""

import argparse
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from run import unsynced  # noqa: E402

from harness.cli.running.machines import STARTING, makespan  # noqa: E402
from harness.data.view import DataPlace  # noqa: E402
from harness.identity.schema import Schema  # noqa: E402
from harness.identity.unit import AnyUnit, Spec, Unit, UnitKind  # noqa: E402
from harness.run.place import Done, Needs, Place  # noqa: E402
from harness.run.stored import inputs_of, unit_record, write_record  # noqa: E402
from harness.study.pace import OVERHEAD  # noqa: E402
from harness.study.plan import Plan  # noqa: E402
from harness.study.settings import Limits, Settings  # noqa: E402
from harness.workers import perform  # noqa: E402
from harness.workers.execute import execute  # noqa: E402
from harness.workers.folder import lock, shared  # noqa: E402
from harness.workers.pools.local import Local  # noqa: E402
from harness.workers.pools.on_ray import OnRay  # noqa: E402
from harness.workers.pools.pool import Ended, Pool  # noqa: E402
from harness.workers.pools.shared import Shared  # noqa: E402

SECONDS = 60.0
BYTES = 2e9
EACH = 5e-3
"""Goals: of a stage, of the process, and of a unit."""


@dataclass(frozen=True, kw_only=True)
class Index(Spec):
    """One of many units."""

    index: int


@dataclass(frozen=True, kw_only=True)
class Value(Schema):
    """What it leaves."""

    value: int


def work(unit: Unit[Index, Value], needs: Needs, folder: Path) -> Done:
    """Does nothing."""
    return Done(result=Value(value=unit.spec.index))


KIND = UnitKind(name="empty", spec=Index, result=Value, work="scale:work", seconds=1.0)


class Stage(NamedTuple):
    """What was measured: seconds by the clock, and those of the processor, as other work may go on beside."""

    name: str
    seconds: float
    cpu: float
    units: int

    def told(self) -> str:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        each = 1e3 * self.seconds / self.units
        told = f"{self.seconds:.1f} | {self.cpu:.1f} | {each:.2f} | {peak:.2f}"
        return f"| {self.name} | {self.units:,} | {told} |"


class Here:
    """Does units at once in this process, and keeps their records."""

    def __init__(self, place: Place, places: int = 64) -> None:
        self.place = place
        self.places = places
        self.busy: list[AnyUnit] = []

    @property
    def idle(self) -> Collection[object]:
        return range(self.places - len(self.busy))

    def submit(self, unit: AnyUnit, needs: Mapping[str, AnyUnit]) -> None:
        inputs = inputs_of(self.place.run, unit, needs.values())
        write_record(self.place.run, unit, "ok", result=Value(value=1), inputs=inputs)
        self.busy.append(unit)

    def grow(self) -> None: ...

    def finished(self) -> list[Ended]:
        ended, self.busy = [Ended(unit, "ok") for unit in self.busy], []
        return ended

    def stop(self) -> None: ...


def now() -> tuple[float, float]:
    """Returns the seconds of the clock and of the processor."""
    return perf_counter(), process_time()


def since(began: tuple[float, float]) -> tuple[float, float]:
    """Returns what went by of both."""
    clock, cpu = now()
    return clock - began[0], cpu - began[1]


def plan_of(count: int) -> Plan:
    """Returns a plan of so many units."""
    units: list[AnyUnit] = []
    for index in range(count):
        needs = [units[0].hash, *([units[-1].hash] if index % 2 == 0 else [])] if index else []
        units.append(Unit(kind=KIND, spec=Index(index=index), needs=tuple(needs)))
    suite = Settings(title="Many", study="trained")
    return Plan(name="many", suite=suite, table={"study": "trained"}, limit=None, units=tuple(units))


def stages(name: str, count: int, run: Path) -> list[Stage]:
    """Plans, carries out, continues and reads back so many units by one executor."""
    began = now()
    plan = plan_of(count)
    text = plan.to_json()
    found = [Stage(f"{name}: planned", *since(began), count)]
    run.mkdir()
    (run / "plan.json").write_text(text)
    for verb in ("carried out", "continued"):
        began = now()
        outcome = carried_out(name, plan, Place(run=run.resolve(), data=DataPlace(folder=run)), text)
        found.append(Stage(f"{name}: {verb}", *since(began), count))
        assert outcome.reused == (count if verb == "continued" else 0), outcome
    began = now()
    assert all(record and record.status == "ok" for record in (unit_record(run, one) for one in plan.units))
    found.append(Stage(f"{name}: records read", *since(began), count))
    return found


def carried_out(name: str, plan: Plan, place: Place, text: str) -> Any:
    """Carries out the plan by an executor."""
    start: Callable[[Mapping[str, AnyUnit]], Pool]
    with lock(place.run, is_shared=name == "shared"):
        if name == "shared":
            with shared(place.run, text) as leases:
                pool: Any = Here(place)
                start = lambda waiting: Shared(pool, leases, waiting)  # noqa: E731
                return execute(plan, place, start, on_event=lambda *_: None, leases=leases)
        if name == "processes":
            start = lambda waiting: Local(place, perform.carry_out, Limits(), workers=2)  # noqa: E731
        elif name == "ray":
            start = lambda waiting: (  # noqa: E731
                OnRay(place, perform.carry_out, Limits()) if waiting else Here(place)
            )
        else:
            start = lambda waiting: Here(place)  # noqa: E731
        return execute(plan, place, start, on_event=lambda *_: None)


def study(trainings: int = 1344, minutes: float = 2.0) -> None:
    """Prints what trainings that wait for nothing take on more and more devices."""
    units = [Unit(kind=KIND, spec=Index(index=index)) for index in range(trainings)]
    seconds = dict.fromkeys((unit.hash for unit in units), 60 * minutes + OVERHEAD)
    print("| devices | hours | busy, % | device hours |\n|---:|---:|---:|---:|")
    for count in (1, 8, 64, 512):
        hours = (makespan(units, seconds, count) + STARTING) / 3600
        busy = sum(seconds.values()) / 36 / (count * hours)
        print(f"| {count} | {hours:.2f} | {busy:.0f} | {count * hours:.1f} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("executors", nargs="*", default=["local", "shared"])
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--unsynced", action="store_true")
    chosen = parser.parse_args()
    if chosen.executors == ["study"]:
        study()
        return 0
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    print("| stage | units | s | CPU s | ms a unit | peak GB |\n|---|---:|---:|---:|---:|---:|", flush=True)
    is_over = False
    with unsynced() if chosen.unsynced else nullcontext():
        for name in chosen.executors:
            with tempfile.TemporaryDirectory() as folder:
                for stage in stages(name, chosen.units, Path(folder) / "run"):
                    print(stage.told(), flush=True)
                    is_over |= stage.seconds > max(SECONDS, EACH * stage.units)
    return int(is_over or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1e3 > BYTES)


if __name__ == "__main__":
    import scale  # under the name by which workers know it

    raise SystemExit(scale.main())
