"""Results that all runs of a user share: costly units of the same content and inputs, made on such a machine.

An entry is a unit's folder, record last, linked where the file system allows and copied elsewhere. It is
believed as a record in a run's folder is: by the checksums of the record and of all its files.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from harness.errors import DamagedError, HarnessError
from harness.files import content_hash, process_name, write_atomically
from harness.guard.paths import path_below, path_part
from harness.identity.unit import AnyUnit, unit_name
from harness.run.provenance import kind_of, provenance
from harness.run.record import Record, read_record
from harness.run.stored import PROVENANCE, RECORD, TIMING, beside, check_files, read_beside

GIB: Final = 2.0**30
PART: Final = ".part-"
"""How the name of an entry starts that is being made, or taken away."""
TAKEN: Final = "taken from"
"""Member of the provenance of a result that was not made where it lies."""
LARGEST_GROWTH: Final = 0.1
"""What may be kept between two times of pruning, a share of the limit."""


class Entry(NamedTuple):
    """A kept result: the kind of its unit, its folder, its size, and when it was last used, in seconds."""

    kind: str
    folder: Path
    bytes: int
    used: float


class Store:
    """Results by content, in a folder that several commands may use at once, and that has a size limit.

    Attributes:
        folder: where entries lie.
        limit: size in bytes.
        taken: entries that were found.
    """

    def __init__(
        self,
        folder: Path,
        limit_gib: float,
        *,
        device: str = "cpu",
        processes: int = 1,
        answers: bool = True,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Opens what may not be there yet.

        Args:
            folder: where entries lie.
            limit_gib: size; nothing is kept, and nothing found, where it is 0.
            device: torch device that units run on.
            processes: that train together.
            answers: whether it is asked; what is made is kept all the same.
            tell: is given a sentence where nothing can be kept any more.
        """
        self.folder = folder
        self.limit = limit_gib * GIB
        self.taken = 0
        self.answers = answers and limit_gib > 0
        self._keeps = limit_gib > 0
        self._grown = 0
        self._machine = (device, processes)
        self._tell = tell

    def find(self, unit: AnyUnit, key: str) -> tuple[Path, Record] | None:
        """Returns the entry of an input key that was made on this kind of machine; None where there is none.

        Raises:
            DamagedError: it is not what was kept.
        """
        if not self.answers or not _is_shared(unit):
            return None
        place = self._place(unit.kind.name, key, self._here)
        record = _whole(place)
        if record is None or record.input_key != key or record.kind != unit.kind.name:
            return None
        with suppress(OSError):  # of somebody else, or read-only
            os.utime(place)
        self.taken += 1
        return place, record

    def keep(self, folder: Path, record: Record, unit: AnyUnit) -> None:
        """Keeps the result of a unit, of which this record lies in the folder, in place of any other one."""
        if not self._keeps or not _is_shared(unit):
            return
        try:
            made = read_beside(folder, PROVENANCE, unit.name) or {}
            place = self._place(record.kind, record.input_key, _digest(made))
            if not self._holds(place, record):
                self._put(
                    folder, record, place, beside(unit.name, {**made, TAKEN: "the results of all runs"})
                )
            with suppress(OSError):
                os.utime(place)
            if self._grown > LARGEST_GROWTH * self.limit:
                self.prune()
        except (OSError, HarnessError) as error:
            self._keeps = False
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._tell(f"Results are not kept in {self.folder} ({why}); the run goes on without.")

    def entries(self) -> list[Entry]:
        """Returns what is kept, what was used last at the end."""
        found = []
        for folder in self._folders():
            with suppress(OSError):  # taken away just now
                found.append(Entry(folder.parent.name, folder, size_of(folder), folder.stat().st_mtime))
        return sorted(found, key=lambda one: (one.used, one.folder))

    def prune(self, limit: float | None = None) -> list[Entry]:
        """Takes away what was used longest ago, until the rest is as large as the limit in bytes; returns it.

        Raises:
            HarnessError: it cannot be taken away.
        """
        self._grown = 0
        entries = self.entries()
        held, gone = sum(one.bytes for one in entries), []
        for one in entries:
            if held <= (self.limit if limit is None else limit):
                break
            self._discard(one.folder)
            if one.folder.exists():
                raise HarnessError(f"Cannot delete {one.folder}; make {self.folder} one that you may change.")
            held -= one.bytes
            gone.append(one)
        return gone

    @cached_property
    def _here(self) -> str:
        return _digest(provenance(*self._machine, threads=1))

    def _place(self, kind: str, key: str, machine: str) -> Path:
        return self.folder / path_part("kind of unit", kind) / f"{key}-{machine}"

    def _folders(self) -> Iterator[Path]:
        """Yields the folders of entries; those of commands that were ended meanwhile are deleted."""
        for kind in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            for folder in sorted(kind.iterdir()) if kind.is_dir() else []:
                if not folder.name.startswith(PART):
                    yield folder
                elif not _is_running(folder.name.removeprefix(PART)):
                    shutil.rmtree(folder, ignore_errors=True)

    def _put(self, folder: Path, record: Record, place: Path, made: str) -> None:
        self._discard(place)
        part = self._part(place)
        shutil.rmtree(part, ignore_errors=True)
        try:
            linked(folder, record, part)
            (part / PROVENANCE).unlink(missing_ok=True)
            (part / PROVENANCE).write_text(made)
            part.rename(place)
        except OSError:
            if not place.exists():  # else another command kept it just now
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self._grown += size_of(place)

    def _part(self, place: Path) -> Path:
        return place.parent / f"{PART}{process_name()}-{place.name}"

    def _holds(self, place: Path, record: Record) -> bool:
        with suppress(DamagedError):
            there = _whole(place)
            return there is not None and there.result_hash == record.result_hash
        return False

    def _discard(self, place: Path) -> None:
        """Takes an entry away at once, so that nobody reads half of it; one on a read-only disk stays."""
        part = self._part(place)
        with suppress(OSError):
            place.rename(part)
        shutil.rmtree(part, ignore_errors=True)


