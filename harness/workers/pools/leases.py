"""Leases on units in a folder that processes of several machines share, without a server.

A lease is a file that one process alone writes, made by exclusive creation: NAME.0, then NAME.1 once the
owner of NAME.0 gave up or is gone, and so on; the last one counts, and nothing is renamed. No clock
of another machine is read. An owner lives as long as the count in its file grows, by the
monotonic clock of who looks.
"""

import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Final, Literal, NamedTuple

from harness.errors import HarnessError
from harness.files import unwritable

BEAT_SECONDS = 5.0
"""Time between two counts."""
STALE_SECONDS = 60.0
"""When a count that did not grow says that its owner is gone; NFS may show what is 60 seconds old."""
LOOK_SECONDS = 0.5
FOLDER: Final = ".leases"
"""Where leases lie in a run's folder."""
PROCESS: Final = "@"
"""How the names of files start that say which processes share the folder."""

MOST_BYTES: Final = 256
"""Of a lease."""

Said = Literal["held", "freed", "failed"]


@dataclass
class _Own:
    """A file of this process, and when it last counted there."""

    path: str
    number: int
    place: int
    counted: float


class _Seen(NamedTuple):
    """What a lease said, since when, and whether it said something else before."""

    text: str
    since: float
    has_grown: bool


class Leases:
    """The leases of this process, which a thread keeps up, and what it sees of those of others."""

    def __init__(self, folder: Path) -> None:
        """Says in the folder that this process shares it.

        Raises:
            HarnessError: it cannot be written.
        """
        self.folder = folder
        self.nonce = uuid.uuid4().hex
        self._own: dict[str, _Own] = {}
        self._lost: set[str] = set()
        self._seen: dict[str, _Seen] = {}
        self._count = 0
        self._guard = threading.RLock()
        self._is_over = threading.Event()
        self._name = f"{PROCESS}{self.nonce}"
        self.take(self._name)
        self._beating = threading.Thread(target=self._beat, daemon=True)
        self._beating.start()

    def take(self, name: str) -> bool:
        """Takes the lease if nobody has it, or its owner is gone; of all who try at once, one does."""
        last, said = self._last(name)
        if said in ("held", "failed"):
            return False
        path = f"{self.folder}/{name}.{last + 1}"
        place = self._created(path)
        if place is None:
            return False
        with self._guard:
            self._own[name] = _Own(path, last + 1, place, monotonic())
            # No flush: that the file is there says enough until this process counts.
            self._write(self._own[name], "held", is_flushed=False)
        return True

    def state(self, name: str) -> Said:
        """Returns whether somebody who lives holds the lease, or left it with the word that it failed."""
        return self._last(name)[1]

    def release(self, name: str, said: Said = "freed", *, is_done: bool = False) -> None:
        """Gives a lease back; where a record says that it is done, nothing is left of it."""
        with self._guard:
            own = self._own.pop(name)
            is_lost = name in self._lost
            self._lost.discard(name)
            if is_done and not is_lost:
                for number in range(own.number + 1):
                    with suppress(FileNotFoundError):
                        os.unlink(f"{self.folder}/{name}.{number}")
            elif not is_lost:
                with suppress(OSError):  # else it is stale soon
                    self._write(own, said)
            os.close(own.place)

    def lost(self) -> set[str]:
        """Returns the names of leases that others took, or may take, as this process was not heard of."""
        with self._guard:
            return set(self._lost)

    def is_alone(self) -> bool:
        """Returns whether no other process shares the folder that is known to live, or may.

        Those that do not live are not looked at again.
        """
        found = False
        for name in self._others():
            last, said = self._last(name)
            if said == "held":
                found = True
            for number in range(last + 1) if said == "freed" else ():
                self.folder.joinpath(f"{name}.{number}").unlink(missing_ok=True)
        return not found

    @contextmanager
    def taken(self, name: str) -> Iterator[bool]:
        """Holds a lease for a moment, and yields whether it could be taken."""
        is_held = self.take(name)
        try:
            yield is_held
        finally:
            if is_held:
                self.release(name, is_done=True)

    @contextmanager
    def awaited(self, name: str) -> Iterator[None]:
        """Holds a lease for a moment, as soon as it can be taken."""
        while not self.take(name):
            sleep(LOOK_SECONDS)
        try:
            yield
        finally:
            self.release(name, is_done=True)

    def stop(self) -> None:
        """Gives all leases back; the last process to share the folder takes it away."""
        self._is_over.set()
        self._beating.join()
        for name in list(self._own):
            self.release(name, is_done=name == self._name)
        if self.is_alone():
            shutil.rmtree(self.folder, ignore_errors=True)

    def _others(self) -> list[str]:
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        own = f"{self._name}."
        return [name.rpartition(".")[0] for name in names if name.startswith(PROCESS) and own not in name]

    def _last(self, name: str) -> tuple[int, Said]:
        """Returns the number of the last file of a lease, -1 for none, and what it says by now."""
        number, text = -1, None
        while (more := _text(f"{self.folder}/{name}.{number + 1}")) is not None:
            number, text = number + 1, more
        if text is None:
            self._seen.pop(name, None)
            return number, "freed"
        text = f"{number} {text}"
        owner, _, said = text.rstrip().partition(" ")[2].rpartition(" ")
        if said == "freed":
            return number, "freed"
        if said == "failed":
            return number, self._word_of(owner.partition(" ")[0])
        seen = self._seen.get(name)
        if seen is None or seen.text != text:
            seen = self._seen[name] = _Seen(text, monotonic(), has_grown=seen is not None)
        return number, "freed" if monotonic() - seen.since > STALE_SECONDS else "held"

    def _word_of(self, owner: str) -> Said:
        """Returns what the word of a process that something failed is worth.

        It counts as long as the process lives, and nothing is done before that is known.
        """
        name = f"{PROCESS}{owner}"
        if name == self._name:
            return "failed"
        if self._last(name)[1] == "freed":
            return "freed"
        return "failed" if self._seen[name].has_grown else "held"

    def _created(self, path: str) -> int | None:
        """Returns a descriptor of a file that was not there; None where it is."""
        for is_again in (False, True):
            try:
                return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
            except FileExistsError:
                return None
            except OSError as error:
                if is_again or not isinstance(error, FileNotFoundError):
                    raise unwritable(Path(path), error, "--out") from error
                self.folder.mkdir(parents=True, exist_ok=True)
        raise AssertionError

    def _write(self, own: _Own, said: Said, *, is_flushed: bool = True) -> None:
        os.pwrite(own.place, f"{self.nonce} {self._count:012} {said:6}\n".encode(), 0)
        if is_flushed:
            os.fsync(own.place)

    def _beat(self) -> None:
        while not self._is_over.wait(BEAT_SECONDS):
            self._count += 1
            with self._guard:
                mine = list(self._own.items())
            for name, own in mine:
                with self._guard:
                    if self._own.get(name) is own and not self._kept(name, own):
                        self._lost.add(name)
            if self._name in self._lost:
                with self._guard, suppress(OSError, HarnessError):
                    self.release(self._name)
                    self.take(self._name)

    def _kept(self, name: str, own: _Own) -> bool:
        """Counts in a file; returns whether the lease is still this process's."""
        try:
            is_taken = os.path.exists(f"{self.folder}/{name}.{own.number + 1}")
            if is_taken or not os.path.samestat(os.stat(own.path), os.fstat(own.place)):
                return False
            self._write(own, "held")
            own.counted = monotonic()
        except FileNotFoundError:
            return False
        except OSError:  # a disk that is full, or a server that is away
            return monotonic() - own.counted < STALE_SECONDS / 2
        return True


def are_there(folder: Path, *, but: str = "") -> bool:
    """Returns whether a process shares the folder, other than that of a nonce, and lives.

    It waits until one of them counts, or until all that are there are stale.
    """
    since, first = monotonic(), _counts(folder, but)
    while counts := _counts(folder, but):
        if any(first.get(name, text) != text for name, text in counts.items()):
            return True
        if monotonic() - since > STALE_SECONDS:
            return any(name not in first for name in counts)
        sleep(LOOK_SECONDS)
    return False


def _counts(folder: Path, but: str) -> dict[str, str]:
    paths = [path for path in folder.glob(f"{PROCESS}*") if not but or but not in path.name]
    return {path.name: text for path in paths if (text := _text(path)) is not None}


def _text(path: Path | str) -> str | None:
    try:
        place = os.open(path, os.O_RDONLY)  # of very many: buffers take time
        try:
            return os.read(place, MOST_BYTES).decode(errors="replace")
        finally:
            os.close(place)
    except FileNotFoundError:
        return None
    except OSError:  # such as of a server that is away for a moment
        return ""
