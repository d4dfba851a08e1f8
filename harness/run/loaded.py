"""What a run folder holds: its plan, the records so far and, apart from them, the timings."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import DamagedError, HarnessError
from harness.files import canonical_json, read_sealed
from harness.identity.unit import Unit, unit_folder
from harness.run.provenance import kind_of
from harness.run.record import Record
from harness.run.stored import PROVENANCE, TIMING, read_beside, unit_record
from harness.task.selection import DEFAULT_SELECTION


@dataclass(frozen=True, kw_only=True)
class PlannedUnit:
    """One unit of the plan.

    Attributes:
        kind: prepare, supernet, search, tune, final or score.
        hash: 16 hexadecimal digits.
        spec: everything that defines it.
        needs: hashes of the units it reads.
        name: KIND-DIGITS over kind and parameters, which an edit of code leaves as they are.
        code: label -> digest of what it runs and reads.
    """

    kind: str
    hash: str
    spec: Mapping[str, Any]
    needs: tuple[str, ...]
    name: str = ""
    code: Mapping[str, str] = field(default_factory=dict)


_USUAL = {"selection": DEFAULT_SELECTION}
"""What a unit's specification means where it is silent."""
READ = "the"
"""How the label of a result starts that is not the one that was read."""


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
        made: unit hash -> where its result was made, for units that left one.
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
    made: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def stale(self) -> Mapping[str, tuple[str, ...]]:
        """Unit hash -> what changed since it was made, itself or what it read, where anything did."""
        found: dict[str, tuple[str, ...]] = {}

        def of(unit: PlannedUnit) -> tuple[str, ...]:
            if unit.hash not in found:
                needs = [self._by_hash[need] for need in unit.needs if need in self._by_hash]
                changed = [one for need in needs for one in of(need)]
                found[unit.hash] = tuple(dict.fromkeys([*changed, *self._own(unit, needs)]))
            return found[unit.hash]

        return {unit.hash: changed for unit in self.units if (changed := of(unit))}

    def _own(self, unit: PlannedUnit, needs: Sequence[PlannedUnit]) -> Iterator[str]:
        """Yields what changed of a unit itself, and of its needs, since its result was made."""
        record = self.records.get(unit.hash)
        if record is None or record.status != "ok":
            return
        for label in sorted({*unit.code, *record.code}):
            if unit.code.get(label) != record.code.get(label):
                yield label
        for need in needs:
            there = self.records.get(need.hash)
            if there is None or there.status != "ok":
                continue
            if record.inputs.get(need.name) != there.result_hash:
                yield f"{READ} {_words_of(need)}"

    def changed(self, units: Iterable[PlannedUnit]) -> tuple[str, ...]:
        """Returns what changed since the results of these units were made; nothing where they are current."""
        return tuple(dict.fromkeys(one for unit in units for one in self.stale.get(unit.hash, ())))

    @cached_property
    def machine(self) -> Mapping[str, Any]:
        """The kind of machine that most units of the run were made on."""
        kinds = {canonical_json(kind_of(made)): kind_of(made) for made in self.made.values()}
        counted = Counter(canonical_json(kind_of(made)) for made in self.made.values())
        return kinds[max(sorted(counted), key=counted.__getitem__)] if counted else {}

    def strangers(self, units: Iterable[PlannedUnit]) -> tuple[str, ...]:
        """Returns how the machines that made these units, and what they read, differ from the run's own."""
        found: dict[str, None] = {}
        waiting, seen = list(units), set()
        while waiting:
            unit = waiting.pop()
            if unit.hash in seen:
                continue
            seen.add(unit.hash)
            waiting += [self._by_hash[need] for need in unit.needs if need in self._by_hash]
            made = self.made.get(unit.hash)
            if made is not None and kind_of(made) != self.machine:
                found |= dict.fromkeys(_differences(kind_of(made), self.machine))
            if made is None and self.made and self.result(unit) is not None:
                found["a machine that nobody knows any more"] = None
        return tuple(sorted(found))

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
        plan = read_sealed(path, "run `harness eval` again, which writes it again")
        units = tuple(map(_planned, plan["units"]))
        head = {key: plan[key] for key in ("name", "title", "suite", "limit", "command")}
    except (FileNotFoundError, NotADirectoryError):
        raise HarnessError(
            f"There is no run in {folder} (no plan.json); `harness eval SUITE --out {folder}` makes one."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{path} is no plan ({error}); run the suite again with --fresh.") from error
    records: dict[str, Record] = {}
    timings: dict[str, Mapping[str, Any]] = {}
    made: dict[str, Mapping[str, Any]] = {}
    for unit in units:
        place = unit_folder(folder, unit)
        record = unit_record(folder, unit)
        if record is not None:
            records[unit.hash] = record
        for name, kept in ((TIMING, timings), (PROVENANCE, made)):
            beside = read_beside(place, name, unit.name)
            if beside is not None:
                kept[unit.hash] = beside
    return Run(folder=folder, units=units, records=records, timings=timings, made=made, **head)


def _planned(entry: Mapping[str, Any]) -> PlannedUnit:
    kind, spec = entry["kind"], entry["spec"]
    return PlannedUnit(
        kind=kind,
        hash=entry["hash"],
        spec=_USUAL | spec,
        needs=tuple(entry["needs"]),
        name=Unit(kind=kind, spec=spec).name,
        code=entry["code"],
    )


def _words_of(unit: PlannedUnit) -> str:
    of = "/".join(str(unit.spec[key]) for key in ("task", "domain") if unit.spec.get(key))
    return f"data of {of}" if unit.kind == "prepare" else unit.kind


def _differences(made: Mapping[str, Any], usual: Mapping[str, Any]) -> Iterator[str]:
    """Yields where two kinds of machine differ."""
    for key in sorted({*made, *usual}):
        mine, other = made.get(key), usual.get(key)
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            yield from _differences(mine, other)
        elif mine != other:
            yield f"{key} {mine} against {other}"
