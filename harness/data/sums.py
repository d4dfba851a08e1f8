"""Checksums of a folder of the data cache, kept in it as `sha256sum` writes them, compared on reading."""

import hashlib
from pathlib import Path

from harness.errors import DataUnavailableError

SUMS = "SHA256SUMS"


def write_sums(folder: Path) -> None:
    """Writes the checksums of all files of a finished folder into it."""
    (folder / SUMS).write_bytes(_sums(folder))


def check_sums(place: Path) -> None:
    """Makes sure that all files of a folder are as they were written; a process hashes them once.

    Raises:
        DataUnavailableError: one is not; the first is named.
    """
    try:
        files = sorted(path for path in place.rglob("*") if path.is_file())
        marks = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    except OSError as error:
        raise DataUnavailableError(f"{place} cannot be read: {error.strerror}.") from error
    if (found := (place, tuple(marks))) not in _checked:
        _check_files(place)
        _checked.add(found)


_checked: set[tuple[Path, tuple[tuple[str, int, int], ...]]] = set()


def has_sums(place: Path) -> bool:
    """Returns whether all files of a folder are as they were written."""
    try:
        check_sums(place)
    except DataUnavailableError:
        return False
    return True


def _check_files(place: Path) -> None:
    """Raises DataUnavailableError when a file is not the one that was written; names the first."""
    path = place / SUMS
    written = path.read_bytes() if path.is_file() else b""
    found = _sums(place)
    if written != found or not written:
        kept = set(written.splitlines())
        changed = [line for line in found.splitlines() if line not in kept]
        name = changed[0].split(b"  ", 1)[1].decode(errors="replace") if changed else SUMS
        raise DataUnavailableError(
            f"{place / name} is not the file that was written; delete {place} and prepare it again."
        )


def _sums(folder: Path) -> bytes:
    """Returns the sha256 of every other file of the folder, as `sha256sum` writes them."""
    lines = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != SUMS:
            with path.open("rb") as file:
                lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return "".join(lines).encode()
