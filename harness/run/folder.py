"""Whose run a folder holds, also when the run was killed before it said so."""

from pathlib import Path

from harness.errors import DamagedError, HarnessError
from harness.files import read_sealed
from harness.run.score_cache import FOLDER
from harness.run.standing import SUPERSEDED


def claim(folder: Path, name: str) -> None:
    """Makes sure that `folder` is free for the run of the suite `name`, or holds it.

    Raises:
        HarnessError: it holds something else, or cannot be read.
    """
    held = folder / "plan.json"
    try:
        if held.exists():
            other = _name(held, name)
            if other != name:
                raise HarnessError(f"{folder} holds a run of {other}, not of {name}; choose another --out.")
        elif folder.exists() and (not folder.is_dir() or not all(map(_is_of_a_run, folder.iterdir()))):
            raise HarnessError(f"{folder} is not a run folder and not empty; choose another --out.")
    except OSError as error:
        raise HarnessError(f"Cannot read {folder}: {error.strerror}; choose another --out.") from error


def _name(plan: Path, name: str) -> str:
    """Returns the suite of the run; a damaged plan is written again where units are there to continue."""
    try:
        return str(read_sealed(plan, "it is written again")["name"])
    except DamagedError:
        return name if (plan.parent / "units").is_dir() else "a damaged plan.json"


def _is_of_a_run(path: Path) -> bool:
    """Whether this is what a run leaves that was killed, or its folder removed, without a plan."""
    return path.name in (".lock", "units", SUPERSEDED, FOLDER) or path.name.startswith(".part-")
