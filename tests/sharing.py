"""Chains of units that write down that they begin, carried out by a process among others of one folder.

python tests/sharing.py RUN LOG [--chains N] [--seconds S] [--share I/N] [--plain] [--ray ADDRESS]
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.data.view import DataPlace
from harness.errors import HarnessError, WaitingError
from harness.files import write_atomically
from harness.identity.schema import Schema
from harness.identity.unit import AnyUnit, Spec, Unit, UnitKind
from harness.run.place import Done, Needs, Place
from harness.run.record import Record
from harness.study.plan import Plan, planned
from harness.study.settings import Limits, Settings
from harness.workers.execute import Outcome, execute
from harness.workers.folder import lock, shared
from harness.workers.perform import carry_out
from harness.workers.pools import leases
from harness.workers.pools import shared as sharing_pool
from harness.workers.pools.local import Local
from harness.workers.pools.on_ray import OnRay
from harness.workers.pools.pool import Pool, Start
from harness.workers.pools.shards import left_out

LINKS = 3


@dataclass(frozen=True, kw_only=True)
class Link(Spec):
    """One unit of a chain; `log` is a file, and no part of what it computes."""

    chain: int
    place: int
    seconds: float = 0.0
    log: str = ""
    fails: bool = False

    def asked(self, inputs: object) -> tuple[str, ...]:
        return ("log",)


@dataclass(frozen=True, kw_only=True)
class Length(Schema):
    """How long a chain is so far."""

    length: int


def work(unit: Unit[Link, Length], needs: Needs, folder: Path) -> Done:
    """Says that it begins, waits, and adds one to what its need found."""
    place = os.open(unit.spec.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(place, f"{unit.spec.chain}.{unit.spec.place}\n".encode())
    os.close(place)
    time.sleep(unit.spec.seconds)
    if unit.spec.fails:
        raise HarnessError(f"chain {unit.spec.chain} broke")
    before = needs.result(KIND).length if needs.find(KIND) else 0
    (folder / "length.txt").write_text(f"{before + 1}\n")
    return Done(result=Length(length=before + 1))


KIND = UnitKind(name="link", spec=Link, result=Length, work="sharing:work", seconds=1.0, trains=True)


def prepared(unit: Unit[Link, Length], needs: Needs, folder: Path) -> Done:
    """Leaves a file in the data cache."""
    (needs.place.data.folder / f"made {unit.spec.chain}").touch()
    return Done(result=Length(length=1))


def is_prepared(unit: Unit[Link, Length], record: Record, place: Place) -> bool:
    """Returns whether the file is there."""
    return (place.data.folder / f"made {unit.spec.chain}").exists()


PREPARE = UnitKind(
    name="made",
    spec=Link,
    result=Length,
    work="sharing:prepared",
    seconds=1.0,
    intact="sharing:is_prepared",
)


def plan_of(log: Path, chains: int, seconds: float = 0.0, failing: int = 0) -> Plan:
    """Returns a plan of chains, of which the first few break at their first link."""
    units: list[AnyUnit] = []
    for chain in range(chains):
        needs: tuple[str, ...] = ()
        for place in range(LINKS):
            fails = chain < failing and not place
            spec = Link(chain=chain, place=place, seconds=seconds, log=str(log), fails=fails)
            units.append(planned(KIND, spec, needs))
            needs = (units[-1].hash,)
    suite = Settings(title="t", study="trained")
    return Plan(name="links", suite=suite, table={}, limit=None, units=tuple(units))


def carried_out(plan: Plan, run: Path, share: str = "", *, plain: bool = False, ray: str = "") -> Outcome:
    """Carries out the plan, together with other processes unless it is asked to be alone, or on a cluster."""
    place = Place(run=run, data=DataPlace(folder=run))

    def local(waiting: object) -> Local:
        return Local(place, carry_out, Limits(), workers=1)

    def cluster(waiting: Mapping[str, AnyUnit]) -> Pool:
        return OnRay(place, carry_out, Limits(), address=ray) if waiting else local(waiting)

    if plain or ray:
        with lock(run):
            write_atomically(run / "plan.json", plan.to_json())
            return execute(plan, place, cluster if ray else local, on_event=lambda *words: None)
    with lock(run, is_shared=True), shared(run, plan.to_json()) as held:
        others = left_out(plan.units, share) if share else frozenset()
        start: Start = lambda waiting: sharing_pool.Shared(  # noqa: E731
            local(waiting), held, waiting, lambda unit: unit.hash not in others
        )
        return execute(plan, place, start, on_event=lambda *words: None, leases=held)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--failing", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--share", default="")
    parser.add_argument("--ray", default="")
    parser.add_argument("--plain", action="store_true")
    chosen = parser.parse_args()
    leases.BEAT_SECONDS, leases.STALE_SECONDS, leases.LOOK_SECONDS = 0.1, 4.0, 0.05
    sharing_pool.LOOK_SECONDS = 0.05
    plan = plan_of(chosen.log, chosen.chains, chosen.seconds, chosen.failing)
    try:
        outcome = carried_out(plan, chosen.run, chosen.share, plain=chosen.plain, ray=chosen.ray)
    except WaitingError as error:
        print(error, file=sys.stderr)
        return error.status
    except HarnessError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if outcome.failed or outcome.skipped else 0


if __name__ == "__main__":
    import sharing  # under the name by which workers on a cluster know it

    raise SystemExit(sharing.main())
