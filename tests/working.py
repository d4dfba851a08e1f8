"""Suites and plans of a few lines, and their units performed one by one in this process."""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from harness.data.view import DataPlace
from harness.files import unwritable
from harness.identity.unit import AnyUnit
from harness.run.place import Done, Place
from harness.run.stored import inputs_of, unit_record, write_record
from harness.study.plan import Plan
from harness.study.study import make_plan
from harness.study.suite import load_suite
from harness.workers.perform import perform

FLOORS = """
extends = "toy"
searchers = []
spaces = []
baselines = ["floor"]
reference = "floor"
claim = { method = "floor", space = "" }
"""
"""A suite without networks, of seconds."""


@cache
def planned(name: str, limit: int | None = None) -> Plan:
    """Returns the plan of a suite of the catalog, made once."""
    return make_plan(*load_suite(name), limit=limit)


def plan_of(text: str, folder: Path) -> Plan:
    """Returns the plan of a suite of this text, written to a folder."""
    (folder / "mine.toml").write_text(text)
    return make_plan(*load_suite(str(folder / "mine.toml")))


def units(plan: Plan, *kinds: str, **spec: Any) -> list[AnyUnit]:
    """Returns the units of these kinds whose parameters are these, in the order of the plan."""
    return [
        one
        for one in plan.units
        if one.kind.name in kinds
        and all(getattr(one.spec, name, None) == value for name, value in spec.items())
    ]


def first(plan: Plan, kind: str, **spec: Any) -> AnyUnit:
    return units(plan, kind, **spec)[0]


def place_of(run: Path) -> Place:
    return Place(run=run, data=DataPlace(folder=Path(os.environ["HARNESS_DATA"])))


def done(plan: Plan, unit: AnyUnit, run: Path) -> Done:
    """Performs a unit, and before it the data that it needs and that is not there; keeps both records."""
    known = {one.hash: one for one in plan.units}
    for need in (known[need] for need in unit.needs):
        if need.kind.name == "prepare" and unit_record(run, need) is None:
            done(plan, need, run)
    made = perform(unit, {need: known[need] for need in unit.needs}, place_of(run))
    inputs = inputs_of(run, unit, [known[need] for need in unit.needs])
    write_record(run, unit, "ok", result=made.result, about=made.about, inputs=inputs)
    return made


def all_done(plan: Plan, wanted: Iterable[AnyUnit], run: Path) -> dict[str, dict[str, Any]]:
    """Performs units in order, and returns hash -> JSON of the result."""
    return {unit.hash: done(plan, unit, run).result.to_json() for unit in wanted}


def no_timing_can_be_written(unit: object, needs: object, place: Any) -> str:
    """What a worker does whose unit's folder goes away while the run's is still there."""
    path = place.run / "units" / "timing.json"
    if unit == "gone":
        gone = FileNotFoundError(2, "No such file or directory", str(path))
        raise unwritable(path, gone) from gone
    full = OSError(28, "No space left on device", str(path))
    raise unwritable(path, full) from full
