"""Does the work of a unit: reads its needs' results, leaves files in its folder, returns its result."""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module

from harness.identity.kinds import work_of
from harness.identity.unit import Unit, unit_folder
from harness.run.place import Done, Needs, Place
from harness.run.record import Record


def perform(unit: Unit, needs: Mapping[str, Unit], place: Place) -> Done:
    """Does the work of `unit` and returns what it left.

    Args:
        unit: what to do.
        needs: hash -> unit, for every unit it needs.
        place: where.
    """
    folder = unit_folder(place.run, unit)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "traceback.txt").unlink(missing_ok=True)  # of a try before this one
    place = replace(place, data=replace(place.data, limit=unit.spec.get("limit")))
    module, function = work_of(unit.kind, unit.spec)
    done: Done = getattr(import_module(module), function)(unit, Needs(needs, place), folder)
    return done


def is_intact(unit: Unit, record: Record, place: Place) -> bool:
    """Returns whether what a unit left outside of the run's folder is there, and as its record says."""
    if unit.kind != "prepare":
        return True
    from harness.study.work.prepare import is_prepared

    return is_prepared(unit, record, place)
