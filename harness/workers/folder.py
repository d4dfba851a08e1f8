"""Who may write a run's folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import DamagedError, HarnessError
from harness.files import is_missing_in, read_sealed, removed
from harness.run.kept import SUPERSEDED, forget_parts
from harness.run.score_cache import FOLDER
from harness.run.stored import DATES, SHOWN


@contextmanager
def lock(run: Path) -> Iterator[None]:
    """Keeps a second `eval` out of the run folder, and clears what a killed one left half-written.

    Raises:
        HarnessError: another process holds the folder, or it is removed meanwhile.
    """
    import fcntl

    try:
        run.mkdir(parents=True, exist_ok=True)
        file = (run / ".lock").open("w")
    except OSError as error:
        raise HarnessError(f"Cannot write {run}: {error.strerror}; choose another --out.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HarnessError(
                f"Another harness runs in {run}; wait for it or choose another --out."
            ) from None
        forget_parts(run)
        try:
            yield
        except (HarnessError, OSError) as error:
            if is_missing_in(run, error):
                raise removed(run) from error
            raise


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
    return path.name in (".lock", "units", SUPERSEDED, SHOWN, FOLDER, DATES) or path.name.startswith(".part-")
