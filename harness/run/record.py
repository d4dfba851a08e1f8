"""Records: the JSON that a unit leaves behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from harness.errors import DamagedError
from harness.files import SCHEMA, content_hash, read_sealed, sealed
from harness.identity.schema import Schema
from harness.identity.unit import AnyUnit, input_key

Status = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one unit left.

    Attributes:
        kind: unit kind: prepare, supernet, search, final or score.
        hash: plan key of the unit, 16 hexadecimal digits.
        status: ok, failed (it raised) or skipped (something it needs failed).
        reason: one sentence when the status is not ok.
        spec: the unit's parameters.
        code: label -> digest of what it ran and read, as it was then.
        asked: parameters that say who asked for the unit and decide nothing.
        inputs: unit that it needs, as KIND-NAME, -> hash of the result that it read; where it reads some
            members of it alone, the kind -> their hash.
        result: scores, costs and choices; empty unless ok.
        about: what is said of the result and was not computed, such as a licence.
        files: name -> sha256 of every other file that belongs to the result.
    """

    kind: str
    hash: str
    status: Status
    reason: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    asked: Sequence[str] = ()
    code: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def result_hash(self) -> str:
        """16 hexadecimal digits over what the unit computed, and nothing else."""
        return content_hash([self.result, dict(self.files)])

    @cached_property
    def input_key(self) -> str:
        """16 hexadecimal digits over the unit apart from its needs, and over what it read of them."""
        return input_key(self.kind, self.spec, self.asked, self.code, self.inputs)

    def to_json(self) -> str:
        """Returns the record's file text."""
        return sealed({"schema": SCHEMA, **{one.name: self.__dict__[one.name] for one in fields(self)}})


def input_of(reader: AnyUnit, need: AnyUnit, record: Record) -> tuple[str, str]:
    """Returns name and hash of what a unit reads of another, of which this is the record."""
    members = reader.kind.takes.get(need.kind.name)
    if members is None:
        return need.name, record.result_hash
    return need.kind.name, content_hash([record.result.get(member) for member in members])


def read_record(path: Path | str) -> Record | None:
    """Returns the record in the file `path`, or None when there is none.

    Raises:
        DamagedError: the file is damaged.
        HarnessError: it is of another schema.
    """
    try:
        fields = read_sealed(path, "run the same command again, which makes it again")
        del fields["schema"]
        return Record(**fields)
    except FileNotFoundError:
        return None
    except (TypeError, KeyError) as error:
        raise DamagedError(f"{path} is no record ({error}); delete its folder and run again.") from error


@dataclass(frozen=True, kw_only=True)
class Timing(Schema):
    """What a unit took; it lies beside its record and is no part of a result.

    Attributes:
        seconds: of its work, those of what it took from others included, as if it had made it.
        parts: what they went into -> seconds, a list for one value per iteration of a search.
        peak_memory_bytes: resident in its process.
        host: name of the machine.
        is_own_peak: whether the peak is of this unit; else it is of all that its process had done.
    """

    seconds: float
    parts: Mapping[str, float | list[float]]
    peak_memory_bytes: int
    host: str
    is_own_peak: bool = False

    def part(self, name: str) -> float | None:
        """Returns the seconds of a part; None where it has none."""
        found = self.parts.get(name)
        return found if isinstance(found, float | int) else None


@dataclass(frozen=True, kw_only=True)
class Speed(Schema):
    """How fast a network answers on a machine; it lies in the run's folder and is no part of a result.

    Attributes:
        network: 16 hexadecimal digits over what builds it.
        device: name of the processor, or of the GPU.
        threads: that torch used.
        p50: median seconds of a call with one sample.
        p95: 95th percentile of the same.
        calls: with one sample, that were timed.
        batch_size: samples of a call of the throughput.
        throughput: samples a second.
        busy: processors that other processes used around the measurement.
        processors: of the machine.
    """

    network: str
    device: str
    threads: int
    p50: float
    p95: float
    calls: int
    batch_size: int
    throughput: float
    busy: float
    processors: int

    @property
    def place(self) -> tuple[str, str, int, int]:
        """What was measured, and how; a later measurement of the same takes its place."""
        return self.network, self.device, self.threads, self.batch_size

    @property
    def is_disturbed(self) -> bool:
        """Whether other processes left too few processors."""
        return self.busy + self.threads > self.processors
