"""Files of a run: JSON written atomically and sealed, journals that are appended to, and hashes of files.

A seal is a checksum that is the last member of a JSON file; a journal has one in every line. They guard
against accident, not against a forger.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from io import BufferedWriter, FileIO
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
    return _encoder(indent).encode(value)


@cache
def _encoder(indent: int | None) -> json.JSONEncoder:
    separators = (",", ": ") if indent else (",", ":")
    return json.JSONEncoder(
        sort_keys=True, allow_nan=False, ensure_ascii=False, indent=indent, separators=separators
    )


def content_hash(value: Any) -> str:
    """Returns 16 hexadecimal digits of the sha256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode(errors="backslashreplace")).hexdigest()[:16]


def process_name(number: int | None = None) -> str:
    """Returns what tells a process of this machine, by default this one, from all that write now anywhere."""
    return f"{os.getpid() if number is None else number}-{_machine()}"


@cache
def _machine() -> str:
    return content_hash(os.uname().nodename)


def write_atomically(path: Path, data: bytes | str) -> None:
    """Writes `data` so that a reader, or a crash, sees the old file or the new one, never a part.

    Raises:
        HarnessError: the disk is full or the folder cannot be written.
    """
    # Half of a surrogate pair, as in the name of a file that is not UTF-8, is written as JSON escapes it.
    payload = data.encode(errors="backslashreplace") if isinstance(data, str) else data
    try:
        temporary = path.parent / f".part-{process_name()}-{path.name}"
        try:
            with _opened(temporary) as file:
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def _opened(path: Path) -> BufferedWriter:
    """Opens a file to write, in a folder that is made where it is not there."""
    try:
        return path.open("wb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")


@contextmanager
def folder_beside(place: Path) -> Iterator[Path]:
    """Yields a new folder beside `place`, to be renamed, and takes away what is left, whatever happens.

    Raises:
        HarnessError: it cannot be made.
    """
    made = place.parent / f".part-{process_name()}-{place.name}"
    try:
        made.mkdir(parents=True)
    except OSError as error:
        raise unwritable(made, error) from error
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


_SEAL: Final = re.compile(rb',\n "checksum": "([0-9a-f]{64})"\n}\n\Z')
_SEAL_BYTES: Final = len(',\n "checksum": ""\n}\n') + 64


def sealed(value: Mapping[str, Any]) -> str:
    """Returns the text of a JSON file whose last member is the sha256 of all before it."""
    body = canonical_json(value, indent=1).removesuffix("\n}")
    seal = hashlib.sha256(body.encode(errors="backslashreplace")).hexdigest()
    return f'{body},\n "checksum": "{seal}"\n}}\n'


def read_sealed(path: Path | str, remedy: str) -> dict[str, Any]:
    """Returns what `sealed` wrote into the file `path`, without its checksum.

    Args:
        path: of the file.
        remedy: what to do where it is damaged, without a full stop.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: it is not as it was written.
    """
    try:
        place = os.open(path, os.O_RDONLY)  # of tens of thousands: buffers take time
        try:
            raw = b"".join(iter(lambda: os.read(place, 2**20), b""))
        finally:
            os.close(place)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        raise DamagedError(f"{path} cannot be read ({error.strerror}); {remedy}.") from error
    return unsealed(raw, path, remedy)


def unsealed(raw: bytes, path: Path | str, remedy: str) -> dict[str, Any]:
    """Returns what `sealed` wrote, without its checksum, from the bytes of the file `path`.

    Raises:
        DamagedError: they are not as they were written.
    """
    seal = _SEAL.match(raw, max(0, len(raw) - _SEAL_BYTES))
    is_whole = seal is not None and hashlib.sha256(raw[: seal.start()]).hexdigest() == seal[1].decode()
    try:
        value = json.loads(raw.decode())
        schema = value.get("schema", SCHEMA)
    except (ValueError, AttributeError, RecursionError):
        value, schema = {}, SCHEMA
    if schema != SCHEMA and (is_whole or seal is None):  # whole, or from before there were seals
        raise HarnessError(
            f"{path} has schema {schema}, this version reads {SCHEMA}; take another --out, or delete it with "
            "all beside it."
        )
    if not is_whole:
        raise DamagedError(f"{path} is damaged: it is not what was written; {remedy}.")
    del value["checksum"]
    return dict(value)


