"""A second place for the units of a run, at any address that fsspec knows, such as s3://bucket/runs/mine.

A unit's files go up when it is finished, its record last, and come down before something needs them; what
came down is believed by the checksums of the record alone.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

from harness.errors import DamagedError, HarnessError
from harness.files import write_atomically
from harness.guard.paths import path_below
from harness.identity.unit import AnyUnit, unit_folder
from harness.run.record import read_record
from harness.run.stored import BESIDE, PROVENANCE, RECORD, TIMING, check_files, record_in
from harness.workers.pools.pool import Ended, Pool

TRIES: Final = 6
"""How often something is carried: a server may be busy or slow, or cut a connection."""
LONGEST_PAUSE: Final = 20.0
"""Seconds between two tries at most."""


class Mirrored:
    """A pool whose finished units go up to a mirror."""

    def __init__(self, pool: Pool, mirror: "Mirror") -> None:
        self.pool = pool
        self.mirror = mirror
        self.submit, self.grow, self.stop = pool.submit, pool.grow, pool.stop

    @property
    def idle(self) -> Collection[object]:
        """Places of the pool."""
        return self.pool.idle

    @property
    def busy(self) -> Collection[object]:
        """Units of the pool."""
        return self.pool.busy

    def finished(self) -> list[Ended]:
        """Waits as the pool does, and until what ended is in both places."""
        ended = self.pool.finished()
        for one in ended:
            if one.status == "ok":
                self.mirror.up(one.unit)
        return ended


class Mirror:
    """The units of a run's folder at another address; a process needs no lock there.

    Attributes:
        address: with its protocol, such as s3.
        run: the run's folder here.
    """

    def __init__(self, address: str, run: Path) -> None:
        """Opens the address.

        Raises:
            HarnessError: fsspec does not know its protocol, or a package for it is not installed.
        """
        self.address = address.rstrip("/")
        self.run = run
        if not re.match(r"[a-z0-9+.-]+://", address):
            raise HarnessError(f"--mirror {address!r} is no address; give one such as s3://bucket/runs/mine.")
        try:
            import fsspec

            more = {"auto_mkdir": True} if address.startswith("file:") else {"use_listings_cache": False}
            self._files, self._root = fsspec.core.url_to_fs(self.address, **more)
        except (ImportError, ValueError) as error:
            raise HarnessError(f"Cannot open --mirror {address!r}: {error}") from error

    def up(self, unit: AnyUnit) -> None:
        """Carries a finished unit there, its record last.

        Raises:
            HarnessError: that did not succeed in some tries.
        """
        folder = unit_folder(self.run, unit)
        record = record_in(folder, unit)
        if record is not None and record.status == "ok":
            for name in (*record.files, TIMING, PROVENANCE, RECORD):
                if name not in BESIDE or (folder / name).exists():
                    self._tried(self._put, folder, name)

    def down(self, unit: AnyUnit) -> bool:
        """Brings a unit here that is finished there; returns whether it is here now.

        Raises:
            HarnessError: that did not succeed in some tries.
        """
        folder = unit_folder(self.run, unit)
        if self._is_whole(folder, unit):
            return True
        return bool(self._tried(self._brought, folder, unit))

    def exchange(self, units: Iterable[AnyUnit]) -> None:
        """Lets both places have what of these units is finished in one of them.

        Raises:
            HarnessError: that did not succeed in some tries.
        """
        there = {str(path).split("/")[-2] for path in self._tried(self._records)}
        for unit in units:
            if not self._is_whole(unit_folder(self.run, unit), unit):
                if unit.folder in there:
                    self.down(unit)
            elif unit.folder not in there:
                self.up(unit)

    def show(self, names: Iterable[str]) -> None:
        """Carries files of the run itself there, such as its board."""
        for name in names:
            if (self.run / name).exists():
                self._tried(self._files.pipe_file, f"{self._root}/{name}", (self.run / name).read_bytes())

    def _records(self) -> list[Any]:
        try:
            return list(self._files.glob(f"{self._root}/units/*/{RECORD}"))
        except FileNotFoundError:
            return []

    def _is_whole(self, folder: Path, unit: AnyUnit) -> bool:
        try:
            record = record_in(folder, unit)
            if record is None or record.status != "ok":
                return False
            check_files(folder, record)
        except DamagedError:
            return False
        return True

    def _brought(self, folder: Path, unit: AnyUnit) -> bool:
        there = f"{self._root}/units/{folder.name}"
        try:
            text = self._files.cat_file(f"{there}/{RECORD}")
        except FileNotFoundError:
            return False
        part = folder / f".part-{RECORD}"
        write_atomically(part, text)
        try:
            record = read_record(part)
            if record is None:
                raise DamagedError(f"{part} is gone.")
            for name in record.files:
                write_atomically(folder / path_below("file", name), self._files.cat_file(f"{there}/{name}"))
            check_files(folder, record)
            for name in (TIMING, PROVENANCE):
                try:
                    write_atomically(folder / name, self._files.cat_file(f"{there}/{name}"))
                except FileNotFoundError:
                    continue
            part.rename(folder / RECORD)
        finally:
            part.unlink(missing_ok=True)
        return self._is_whole(folder, unit)

    def _put(self, folder: Path, name: str) -> None:
        self._files.pipe_file(f"{self._root}/units/{folder.name}/{name}", (folder / name).read_bytes())

    def _tried(self, act: Any, *words: Any) -> Any:
        """Does something over a network, again where it fails."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

        again = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE),
            retry=retry_if_exception_type(Exception),  # each backend has its own
            reraise=True,
        )
        try:
            return again(act, *words)
        except Exception as error:
            told = str(error).strip().partition("\n")[0]
            raise HarnessError(
                f"Cannot use --mirror {self.address} ({told}, {TRIES} times); run the same command again."
            ) from error
