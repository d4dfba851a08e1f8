"""Folders that are written before they are moved to their place; those of killed processes are swept."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import HarnessError


@contextmanager
def part_folder(place: Path, prefix: str = ".part-") -> Iterator[Path]:
    """Yields a new folder beside `place`, which is made from it; gone afterwards unless it was moved.

    Its process holds a lock on it that ends with the process; what nobody holds any more is removed first.

    Raises:
        HarnessError: the disk is full or the place cannot be written.
    """
    parent = place.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f"{prefix}*"):
            _remove_if_left(left)
        folder, lock = _locked_folder(parent, prefix)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    except OSError as error:
        raise HarnessError(
            f"Cannot write {place}: {error.strerror or error}; free space or choose another folder."
        ) from error


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # another process took it for one that was left
            continue
        with suppress(OSError):  # a file system without locks: nothing is ever swept there
            fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():  # nobody took it for one that was left
            return folder, lock
        os.close(lock)


def _remove_if_left(folder: Path) -> None:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # its process lives, or the file system has no locks
        return
    finally:
        os.close(lock)
