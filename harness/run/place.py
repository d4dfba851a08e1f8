"""Where a unit runs, what it needs, and what it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.data.view import DataPlace, SourceView
from harness.errors import HarnessError
from harness.guard.keys import Keys
from harness.identity.schema import Schema
from harness.identity.unit import AnyUnit, R, S, Unit, UnitKind, unit_folder
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


class Sighted(Protocol):
    """Parameters of a unit that sees source domains of a task.

    Attributes:
        task: catalog name.
        seen: the task, in windows of the unit's own context.
        sources: domains of it.
    """

    @property
    def task(self) -> str: ...
    @property
    def seen(self) -> Task: ...
    @property
    def sources(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Needs:
    """The units that a unit reads, and where they lie."""

    units: Mapping[str, AnyUnit]
    place: Place

    def find(self, kind: UnitKind[S, R]) -> Unit[S, R] | None:
        """Returns the needed unit of that kind; None where none is needed."""
        return next((unit for unit in self.units.values() if unit.kind == kind), None)  # type: ignore[return-value]

    def of(self, kind: UnitKind[S, R]) -> Unit[S, R]:
        """Returns the needed unit of that kind, which there is."""
        found = self.find(kind)
        assert found is not None
        return found

    def record(self, kind: UnitKind[S, R]) -> Record:
        """Returns the record of the needed unit of that kind."""
        record = unit_record(self.place.run, self.of(kind))
        if record is None:
            raise HarnessError(f"The {kind} record that this unit needs is gone; run the command again.")
        return record

    def result(self, kind: UnitKind[S, R]) -> R:
        """Returns what the needed unit of that kind computed."""
        return kind.result.from_json(self.record(kind).result)

    def read(self, kind: UnitKind[S, R], name: str) -> bytes:
        """Returns the file `name` that the needed unit of that kind left.

        Raises:
            DamagedError: it is not as it was written, or is gone.
        """
        return read_checked(unit_folder(self.place.run, self.of(kind)), self.record(kind), name)

    def view(self, spec: Sighted) -> SourceView:
        """Returns all that a unit may see of its task."""
        return SourceView(spec.task, spec.seen, spec.sources, self.place.data)


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a unit's work left: a result, what is said of it but not computed (a licence), and seconds.

    Seconds are told by what they went into, a list for one value per iteration of a search. `elsewhere` are
    those that others spent on what it took from them, less what it took to wait for that.
    """

    result: Schema
    about: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float | list[float]] = field(default_factory=dict)
    elsewhere: float = 0.0
