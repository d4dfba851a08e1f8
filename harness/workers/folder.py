"""Who may write a run's folder."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import DamagedError, HarnessError
from harness.files import folder_beside, is_missing_in, read_sealed, removed, write_atomically
from harness.run.kept import SUPERSEDED, forget_parts
from harness.run.score_cache import FOLDER
from harness.run.stored import DATES, SHOWN
from harness.workers.pools.leases import FOLDER as LEASES
from harness.workers.pools.leases import Leases, are_there


@contextmanager
def lock(run: Path, *, is_shared: bool = False) -> Iterator[None]:
    """Keeps a second `eval` out of the run folder, and clears what a killed one left half-written.

    Processes that share the folder are let in together, where nobody holds it alone.

    Raises:
        HarnessError: another process holds the folder, or it is removed meanwhile.
    """
    import fcntl

    try:
        run.mkdir(parents=True, exist_ok=True)
        file = (run / ".lock").open("a+")  # a shared lock on NFS wants a file that can be read
    except OSError as error:
        raise HarnessError(f"Cannot write {run}: {error.strerror}; choose another --out.") from error
    with file:
        taken = HarnessError(f"Another harness runs in {run}; wait for it or choose another --out.")
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise taken from None
        except OSError as error:
            # Where there are no locks, leases are enough for those who share.
            if not is_shared or error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
        if not is_shared:
            if are_there(run / LEASES):
                raise taken
            shutil.rmtree(run / LEASES, ignore_errors=True)
            forget_parts(run)
        try:
            yield
        except (HarnessError, OSError) as error:
            if is_missing_in(run, error):
                raise removed(run) from error
            raise


@contextmanager
def shared(run: Path, plan: str) -> Iterator[Leases]:
    """Lets this process share the run folder with those that carry out the same plan, and yields its leases.

    Raises:
        HarnessError: those that share it carry out another plan.
    """
    leases = Leases(run / LEASES)
    try:
        with leases.awaited("plan"):
            file = run / "plan.json"
            is_other = file.exists() and file.read_bytes() != plan.encode(errors="backslashreplace")
            if is_other and are_there(leases.folder, but=leases.nonce):
                raise HarnessError(
                    f"{run} is shared by processes that carry out another plan (options, code or data); "
                    "run what they run, or choose another --out."
                )
            if is_other or not file.exists():
                write_atomically(file, plan)
        yield leases
    finally:
        leases.stop()


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
    names = (".lock", "units", SUPERSEDED, SHOWN, FOLDER, DATES, LEASES)
    return path.name.startswith(".part-") or path.name in names


def take_units(origin: Path, run: Path) -> None:
    """Copies units that another run folder has and this one has not; what is still true of them is found out.

    Raises:
        HarnessError: there is no run, or a file cannot be read or written.
    """
    if not (origin / "plan.json").is_file():
        raise HarnessError(f"{origin} is not a run folder; give --from one that `harness eval` wrote.")
    try:
        for unit in sorted((origin / "units").iterdir() if (origin / "units").is_dir() else ()):
            if unit.is_dir() and not (run / "units" / unit.name).exists():
                with folder_beside(run / "units" / unit.name) as place:
                    shutil.copytree(unit, place, dirs_exist_ok=True)
                    place.rename(run / "units" / unit.name)
    except OSError as error:
        raise HarnessError(f"Cannot copy {error.filename or origin}: {error.strerror}.") from error
