"""Scores that a run has paid for, so that no architecture is scored twice on the same supernet and data."""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from time import perf_counter
from typing import Any

from harness.files import (
    append_line,
    canonical_json,
    checked_line,
    content_hash,
    read_line,
    unwritable,
    write_atomically,
)

FOLDER = ".scores"
"""Where the files lie in a run's folder."""

_LOCKS = 1 << 40
"""Offset of the first byte that is locked, far beyond what is ever written."""


class ScoreCache:
    """A file of checked lines, each a key and its value in any order, that the processes of a run share.

    A line's checksum covers what the file is of, so that another file in its place is worth nothing. Whoever
    computes a key holds a lock on it, which ends with the process, so that another waits for the value in
    place of computing it too. What each took stands in a file of its own, as no value depends on it.

    Attributes:
        path: of the file.
        charged: seconds that the values took that were asked for here, whoever computed them.
        elsewhere: the same, less the seconds that were spent here.
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
        self.charged = self.elsewhere = 0.0
        self._times = self.path.with_suffix(".seconds")
        self._values = _Lines(self.path.stem)
        self._seconds = _Lines(self.path.stem)
        self._asked: set[str] = set()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.path, error, "--out") from error

    def value(self, key: Any, compute: Callable[[], Any]) -> Any:
        """Returns the JSON value of `key`, from `compute` only where no process of this run has it."""
        text, began = canonical_json(key), perf_counter()
        if text not in self._values.known:
            with self._locked(text) as file:
                self._values.read(file)
                if text not in self._values.known:
                    self._append(file, text, *_timed(compute))
        if text not in self._asked:
            self._asked.add(text)
            took = self._took(text)
            self.charged += took
            self.elsewhere += took
        self.elsewhere -= perf_counter() - began
        return self._values.known[text]

    @contextmanager
    def _locked(self, key: str) -> Iterator[FileIO]:
        """Yields the file, with a lock on one byte that stands for the key."""
        try:
            file = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise unwritable(self.path, error, "--out") from error
        with file:
            place = _LOCKS + int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])
            fcntl.lockf(file, fcntl.LOCK_EX, 1, place)
            yield file  # closing gives the lock up

    def _took(self, key: str) -> float:
        """Returns what a value took when it was computed last; 0 where that is not known any more."""
        if key not in self._seconds.known and self._times.exists():
            with self._times.open("rb", buffering=0) as file:
                self._seconds.read(file)
        return float(self._seconds.known.get(key, 0.0))

    def _append(self, file: FileIO, key: str, value: Any, seconds: float) -> None:
        with self._times.open("ab", buffering=0) as times:
            times.write(b"\n" + _line(key, seconds, self.path.stem))
        self._values.known[key] = value
        # The leading newline ends what a killed process may have left of a line.
        append_line(file, b"\n" + _line(key, value, self.path.stem))


class _Lines:
    """What a file that others append to was found to hold: key -> value."""

    def __init__(self, of: str) -> None:
        self.known: dict[str, Any] = {}
        self._of = of
        self._position = 0

    def read(self, file: FileIO) -> None:
        """Takes in the whole lines that were written since the last time."""
        file.seek(self._position)
        text = file.read()
        end = text.rfind(b"\n") + 1
        self._position += end
        self.known |= dict(_valid(text[:end], self._of))


def _timed(compute: Callable[[], Any]) -> tuple[Any, float]:
    began = perf_counter()
    return compute(), perf_counter() - began


def sort_scores(run: Path) -> None:
    """Brings the files of a run, to which nobody writes any more, into an order that no timing decides."""
    for path in sorted((run / FOLDER).glob("*.jsonl")):
        known = dict(_valid(path.read_bytes(), path.stem))
        write_atomically(path, b"".join(sorted(_line(key, known[key], path.stem) for key in known)))


def damaged_lines(path: Path) -> int:
    """Returns how many lines of a file are not as they were written."""
    text = path.read_bytes()
    return sum(bool(line) for line in text.splitlines()) - sum(1 for _ in _valid(text, path.stem))


def forget_scores(run: Path) -> None:
    """Deletes the files of a run of which every search is finished, as its records hold all scores."""
    shutil.rmtree(run / FOLDER, ignore_errors=True)


def _line(key: str, value: Any, of: str) -> bytes:
    return checked_line([of], {"key": json.loads(key), "value": value})


def _valid(text: bytes, of: str) -> Iterator[tuple[str, Any]]:
    for line in text.splitlines(keepends=True):
        entry = read_line([of], ("key", "value"), line)
        if entry is not None:
            yield canonical_json(entry["key"]), entry["value"]
