"""What `reproduce RUN` does: some units of a run once more, elsewhere, and their bytes beside those kept."""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from harness.checks.finding import Finding
from harness.errors import HarnessError
from harness.files import canonical_json
from harness.identity.content import code_of
from harness.identity.unit import AnyUnit, unit_folder
from harness.run.place import Place
from harness.run.provenance import flat, kind_of, provenance
from harness.run.record import Record
from harness.run.stored import (
    PROVENANCE,
    check_files,
    files_of,
    planned_units,
    read_beside,
    read_plan,
    unit_record,
)
from harness.study.work.units import PREPARE
from harness.workers.perform import perform

TOLERANCE: Final = 0.05
"""How far a number may lie from the kept one, as a share of it, where another kind of machine made it."""


def environment(run: Path) -> list[str]:
    """Returns the command that makes a run, and what it was made with, a line each."""
    plan = read_plan(run)
    lines = [f"command: {plan['command']}"]
    found: dict[str, dict[str, None]] = {}
    for unit in plan["units"]:
        made = read_beside(unit_folder(run, unit), PROVENANCE, unit.name)
        for name, value in flat(made or {}):
            if value is not None:
                found.setdefault(name, {})[str(value)] = None
    return lines + [f"{name}: {' and '.join(values)}" for name, values in sorted(found.items())]


def reproduce(run: Path, place: Place, *, count: int, seed: int) -> Iterator[Finding]:
    """Yields for each of some finished units whether doing it again gives what is kept.

    The units are drawn, at least one of each kind where there are so many. Where a unit was made on this kind
    of machine its bytes must be the same; elsewhere its numbers may differ by `TOLERANCE`.
    """
    import torch

    torch.set_num_threads(1)
    units = {unit.hash: unit for unit in planned_units(run)}
    done = {key: record for key, unit in units.items() if (record := unit_record(run, unit)) is not None}
    here = kind_of(provenance(place.device, 1))
    ended = [units[key] for key, record in done.items() if record.status == "ok"]
    for unit in _drawn([unit for unit in ended if not unit.kind.counts], count, seed):
        record = done[unit.hash]
        name = f"unit {unit.folder}"
        if code_of(unit.kind, unit.spec) != dict(record.code):
            yield Finding(name, False, "its code changed since it ran; see `harness doctor`")
            continue
        check_files(unit_folder(run, unit), record)
        made = read_beside(unit_folder(run, unit), PROVENANCE, unit.name) or {}
        try:
            again = _again(unit, units, run, place)
        except HarnessError as error:
            yield Finding(name, False, f"it cannot be done here: {error}")
            continue
        yield _compared(name, record, again, is_here=kind_of(made) == here)


def _drawn(units: Sequence[AnyUnit], count: int, seed: int) -> list[AnyUnit]:
    """Returns `count` of the units, one of each kind before the second of any."""
    shuffled = list(units)
    random.Random(seed).shuffle(shuffled)
    seen: Counter[str] = Counter()
    rounds: list[int] = []
    for unit in shuffled:
        rounds.append(seen[unit.kind.name])
        seen[unit.kind.name] += 1
    return [shuffled[index] for index in sorted(range(len(shuffled)), key=rounds.__getitem__)[:count]]


def _again(unit: AnyUnit, units: Mapping[str, AnyUnit], run: Path, place: Place) -> Record:
    """Returns what a unit leaves in a folder of its own, with the results that it needs as they are kept."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        needs = {need: units[need] for need in unit.needs}
        (folder / "units").mkdir()
        for need in needs.values():
            unit_folder(folder, need).symlink_to(unit_folder(run, need).resolve(), target_is_directory=True)
        data = place.data
        if unit.kind == PREPARE:  # from the packages, not from what is prepared
            data = replace(data, folder=folder / "data", offline=True)
            data.folder.mkdir()
            (data.folder / "archives").symlink_to((place.data.folder / "archives").resolve())
        done = perform(unit, needs, replace(place, run=folder, data=data, replay=run))
        return Record(
            kind=unit.kind.name,
            hash=unit.hash,
            status="ok",
            result=done.result.to_json(),
            files=files_of(unit_folder(folder, unit)),
        )


def _compared(name: str, kept: Record, again: Record, *, is_here: bool) -> Finding:
    if canonical_json(again.result) == canonical_json(kept.result) and dict(again.files) == dict(kept.files):
        return Finding(name, True, "the same bytes")
    apart = list(_apart(kept.result, again.result, ""))
    files = [file for file in {**kept.files, **again.files} if kept.files.get(file) != again.files.get(file)]
    if is_here:
        what = [*(f"{where}: {one} and now {other}" for where, one, other in apart[:3]), *files]
        return Finding(name, False, f"other bytes on the same kind of machine: {'; '.join(what)}")
    far = [f"{where}: {one} and now {other}" for where, one, other in apart if not _is_near(one, other)]
    if far:
        return Finding(name, False, f"further apart than {TOLERANCE:.0%}: {'; '.join(far[:3])}")
    return Finding(name, True, f"within {TOLERANCE:.0%}, made on another kind of machine")


def _apart(kept: Any, again: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Yields where two JSON values differ."""
    if isinstance(kept, Mapping) and isinstance(again, Mapping):
        for key in sorted({*kept, *again}):
            yield from _apart(kept.get(key), again.get(key), f"{where}.{key}".lstrip("."))
    elif isinstance(kept, list) and isinstance(again, list | tuple) and len(kept) == len(again):
        for index, (one, other) in enumerate(zip(kept, again, strict=True)):
            yield from _apart(one, other, f"{where}[{index}]")
    elif kept != again:
        yield where, kept, again


def _is_near(kept: Any, again: Any) -> bool:
    if isinstance(kept, int | float) and isinstance(again, int | float):
        return abs(kept - again) <= TOLERANCE * max(abs(kept), abs(again))
    return False
