"""Where a unit runs, what it needs, and what it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import catalog
from harness.errors import HarnessError
from harness.keys import Keys
from harness.plan import Unit, load_family, unit_folder
from harness.protocol import DataPlace, SourceView
from harness.records import Record, read_record
from harness.space import SearchSpace
from harness.task import Signature, Task


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a unit runs.

    Attributes:
        run: the run's folder.
        data: the data cache.
        device: torch device, `cpu` or `cuda`.
        keys: of endpoints, each for one host; never written.
        replay: a run folder whose transcripts answer instead of a model.
        tables: folders where tables of published results lie.
    """

    run: Path
    data: DataPlace
    device: str = "cpu"
    keys: Keys = field(default_factory=Keys, repr=False)
    replay: Path | None = None
    tables: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Needs:
    """The units that a unit reads, and where they lie."""

    units: Mapping[str, Unit]
    place: Place

    def of(self, kind: str) -> Unit:
        """Returns the needed unit of that kind."""
        return next(unit for unit in self.units.values() if unit.kind == kind)

    def folder(self, kind: str) -> Path:
        """Returns the folder of the needed unit of that kind."""
        return unit_folder(self.place.run, self.of(kind))

    def record(self, kind: str) -> Record:
        """Returns the record of the needed unit of that kind.

        Raises:
            HarnessError: it is gone.
        """
        record = read_record(self.folder(kind) / "record.json")
        if record is None:
            raise HarnessError(f"The {kind} record that this unit needs is gone; run the command again.")
        return record

    def view(self, unit: Unit) -> SourceView:
        """Returns all that the unit may see of its task."""
        task: Task = catalog.load("task", unit.spec["task"])
        return SourceView(unit.spec["task"], task, tuple(unit.spec["sources"]), self.place.data)


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a unit's work left: its result, and seconds by what they went into, which no result holds.

    A list of seconds holds one value per iteration of a search.
    """

    result: dict[str, Any]
    seconds: Mapping[str, float | list[float]] = field(default_factory=dict)


def matched_space(spec: Mapping[str, Any], signature: Signature) -> SearchSpace:
    """Returns the space of a unit's specification, with the parameters that its suite allows.

    They are within the tolerance of the default architecture of the suite's tuned space, or of the space's
    own where the suite has none; a tolerance of 0 allows any.
    """
    family, preset = load_family(spec["space"])
    centre = parameter_target(spec["tuned_space"], signature) if "tuned_space" in spec else None
    return family.matched(preset, signature, spec["parameter_tolerance"] or None, centre=centre)


def parameter_target(name: str, signature: Signature) -> int:
    """Returns the parameters of the default architecture of `SPACE:PRESET` for a task."""
    family, preset = load_family(name)
    space = family.space(preset, signature)
    return space.parameters(space.default())
