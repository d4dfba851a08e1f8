"""Records: the JSON a unit leaves behind, written atomically and named by what went in."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.errors import HarnessError

SCHEMA = 1
Status = Literal["ok", "failed", "skipped"]


def canonical_json(value: Any, *, indent: int | None = None) -> str:
    """Returns the one JSON text of `value`: sorted keys, no NaN, no spaces unless indented.

    Raises:
        ValueError: a float is not finite.
    """
    separators = (",", ": ") if indent else (",", ":")
    return json.dumps(
        value, sort_keys=True, allow_nan=False, ensure_ascii=False, indent=indent, separators=separators
    )


def content_hash(value: Any) -> str:
    """Returns 16 hexadecimal digits of the sha256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode(errors="backslashreplace")).hexdigest()[:16]


def write_atomically(path: Path, data: bytes | str) -> None:
    """Writes `data` so that a reader, or a crash, sees the old file or the new one, never a part.

    Raises:
        HarnessError: the disk is full or the folder cannot be written.
    """
    # Half of a surrogate pair, as in the name of a file that is not UTF-8, is written as JSON escapes it.
    payload = data.encode(errors="backslashreplace") if isinstance(data, str) else data
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".part-{os.getpid()}-{path.name}"
        try:
            with temporary.open("wb") as file:
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise HarnessError(
            f"Cannot write {path}: {error.strerror}; free space or choose another folder."
        ) from error


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one unit left.

    Attributes:
        kind: unit kind: prepare, supernet, search, final or score.
        hash: content hash of the unit, 16 hexadecimal digits.
        status: ok, failed (it raised) or skipped (something it needs failed).
        reason: one sentence when the status is not ok.
        spec: everything that defines the unit.
        result: scores, costs and choices; empty unless ok.
        provenance: versions and hashes that the result depends on.
    """

    kind: str
    hash: str
    status: Status
    reason: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Returns the record's file text."""
        return canonical_json({"schema": SCHEMA, **self.__dict__}, indent=1) + "\n"


def read_record(path: Path) -> Record | None:
    """Returns the record in the file `path`, or None when there is none.

    Raises:
        HarnessError: the file is damaged or of another schema.
    """
    try:
        fields = json.loads(path.read_bytes())
        schema = fields.pop("schema")
        if schema != SCHEMA:
            raise HarnessError(
                f"{path} has record schema {schema}, this version reads {SCHEMA}; "
                "use --fresh or another --out."
            )
        return Record(**fields)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise HarnessError(
            f"{path} is damaged ({error}); delete its folder and run the command again."
        ) from error
