"""Scores that a run has paid for, so that no architecture is scored twice on the same supernet and data."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import HarnessError
from harness.files import canonical_json, content_hash, write_atomically

FOLDER = ".scores"
"""Where the files lie in a run's folder."""

_LOCKS = 1 << 40
"""Offset of the first byte that is locked, far beyond what is ever written."""


class ScoreCache:
    """An append-only file of [key, value, digest] lines that the processes of a run share.

    A line that a crash cut short, or that does not fit its digest, is as good as none; the digest covers what
    the file is of, so that another file in its place is worth nothing. Whoever computes a key
    holds a lock on it, which ends with the process, so that another waits for the value in place of computing
    it too.
    """

    def __init__(self, run: Path, identity: Any) -> None:
        """Finds the file of all that makes scores comparable.

        Args:
            run: the run's folder.
            identity: JSON of all that a value depends on besides its key: supernet, data, machine type.

        Raises:
            HarnessError: the folder cannot be written.
        """
        self.path = run / FOLDER / f"{content_hash(identity)}.jsonl"
        self._position = 0
        self._values: dict[str, Any] = {}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def value(self, key: Any, compute: Callable[[], Any]) -> Any:
        """Returns the JSON value of `key`, from `compute` only where no process of this run has it.

        Raises:
            HarnessError: the disk is full or the file cannot be written.
        """
        text = canonical_json(key)
        if text not in self._values:
            with self._locked(text) as file:
                self._read(file)
                if text not in self._values:
                    self._append(file, text, compute())
        return self._values[text]

    @contextmanager
    def _locked(self, key: str) -> Iterator[BinaryIO]:
        """Yields the file, with a lock on one byte that stands for the key."""
        try:
            file = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error
        with file:
            place = _LOCKS + int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])
            fcntl.lockf(file, fcntl.LOCK_EX, 1, place)
            yield file  # closing gives the lock up

    def _read(self, file: BinaryIO) -> None:
        """Takes in the whole lines that were written since the last time."""
        file.seek(self._position)
        text = file.read()
        end = text.rfind(b"\n") + 1
        self._position += end
        self._values |= dict(_valid(text[:end], self.path.stem))

    def _append(self, file: BinaryIO, key: str, value: Any) -> None:
        self._values[key] = value
        # The leading newline ends what a killed process may have left of a line.
        line = f"\n{_line(key, value, self.path.stem)}\n".encode()
        try:
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> HarnessError:
        return HarnessError(
            f"Cannot write {self.path}: {error.strerror}; free space or choose another --out."
        )


def sort_scores(run: Path) -> None:
    """Brings the files of a run, to which nobody writes any more, into an order that no timing decides."""
    for path in sorted((run / FOLDER).glob("*.jsonl")):
        known = dict(_valid(path.read_bytes(), path.stem))
        lines = sorted(_line(key, value, path.stem) for key, value in known.items())
        write_atomically(path, "\n".join(lines) + "\n")


def damaged_lines(path: Path) -> int:
    """Returns how many lines of a file are not as they were written."""
    text = path.read_bytes()
    return sum(bool(line) for line in text.splitlines()) - sum(1 for _ in _valid(text, path.stem))


def forget_scores(run: Path) -> None:
    """Deletes the files of a run of which every search is finished, as its records hold all scores."""
    shutil.rmtree(run / FOLDER, ignore_errors=True)


def _line(key: str, value: Any, of: str) -> str:
    entry = [json.loads(key), value]
    return canonical_json([*entry, content_hash([of, *entry])])


def _valid(text: bytes, of: str) -> Iterator[tuple[str, Any]]:
    for line in text.splitlines():
        try:
            *entry, digest = json.loads(line)
            if digest == content_hash([of, *entry]):
                yield canonical_json(entry[0]), entry[1]
        except (ValueError, TypeError):
            continue
