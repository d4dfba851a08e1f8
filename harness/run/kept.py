"""A record in a run folder, how it is put aside, and how what is wrong with it is told."""

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.errors import DamagedError
from harness.identity.unit import AnyUnit, unit_name
from harness.run.record import Record, Timing
from harness.run.stored import TIMING, read_beside

SUPERSEDED: Final = ".superseded"
"""Where units of an earlier plan lie in a run's folder, so that an edit that is undone costs nothing."""


Hold = Callable[[AnyUnit], AbstractContextManager[bool]]
"""Keeps other processes from a unit's folder for a moment, and says whether it could."""


@dataclass(frozen=True)
class Kept:
    """A record that is there, and where."""

    folder: Path
    record: Record = field(repr=False)

    @property
    def name(self) -> str:
        return unit_name(self.record.kind, self.record.spec)

    @property
    def seconds(self) -> float:
        """What it took when it was made; 0 where that is not known."""
        with suppress(DamagedError):
            timing = read_beside(self.folder, TIMING, self.name)
            return Timing.from_json(timing).seconds if timing is not None else 0.0
        return 0.0


def forget_parts(folder: Path) -> None:
    """Deletes what processes that were ended left half-written anywhere below a folder."""
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".part-"):
                Path(place, name).unlink(missing_ok=True)


def fault(error: DamagedError) -> str:
    """Returns what is wrong, without the remedy, as it is applied here."""
    return str(error).partition(";")[0].removesuffix(".") + "."


def aside(run: Path, folder: Path) -> None:
    """Moves a unit's folder to where units of an earlier plan lie; an empty one is deleted."""
    target = run / SUPERSEDED / folder.name
    if not any(folder.iterdir()):
        folder.rmdir()
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    folder.rename(target)


def time_told(seconds: float) -> str:
    """Returns a duration as people read it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