def linked(folder: Path, record: Record, place: Path) -> None:
    """Makes a unit's folder once more, its record last: linked, or copied where that cannot be.

    Raises:
        OSError: a file is gone, or the disk is full.
        HarnessError: a file's name leads elsewhere.
    """
    place.mkdir(parents=True)
    names = [path_below("file", name) for name in record.files]
    for name in (*names, *(name for name in (TIMING, PROVENANCE) if (folder / name).exists()), RECORD):
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(folder / name, target)
        except FileNotFoundError:
            raise
        except OSError:
            shutil.copyfile(folder / name, target)


def renamed(place: Path, record: Record, unit: AnyUnit) -> Record:
    """Returns the record of a folder under a unit's name; it is written, as is what lies beside it."""
    if record.hash == unit.hash:
        return record
    told = replace(record, hash=unit.hash, spec=unit.spec.to_json())
    before = unit_name(record.kind, record.spec)
    if before != unit.name:
        for name, more in ((TIMING, {}), (PROVENANCE, {TAKEN: "a unit with the same result"})):
            value = None
            with suppress(DamagedError):
                value = read_beside(place, name, before)
            (place / name).unlink(missing_ok=True)
            if value is not None:
                write_atomically(place / name, beside(unit.name, more | value))
    write_atomically(place / RECORD, told.to_json())
    return told


def size_of(folder: Path) -> int:
    """Returns the bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _whole(place: Path) -> Record | None:
    """Returns the record of an entry, of which every file is as it was written; None where there is none.

    Raises:
        DamagedError: one is not, or cannot be read.
    """
    try:
        record = read_record(place / RECORD)
    except DamagedError:
        raise
    except HarnessError:  # of another schema
        return None
    if record is not None:
        check_files(place, record)
        for name in (TIMING, PROVENANCE):
            read_beside(place, name, unit_name(record.kind, record.spec))
    return record


def _is_shared(unit: AnyUnit) -> bool:
    return unit.kind.is_shared and unit.spec.is_known


def _digest(made: dict[str, object]) -> str:
    """Returns 16 hexadecimal digits over the kind of machine that made a result."""
    return content_hash(kind_of(made))


def _is_running(name: str) -> bool:
    """Returns whether the process that made what is called so runs; those of other machines may."""
    number = name.partition("-")[0]
    try:
        if not name.startswith(process_name(int(number))):
            return True
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True
    return True
