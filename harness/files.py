"""Records: the JSON a unit leaves behind, written atomically, named by what went in, and sealed.

A seal is a checksum that is the last member of a JSON file. It guards against accident, not against a forger.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.errors import DamagedError, HarnessError

SCHEMA = 2
"""Of all JSON files of a run; what another schema wrote is refused, as its units are other ones."""


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


_SEAL: Final = re.compile(rb',\n "checksum": "([0-9a-f]{64})"\n}\n\Z')


def sealed(value: Mapping[str, Any]) -> str:
    """Returns the text of a JSON file whose last member is the sha256 of all before it."""
    body = canonical_json(value, indent=1).removesuffix("\n}")
    seal = hashlib.sha256(body.encode(errors="backslashreplace")).hexdigest()
    return f'{body},\n "checksum": "{seal}"\n}}\n'


def read_sealed(path: Path, remedy: str) -> dict[str, Any]:
    """Returns what `sealed` wrote into the file `path`, without its checksum.

    Args:
        path: of the file.
        remedy: what to do where it is damaged, without a full stop.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: it is not as it was written.
    """
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        raise DamagedError(f"{path} cannot be read ({error.strerror}); {remedy}.") from error
    seal = _SEAL.search(raw)
    if seal is None or hashlib.sha256(raw[: seal.start()]).hexdigest() != seal[1].decode():
        schema = _schema(raw)
        if seal is None and schema not in (None, SCHEMA):
            raise HarnessError(
                f"{path} has schema {schema}, this version reads {SCHEMA}; use --fresh or another --out."
            )
        raise DamagedError(f"{path} is damaged: it is not what was written; {remedy}.")
    value: dict[str, Any] = json.loads(raw)
    del value["checksum"]
    if value.get("schema", SCHEMA) != SCHEMA:
        raise HarnessError(
            f"{path} has schema {value['schema']}, this version reads {SCHEMA}; use --fresh or another --out."
        )
    return value


def _schema(raw: bytes) -> Any:
    """Returns the schema that an unsealed file of an earlier version says; None where it is no such file."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value.get("schema") if isinstance(value, dict) else None


def file_hash(path: Path) -> str:
    """Returns the sha256 of a file, 64 hexadecimal digits.

    Raises:
        DamagedError: it is gone or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DamagedError(f"{path} is gone or cannot be read ({error.strerror}).") from error
