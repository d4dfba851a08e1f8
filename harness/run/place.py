"""Where a unit runs, what it needs, and what it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import catalog
from harness.data.view import DataPlace, SourceView
from harness.errors import HarnessError
from harness.guard.keys import Keys
from harness.identity.unit import Unit, unit_folder
from harness.run.record import Record
from harness.run.stored import read_checked, unit_record
from harness.task.task import Task


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
        is_trusted: whether code that came with lm-eval's YAML tasks may run.
    """

    run: Path
    data: DataPlace
    device: str = "cpu"
    keys: Keys = field(default_factory=Keys, repr=False)
    replay: Path | None = None
    tables: tuple[Path, ...] = ()
    is_trusted: bool = False


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
        record = unit_record(self.place.run, self.of(kind))
        if record is None:
            raise HarnessError(f"The {kind} record that this unit needs is gone; run the command again.")
        return record

    def read(self, kind: str, name: str) -> bytes:
        """Returns the file `name` that the needed unit of that kind left.

        Raises:
            DamagedError: it is not as it was written, or is gone.
        """
        return read_checked(self.folder(kind), self.record(kind), name)

    def view(self, unit: Unit) -> SourceView:
        """Returns all that the unit may see of its task."""
        task: Task = catalog.load("task", unit.spec["task"])
        return SourceView(unit.spec["task"], task, tuple(unit.spec["sources"]), self.place.data)


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a unit's work left.

    Attributes:
        result: what it computed.
        about: what is said of it and was not computed, such as a licence.
        seconds: by what they went into, a list for one value per iteration of a search.
    """

    result: dict[str, Any]
    about: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float | list[float]] = field(default_factory=dict)
