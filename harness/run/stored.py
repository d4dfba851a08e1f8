"""What a unit left in its folder, read only as it was written."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from harness import catalog
from harness.errors import DamagedError, HarnessError
from harness.files import SCHEMA, canonical_json, file_hash, known_hash, read_sealed, sealed, write_atomically
from harness.identity.schema import Schema
from harness.identity.unit import AnyUnit, unit_folder, unit_from_json
from harness.run.record import Record, Speed, input_of, read_record

RECORD: Final = "record.json"
TIMING: Final = "timing.json"
PROVENANCE: Final = "provenance.json"
TRACEBACK: Final = "traceback.txt"
SHOWN: Final = ".shown.json"
"""What a run printed, in its folder, with the hash of all that it follows from."""
DATES: Final = "dates.json"
"""When a run first and last did something, which no result and no board holds."""
LATENCY: Final = "latency.json"
"""How fast the networks of a run answer on some machines, which no result and no board holds."""
APART: Final = frozenset({TIMING, PROVENANCE, SHOWN, DATES, LATENCY, ".lock", "report.html", "report.md"})
"""Files of a run that also say how, where or when it went; all others are the same bytes wherever it runs."""
BESIDE: Final = frozenset({RECORD, TIMING, PROVENANCE, TRACEBACK})
"""Files of a unit's folder that are no part of its result."""
SMALL_BYTES: Final = 2**20
"""Of a file that is hashed as it is read, as hashing takes less than to look whether it changed."""
AGAIN: Final = "run the same `harness eval` again, which makes it again"


def unit_record(run: Path, unit: AnyUnit) -> Record | None:
    """Returns the record of `unit`; None when there is none.

    Raises:
        DamagedError: it is damaged, or another unit's.
        HarnessError: it is of another schema.
    """
    return record_in(unit_folder(run, unit), unit)


def record_in(folder: Path, unit: AnyUnit) -> Record | None:
    """Returns the record of `unit`, whose folder this is; as `unit_record` does."""
    path = f"{folder}/{RECORD}"  # paths of tens of thousands of files take time
    record = read_record(path)
    if record is not None and (record.hash != unit.hash or record.kind != unit.kind.name):
        raise DamagedError(f"{path} is the record of another unit; {AGAIN}.")
    return record