def checked_line(of: Sequence[Any], entry: Mapping[str, Any]) -> bytes:
    """Returns a line of JSON that holds `entry` and a checksum over its values and over what it is `of`."""
    return f"{canonical_json({**entry, 'checksum': content_hash([*of, *entry.values()])})}\n".encode()


def read_line(of: Sequence[Any], names: Sequence[str], line: bytes) -> dict[str, Any] | None:
    """Returns the entry of a line; None where it is not, to the byte, what `checked_line` made.

    So a line that a kill cut short, one that was changed and one of something else are all as good as none.

    Args:
        of: whose line it should be, and where it should stand.
        names: the members of its entry, in the order in which its checksum covers them.
        line: with its newline.
    """
    try:
        value = json.loads(line)
        entry = {name: value[name] for name in names}
        return entry if line == checked_line(of, entry) else None
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def append_line(file: FileIO, line: bytes) -> None:
    """Adds a line to the end of a file opened without a buffer, so that it outlives a crash of the machine.

    Raises:
        HarnessError: the disk is full or the file cannot be written.
    """
    try:
        if file.write(line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
    except OSError as error:
        raise unwritable(Path(file.name), error) from error


class Journal:
    """A file of checked lines that one process appends to, and reads to go on after a kill.

    A line's checksum covers its owner and its place, so what follows a line that is as good as none is not
    believed either. Before a line is appended, the file is made to hold the believed ones and nothing else.

    Attributes:
        path: of the file; None keeps the entries in memory alone.
        entries: what is believed, each with the journal's names as members.
    """

    def __init__(self, path: Path | None, owner: str, names: tuple[str, ...]) -> None:
        """Reads the file, if there is one; the entries of another `owner` are not believed."""
        self.path = path
        self.entries: list[dict[str, Any]] = []
        self._owner = owner
        self._names = names
        self._size: int | None = None  # of the file, once it holds the entries and nothing else
        data = path.read_bytes() if path is not None and path.exists() else b""
        for line in data.splitlines(keepends=True):
            entry = read_line([owner, len(self.entries)], names, line)
            if entry is None:
                break
            self.entries.append(entry)

    def append(self, **entry: Any) -> None:
        """Adds an entry, whose values are plain JSON, in memory and on disk.

        Raises:
            HarnessError: the disk is full or the file cannot be written.
        """
        self.settle()
        self.entries.append({name: entry[name] for name in self._names})
        if self.path is None or self._size is None:
            return
        line = self._line(len(self.entries) - 1)
        try:
            file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise unwritable(self.path, error) from error
        with file:
            append_line(file, line)
        self._size += len(line)

    def cut(self, length: int) -> None:
        """Forgets all entries but the first `length`."""
        if length < len(self.entries):
            del self.entries[length:]
            self._size = None

    def settle(self) -> None:
        """Makes the file hold the entries and nothing else."""
        if self.path is None:
            return
        there = self.path.stat().st_size if self.path.exists() else None
        if there is None or there != self._size:
            whole = b"".join(map(self._line, range(len(self.entries))))
            if there is None or self.path.read_bytes() != whole:
                write_atomically(self.path, whole)
            self._size = len(whole)

    def _line(self, index: int) -> bytes:
        return checked_line([self._owner, index], self.entries[index])


def file_hash(path: Path) -> str:
    """Returns the sha256 of a file, 64 hexadecimal digits.

    Raises:
        OSError: it is gone or cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_hash(path: Path) -> str:
    """Returns what `file_hash` does; a process reads the file once as long as it does not change."""
    mark = path.stat()
    return _known_hash(path, mark.st_ino, mark.st_size, mark.st_mtime_ns)


@cache
def _known_hash(path: Path, number: int, size: int, changed: int) -> str:
    return file_hash(path)


def removed(run: Path) -> HarnessError:
    """Returns the error that says that a run folder went away while it was written."""
    return HarnessError(f"{run} was removed while it ran; run the command again.")


def is_missing_in(run: Path, error: BaseException) -> bool:
    """Whether a file or folder of the run was gone: what writes there makes the folders it needs before."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, FileNotFoundError) and Path(str(cause.filename)).is_relative_to(run)


def unwritable(path: Path, error: OSError, other: str = "folder") -> HarnessError:
    """Returns the error that says why a file cannot be written, and what other one to choose."""
    return HarnessError(f"Cannot write {path}: {error.strerror}; free space or choose another {other}.")
