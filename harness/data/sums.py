"""Checksums of a folder of the data cache, kept in it as `sha256sum` writes them, compared on reading."""

from collections.abc import Callable
from pathlib import Path

from harness.errors import DataUnavailableError
from harness.files import file_hash, known_hash

SUMS = "SHA256SUMS"


def write_sums(folder: Path) -> None:
    """Writes the checksums of all files of a finished folder into it."""
    (folder / SUMS).write_bytes(_sums(folder, file_hash))


def check_sums(place: Path) -> None:
    """Makes sure that all files of a folder are as they were written; a process hashes them once.

    Raises:
        DataUnavailableError: one is not; the first is named.
    """
    path = place / SUMS
    try:
        written = path.read_bytes() if path.is_file() else b""
        found = _sums(place, known_hash)
    except OSError as error:
        raise DataUnavailableError(f"{place} cannot be read: {error.strerror}.") from error
    if written != found or not written:
        kept = set(written.splitlines())
        changed = [line for line in found.splitlines() if line not in kept]
        name = changed[0].split(b"  ", 1)[1].decode(errors="replace") if changed else SUMS
        raise DataUnavailableError(
            f"{place / name} is not the file that was written; delete {place} and prepare it again."
        )


def has_sums(place: Path) -> bool:
    """Returns whether all files of a folder are as they were written."""
    try:
        check_sums(place)
    except DataUnavailableError:
        return False
    return True


def _sums(folder: Path, digest: Callable[[Path], str]) -> bytes:
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    lines = [f"{digest(path)}  {name}\n" for name, path in paths.items() if path.is_file() and name != SUMS]
    return "".join(lines).encode()
