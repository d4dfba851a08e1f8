"""Does the work of a unit: reads its needs' results, leaves files in its folder, and keeps its record."""

import socket
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from time import perf_counter

from harness.errors import HarnessError
from harness.files import write_atomically
from harness.guard.threads import same_bits
from harness.identity.content import check_code
from harness.identity.unit import AnyUnit, called, unit_folder
from harness.run.place import Done, Needs, Place
from harness.run.provenance import provenance
from harness.run.record import Record, Timing
from harness.run.stored import (
    PROVENANCE,
    TIMING,
    TRACEBACK,
    inputs_of,
    unit_record,
    write_beside,
    write_record,
)
from harness.workers.memory import forget_peak, peak_bytes


def perform(unit: AnyUnit, needs: Mapping[str, AnyUnit], place: Place) -> Done:
    """Does the work of `unit` and returns what it left."""
    folder = unit_folder(place.run, unit)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRACEBACK).unlink(missing_ok=True)  # of a try before this one
    place = replace(place, data=replace(place.data, limit=unit.spec.limit))
    same_bits(place.device)
    done: Done = called(unit.kind.work)(unit, Needs(needs, place), folder)
    return done


def is_intact(unit: AnyUnit, record: Record, place: Place) -> bool:
    """Returns whether what a unit left outside of the run's folder is there, and as its record says."""
    return not unit.kind.intact or bool(called(unit.kind.intact)(unit, record, place))


def carry_out(unit: AnyUnit, needs: Mapping[str, AnyUnit], place: Place) -> str:
    """Does the work of `unit`, keeps its record, and returns its status."""
    from harness.learn.peers import peers

    started = perf_counter()
    is_own_peak = forget_peak()
    try:
        check_code(unit)
        inputs = inputs_of(place.run, unit, needs.values())
        done = perform(unit, needs, place)
        check_code(unit)
    except Exception as error:  # any failure of a unit is a row with a reason
        reason = place.keys.hidden_in(str(error))
        if not isinstance(error, HarnessError):
            folder = unit_folder(place.run, unit)
            write_atomically(folder / TRACEBACK, place.keys.hidden_in(traceback.format_exc()))
            reason = f"{type(error).__name__}: {reason} (see {folder.name}/{TRACEBACK})."
        write_record(place.run, unit, "failed", reason=reason)
        return "failed"
    timing = Timing(
        seconds=perf_counter() - started + done.elsewhere,
        parts=dict(done.seconds),
        peak_memory_bytes=peak_bytes(),
        is_own_peak=is_own_peak,
        host=socket.gethostname(),
    )
    write_beside(place.run, unit, TIMING, timing.to_json())
    write_beside(place.run, unit, PROVENANCE, provenance(place.device, peers().size))
    write_record(place.run, unit, "ok", result=done.result, about=done.about, inputs=inputs)
    return "ok"


def carry_out_anywhere(unit: AnyUnit, needs: Mapping[str, AnyUnit], place: Place) -> str:
    """Does what `carry_out` does, on a machine where what needs left outside of the run's folder may lack."""
    for need in needs.values():
        record = unit_record(place.run, need) if need.kind.intact else None
        if record is not None and not is_intact(need, record, place):
            assert not need.needs  # such as the preparation of a domain
            with suppress(Exception):  # the unit will say what it lacks
                perform(need, {}, place)
    return carry_out(unit, needs, place)
