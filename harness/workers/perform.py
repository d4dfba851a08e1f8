"""Does the work of a unit: reads its needs' results, leaves files in its folder, returns its result."""

from collections.abc import Mapping
from dataclasses import replace

from harness.identity.unit import AnyUnit, called, unit_folder
from harness.run.place import Done, Needs, Place
from harness.run.record import Record
from harness.run.stored import TRACEBACK


def perform(unit: AnyUnit, needs: Mapping[str, AnyUnit], place: Place) -> Done:
    """Does the work of `unit` and returns what it left."""
    folder = unit_folder(place.run, unit)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRACEBACK).unlink(missing_ok=True)  # of a try before this one
    place = replace(place, data=replace(place.data, limit=unit.spec.limit))
    done: Done = called(unit.kind.work)(unit, Needs(needs, place), folder)
    return done


def is_intact(unit: AnyUnit, record: Record, place: Place) -> bool:
    """Returns whether what a unit left outside of the run's folder is there, and as its record says."""
    return not unit.kind.intact or bool(called(unit.kind.intact)(unit, record, place))
