"""Sealed domains: a journal in the data folder counts the runs that opened one, as each makes it less new."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.files import Journal
from harness.guard.paths import path_part

NAMES = ("plan", "code")


def openings(task_name: str, domain: str, folder: Path) -> list[dict[str, Any]]:
    """Returns the hashes of plan and code of every run that scored a domain, first one first.

    Raises:
        HarnessError: the journal was changed or cut short.
    """
    return _journal(task_name, domain, folder).entries


def open_sealed(task_name: str, domain: str, folder: Path, *, plan: str, code: str) -> int:
    """Notes that a run scores a domain, and returns how many have by now.

    Raises:
        HarnessError: the journal was changed or cut short, or cannot be written.
    """
    with _alone(folder / "openings"):
        journal = _journal(task_name, domain, folder)
        journal.append(plan=plan, code=code)
        return len(journal.entries)


def ordinal(number: int) -> str:
    """Returns 1st, 2nd, 3rd, 4th and so on."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _journal(task_name: str, domain: str, folder: Path) -> Journal:
    name = f"{path_part('task', task_name)}-{path_part('domain', domain)}"
    path = folder / "openings" / f"{name}.jsonl"
    journal = Journal(path, name, NAMES)
    lines = len(path.read_bytes().splitlines()) if path.exists() else 0
    if lines != len(journal.entries):
        raise HarnessError(
            f"{path} was changed or cut short, so nobody knows how often {task_name}/{domain} was opened; "
            "put it back from a copy."
        )
    return journal


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds a lock on the folder, which is made, so that two runs at once are counted as two."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("w")
    except OSError as error:
        raise HarnessError(f"Cannot write {folder}: {error.strerror}; choose another data folder.") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
