"""What a run folder holds: its plan, the records so far and, apart from them, the timings."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from harness.files import canonical_json, content_hash
from harness.identity.schema import Schema
from harness.identity.unit import AnyUnit, R, S, Unit, UnitKind, apart, unit_folder
from harness.run.provenance import flat, kind_of
from harness.run.record import Record, Speed, Timing, input_of
from harness.run.stored import PROVENANCE, TIMING, read_beside, read_dates, read_plan, read_speeds, record_in

READ = "the"
"""How the label of a result starts that is not the one that was read."""


class AnySuite(Protocol):
    """A suite, as every study keeps it."""

    @property
    def study(self) -> str:
        """Catalog name of the study."""
        ...


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as far as it has come.

    Attributes:
        folder: where it lies.
        name: the suite's name.
        title: the suite's title.
        suite: the resolved suite, as its study keeps it.
        limit: largest number of samples of each split; None for all.
        command: what makes this run.
        units: every planned unit.
        records: unit hash -> record, for units that left one.
        timings: unit hash -> what it took; not part of any result.
        made: unit hash -> where its result was made, for units that left one.
        folders: unit hash -> where its result lies, where that is not in `folder`.
        data: the data cache of this machine, for who shows samples; None where it was not said.
        dates: when it first and last did something, in ISO 8601; None where nothing says so.
        speeds: of networks, on machines where `harness latency` measured them; not part of any result.
    """

    folder: Path
    name: str
    title: str
    suite: AnySuite
    limit: int | None
    command: str
    units: tuple[AnyUnit, ...]
    records: Mapping[str, Record]
    timings: Mapping[str, Timing]
    made: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folders: Mapping[str, Path] = field(default_factory=dict)
    data: Path | None = None
    dates: tuple[str, str] | None = None
    speeds: tuple[Speed, ...] = ()

    def place(self, unit: AnyUnit) -> Path:
        """Returns the folder of a unit's result."""
        return self.folders.get(unit.hash) or unit_folder(self.folder, unit)

    @cached_property
    def stale(self) -> Mapping[str, tuple[str, ...]]:
        """Unit hash -> what changed since it was made, itself or what it read, where anything did."""
        found: dict[str, tuple[str, ...]] = {}
        for unit in self.units:  # needs come first
            needs = [self._by_hash[need] for need in unit.needs if need in self._by_hash]
            changed = [one for need in needs for one in found.get(need.hash, ())]
            found[unit.hash] = tuple(dict.fromkeys([*changed, *self._own(unit, needs)]))
        return {key: changed for key, changed in found.items() if changed}

    def _own(self, unit: AnyUnit, needs: Sequence[AnyUnit]) -> Iterator[str]:
        """Yields what changed of a unit itself, and of its needs, since its result was made."""
        record = self.records.get(unit.hash)
        if record is None or record.status != "ok":
            return
        yield from apart(unit.code, record.code)
        for need in needs:
            there = self.records.get(need.hash)
            if there is None or there.status != "ok":
                continue
            name, result = input_of(unit, need, there)
            if record.inputs.get(name) != result:
                yield f"{READ} {need.spec.data or need.kind}"

    def changed(self, units: Iterable[AnyUnit]) -> tuple[str, ...]:
        """Returns what changed since the results of these units were made; nothing where they are current."""
        return tuple(dict.fromkeys(one for unit in units for one in self.stale.get(unit.hash, ())))

    @cached_property
    def machine(self) -> Mapping[str, Any]:
        """The kind of machine that most units of the run were made on."""
        counted: Counter[str] = Counter()
        for made, count in self._made_alike.items():
            counted[canonical_json(kind_of(json.loads(made)))] += count
        usual = max(sorted(counted), key=counted.__getitem__, default="{}")
        return dict(json.loads(usual))

    @cached_property
    def versions(self) -> Mapping[str, set[str]]:
        """What results may depend on besides their units -> every value that it had."""
        found: dict[str, set[str]] = {}
        for name, value in chain.from_iterable(flat(json.loads(made)) for made in self._made_alike):
            found.setdefault(name, set()).add(str(value))
        return found

    @cached_property
    def _made_alike(self) -> Counter[str]:
        """Where results were made, as JSON -> how many of them; there are few."""
        return Counter(map(canonical_json, self.made.values()))

    @property
    def digests(self) -> Mapping[str, str]:
        """What the run is -> 16 hexadecimal digits: its plan, all code that it names, its results."""
        code = {label: digest for unit in self.units for label, digest in unit.code.items()}
        results = {key: record.result_hash for key, record in self.records.items() if record.status == "ok"}
        return {
            "plan": content_hash(sorted(unit.hash for unit in self.units)),
            "entries and engine": content_hash(sorted(code.items())),
            "records": content_hash(sorted(results.items())),
        }

    def strangers(self, units: Iterable[AnyUnit]) -> tuple[str, ...]:
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

    def planned(self, *kinds: UnitKind[S, R]) -> list[Unit[S, R]]:
        """Returns the units of these kinds, in an order that their specifications fix."""
        found = [unit for kind in kinds for unit in self._ordered.get(kind.name, ())]
        return found  # type: ignore[return-value]

    @cached_property
    def _ordered(self) -> dict[str, list[AnyUnit]]:
        """Kind -> its units in the order that their specs fix."""
        alike: dict[tuple[str, Any], list[AnyUnit]] = {}
        for unit in self.units:
            alike.setdefault((unit.kind.name, unit.spec.order), []).append(unit)
        kinds: dict[str, list[AnyUnit]] = {}
        for kind, order in sorted(alike):
            units = alike[kind, order]
            if len(units) > 1:
                units.sort(key=lambda one: canonical_json(one.to_json()["spec"]))
            kinds.setdefault(kind, []).extend(units)
        return kinds

    @cached_property
    def _by_hash(self) -> dict[str, AnyUnit]:
        return {unit.hash: unit for unit in self.units}

    def needed(self, unit: AnyUnit, kind: UnitKind[S, R]) -> Unit[S, R] | None:
        """Returns the unit of `kind` that `unit` needs, directly or not; None when it needs none."""
        asked = unit.hash, kind.name
        if asked not in self._needed:
            others = (self._by_hash[need] for need in unit.needs if need in self._by_hash)
            found = (other if other.kind.name == kind.name else self.needed(other, kind) for other in others)
            self._needed[asked] = next((one for one in found if one is not None), None)
        return self._needed[asked]  # type: ignore[return-value]

    @cached_property
    def _needed(self) -> dict[tuple[str, str], AnyUnit | None]:
        """Plan key and kind -> what was looked for once."""
        return {}

    def result(self, unit: Unit[S, R] | None) -> R | None:
        """Returns what the unit computed, or None when it has no successful record.

        Raises:
            DamagedError: it is not what units of its kind compute.
        """
        record = self.records.get(unit.hash) if unit is not None else None
        if unit is None or record is None or record.status != "ok":
            return None
        if unit.hash not in self._results:
            self._results[unit.hash] = unit.kind.result.from_json(record.result)
        return self._results[unit.hash]  # type: ignore[return-value]

    @cached_property
    def _results(self) -> dict[str, Schema]:
        """Plan key -> what was read of its record, once."""
        return {}

    @property
    def study(self) -> str:
        """Catalog name of the study."""
        return str(self.suite.study)