def read_plan(run: Path) -> dict[str, Any]:
    """Returns name, title, suite, limit, command and units of a run's plan, needs before what needs them.

    Raises:
        DamagedError: the plan is not what was written.
        HarnessError: there is no run, or one of another schema, or of an unknown study.
    """
    path = run / "plan.json"
    try:
        plan = read_sealed(path, "run `harness eval` again, which writes it again")
        name = dict(plan["suite"]).get("study")
        if name is None:
            raise HarnessError(
                f"{path} names no study, as an earlier version wrote it; run the `harness eval` again that "
                "made it, which goes on from what is there."
            )
        study = catalog.load("study", str(name))
        kinds = {kind.name: kind for kind in study.kinds}
        units = tuple(unit_from_json(one, kinds) for one in plan["units"])
        head = {key: plan[key] for key in ("name", "title", "limit", "command")}
        return {**head, "suite": study.suite_from_json(plan["suite"]), "units": units}
    except FileNotFoundError:
        raise HarnessError(
            f"There is no run in {run} (no plan.json); `harness eval SUITE --out {run}` makes one."
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(
            f"{path} is no plan ({error}); the `harness eval` that made the run writes it again."
        ) from error


def read_dates(run: Path) -> tuple[str, str] | None:
    """Returns when a run first and last did something; None where nothing says so.

    Raises:
        DamagedError: what said so is damaged.
    """
    try:
        found = read_sealed(run / DATES, "delete it, no result depends on it")
    except FileNotFoundError:
        return None
    return str(found["first"]), str(found["last"])


def write_dates(run: Path, now: str, *, did_something: bool) -> None:
    """Writes that a run did something now, in ISO 8601, and what is damaged anew."""
    try:
        there = read_dates(run)
    except DamagedError:
        there, did_something = None, True
    if did_something:
        first, _ = there or (now, now)
        write_atomically(run / DATES, sealed({"schema": SCHEMA, "first": first, "last": now}))


def read_speeds(run: Path) -> tuple[Speed, ...]:
    """Returns how fast the networks of a run answer, where that was measured.

    Raises:
        DamagedError: what says so is damaged.
    """
    remedy = "delete it and run `harness latency` again, no result depends on it"
    try:
        found = read_sealed(run / LATENCY, remedy)["networks"]
    except FileNotFoundError:
        return ()
    except KeyError as error:
        raise DamagedError(f"{run / LATENCY} lacks its networks; {remedy}.") from error
    return tuple(map(Speed.from_json, found))


def write_speeds(run: Path, speeds: Iterable[Speed]) -> None:
    """Adds how fast networks answer; what was measured again takes the place of what was there."""
    known = {one.place: one for one in (*read_speeds(run), *speeds)}
    networks = [known[place].to_json() for place in sorted(known)]
    write_atomically(run / LATENCY, sealed({"schema": SCHEMA, "networks": networks}))


def planned_units(run: Path) -> list[AnyUnit]:
    """Returns the units of a run's plan; raises as `read_plan` does."""
    return list(read_plan(run)["units"])


def inputs_of(run: Path, unit: AnyUnit, needs: Iterable[AnyUnit]) -> dict[str, str]:
    """Returns name of each unit that a unit needs -> hash of what it reads of its result.

    Raises:
        DamagedError: one has none, or a damaged one.
    """
    found = []
    for need in needs:
        record = unit_record(run, need)
        if record is None or record.status != "ok":
            raise DamagedError(f"{unit_folder(run, need) / RECORD} is gone; {AGAIN}.")
        found.append(input_of(unit, need, record))
    return dict(found)


def files_of(folder: Path) -> dict[str, str]:
    """Returns name -> sha256 of every file that belongs to a unit's result, below its folder.

    Raises:
        DamagedError: one cannot be read.
    """
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    try:
        return {
            name: file_hash(path)
            for name, path in paths.items()
            if path.is_file() and name not in BESIDE and not path.name.startswith(".part-")
        }
    except OSError as error:
        raise DamagedError(f"{error.filename} is gone or cannot be read ({error.strerror}).") from error


def check_files(folder: Path, record: Record) -> None:
    """Makes sure that all files of a result are as they were written."""
    for name in record.files:
        read_checked(folder, record, name, whole=False)


def read_checked(folder: Path, record: Record, name: str, *, whole: bool = True) -> bytes:
    """Returns a file of a unit's result.

    Raises:
        DamagedError: it is not as it was written, or is gone.
    """
    path = folder / name
    wanted = record.files.get(name)
    if wanted is None:
        raise DamagedError(f"{folder / RECORD} knows no file {name}; {AGAIN}.")
    try:
        small = whole or path.stat().st_size < SMALL_BYTES
        data = path.read_bytes() if small else b""
        found = hashlib.sha256(data).hexdigest() if small else known_hash(path)
    except OSError as error:
        raise DamagedError(f"{path} is gone or cannot be read ({error.strerror}); {AGAIN}.") from error
    if found != wanted:
        raise DamagedError(f"{path} is damaged: it is not what was written; {AGAIN}.")
    return data


def write_record(
    run: Path,
    unit: AnyUnit,
    status: Literal["ok", "failed", "skipped"],
    *,
    reason: str | None = None,
    result: Schema | None = None,
    about: Mapping[str, Any] | None = None,
    inputs: Mapping[str, str] | None = None,
) -> Record:
    """Writes the record of `unit`, the last thing a unit does, and returns it."""
    folder = unit_folder(run, unit)
    if status == "ok":
        (folder / TRACEBACK).unlink(missing_ok=True)  # of an earlier try
    record = Record(
        kind=unit.kind.name,
        hash=unit.hash,
        status=status,
        reason=reason,
        spec=unit.spec.to_json(),
        asked=unit.spec.asked(inputs or {}),
        code=unit.code,
        inputs=inputs or {},
        result=json.loads(canonical_json(result.to_json() if result else {})),  # as a reader will have it
        about=about or {},
        files=files_of(folder) if status == "ok" else {},
    )
    write_atomically(folder / RECORD, record.to_json())
    return record


def write_beside(run: Path, unit: AnyUnit, name: str, value: Mapping[str, Any]) -> None:
    """Writes what lies beside a record and is no part of its result, such as its provenance."""
    write_atomically(unit_folder(run, unit) / name, beside(unit.name, value))


def beside(unit: str, value: Mapping[str, Any]) -> str:
    """Returns the text of a file that lies beside the record of a unit of this name."""
    return sealed({"schema": SCHEMA, "unit": unit, **value})


def read_beside(folder: Path, name: str, unit: str) -> dict[str, Any] | None:
    """Returns what `write_beside` wrote; None when there is nothing.

    Raises:
        DamagedError: it is damaged, or another unit's.
    """
    try:
        value = read_sealed(
            f"{folder}/{name}", "delete it, no result depends on it, or run `harness eval` again"
        )
    except FileNotFoundError:
        return None
    if value.pop("unit", None) != unit:
        raise DamagedError(f"{folder / name} is another unit's; delete it, no result depends on it.")
    del value["schema"]
    return value
