"""What a run folder holds: its plan, the records so far and, apart from them, the timings."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.paths import path_part
from harness.records import SCHEMA, Record, read_record
from harness.task import DEFAULT_SELECTION


@dataclass(frozen=True, kw_only=True)
class PlannedUnit:
    """One unit of the plan.

    Attributes:
        kind: prepare, supernet, search, tune, final or score.
        hash: 16 hexadecimal digits.
        spec: everything that defines it.
        needs: hashes of the units it reads.
    """

    kind: str
    hash: str
    spec: Mapping[str, Any]
    needs: tuple[str, ...]


_USUAL = {"selection": DEFAULT_SELECTION}
"""What a unit's specification means where it is silent."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as far as it has come.

    Attributes:
        folder: where it lies.
        name: the suite's name.
        title: the suite's title.
        suite: the resolved suite table.
        limit: largest number of samples of each split; None for all.
        command: what makes this run.
        units: every planned unit.
        records: unit hash -> record, for units that left one.
        timings: unit hash -> seconds, peak_memory_bytes, host; not part of any result.
    """

    folder: Path
    name: str
    title: str
    suite: Mapping[str, Any]
    limit: int | None
    command: str
    units: tuple[PlannedUnit, ...]
    records: Mapping[str, Record]
    timings: Mapping[str, Mapping[str, Any]]

    def planned(self, kind: str, **spec: Any) -> Iterator[PlannedUnit]:
        """Yields the units of `kind` whose spec holds all of `spec`, in an order that the specs fix."""
        for unit in self._ordered.get(kind, ()):
            if all(unit.spec.get(key) == value for key, value in spec.items()):
                yield unit

    @cached_property
    def _ordered(self) -> dict[str, list[PlannedUnit]]:
        """Kind -> its units in the order that their specs fix."""
        kinds: dict[str, list[PlannedUnit]] = {}
        for unit in sorted(self.units, key=lambda unit: (_order(unit.spec), unit.hash)):
            kinds.setdefault(unit.kind, []).append(unit)
        return kinds

    @cached_property
    def _by_hash(self) -> dict[str, PlannedUnit]:
        return {unit.hash: unit for unit in self.units}

    def needed(self, unit: PlannedUnit, kind: str) -> PlannedUnit | None:
        """Returns the unit of `kind` that `unit` needs, directly or not; None when it needs none."""
        for need in unit.needs:
            other = self._by_hash.get(need)
            if other is None:
                continue
            found = other if other.kind == kind else self.needed(other, kind)
            if found is not None:
                return found
        return None

    def result(self, unit: PlannedUnit | None) -> Mapping[str, Any] | None:
        """Returns the unit's result, or None when it has no successful record."""
        record = self.records.get(unit.hash) if unit is not None else None
        return record.result if record is not None and record.status == "ok" else None


def _order(spec: Mapping[str, Any]) -> tuple[str, ...]:
    keys = ("task", "method", "searcher", "space", "domain", "seed", "select_seed", "report_seed")
    return tuple(f"{spec.get(key)!s:>12}" for key in keys)


def load_run(folder: Path) -> Run:
    """Returns the run in `folder`.

    Raises:
        HarnessError: there is no run, or one of its files is damaged or of another schema.
    """
    path = folder / "plan.json"
    try:
        plan = json.loads(path.read_bytes())
        if plan["schema"] != SCHEMA:
            raise HarnessError(f"{path} has schema {plan['schema']}, this version reads {SCHEMA}.")
        units = tuple(
            PlannedUnit(
                kind=one["kind"], hash=one["hash"], spec=_USUAL | one["spec"], needs=tuple(one["needs"])
            )
            for one in plan["units"]
        )
        head = {key: plan[key] for key in ("name", "title", "suite", "limit", "command")}
    except (FileNotFoundError, NotADirectoryError):
        raise HarnessError(
            f"There is no run in {folder} (no plan.json); `harness eval SUITE --out {folder}` makes one."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{path} is damaged ({error}); run the suite again with --fresh.") from error
    records: dict[str, Record] = {}
    timings: dict[str, Mapping[str, Any]] = {}
    for unit in units:
        place = folder / "units" / path_part("unit", f"{unit.kind}-{unit.hash}")
        record = read_record(place / "record.json")
        if record is not None:
            records[unit.hash] = record
        timing = _read_timing(place / "timing.json")
        if timing is not None:
            timings[unit.hash] = timing
    return Run(folder=folder, units=units, records=records, timings=timings, **head)


def _read_timing(path: Path) -> Mapping[str, Any] | None:
    try:
        timing = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise HarnessError(f"{path} is damaged ({error}); delete it, no result depends on it.") from error
    return timing if isinstance(timing, dict) else None