def load_run(folder: Path) -> Run:
    """Returns the run in `folder`.

    Raises:
        HarnessError: there is no run, or one of its files is damaged or of another schema.
    """
    plan = read_plan(folder)
    records: dict[str, Record] = {}
    timings: dict[str, Timing] = {}
    made: dict[str, Mapping[str, Any]] = {}
    for unit in plan["units"]:
        place = unit_folder(folder, unit)
        if (record := record_in(place, unit)) is not None:
            records[unit.hash] = record
        if (timing := read_beside(place, TIMING, unit.name)) is not None:
            timings[unit.hash] = Timing.from_json(timing)
        if (beside := read_beside(place, PROVENANCE, unit.name)) is not None:
            made[unit.hash] = beside
    beside = {"dates": read_dates(folder), "speeds": read_speeds(folder)}
    return Run(folder=folder, records=records, timings=timings, made=made, **beside, **plan)


def _differences(made: Mapping[str, Any], usual: Mapping[str, Any]) -> Iterator[str]:
    """Yields where two kinds of machine differ."""
    mine, other = dict(flat(made)), dict(flat(usual))
    for key in sorted({*mine, *other}):
        if mine.get(key) != other.get(key):
            yield f"{key.split()[-1]} {mine.get(key)} against {other.get(key)}"
