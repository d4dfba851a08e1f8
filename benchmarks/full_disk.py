"""Runs a toy suite on disks that are full or read-only, frees them, and lets the same command go on.

    python benchmarks/full_disk.py --points 6

The run folder, the data cache and the folder of temporary files each lie on a tmpfs of a few pages to a few
hundred in turn, so that writing stops at so many points; then the disk grows and the same command must end in
the bytes of an undisturbed run. While the disk is full the command must end with a board and status 1, or one
sentence and status 2, and no traceback. The same with a disk that is read-only from the start, or from the
first record on. Prints one line per disk; exit status 1 when one was lost. Mounting needs root, or the user
namespaces that `unshare -rm python benchmarks/full_disk.py` makes; without both it says so and ends with 77.
"""

import argparse
import os
import subprocess  # this script runs the harness itself  # nosec B404
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faults import COMMAND, ROOT, prepare

from harness.run.stored import APART

PLACES = ("run", "data", "temporary")
SUITE = "floors"
PAGE = 4096
NOT_PERMITTED = 77


@dataclass(frozen=True)
class Disk:
    """A tmpfs where one of the places of a command lies; the others lie beside it."""

    home: Path
    root: Path
    place: str

    @property
    def mounted(self) -> Path:
        """Where the disk is."""
        return self.root / "disk"

    def folder(self, place: str) -> Path:
        """Returns where a place lies."""
        return (self.mounted if place == self.place else self.root) / place

    def mount(self, pages: int) -> None:
        """Mounts the disk, with that many pages."""
        self.mounted.mkdir(parents=True)
        _mount("-t", "tmpfs", "-o", f"size={pages * PAGE}", "tmpfs", str(self.mounted))
        for place in PLACES[1:]:
            self.folder(place).mkdir(parents=True, exist_ok=True)

    def remount(self, options: str) -> None:
        """Makes the disk larger, read-only or writable."""
        _mount("-o", f"remount,{options}", str(self.mounted))

    def unmount(self) -> None:
        """Unmounts the disk."""
        subprocess.run(["umount", "-l", str(self.mounted)], check=False)  # the system's own  # nosec B603 B607

    def start(self) -> "subprocess.Popen[str]":
        """Starts the command."""
        words = ["eval", str(self.home / f"{SUITE}.toml"), "--out", str(self.folder("run")), "--workers", "1"]
        own = {
            "HARNESS_CATALOG": os.pathsep.join([str(self.home / "catalog"), str(ROOT / "tests/toy")]),
            "HARNESS_DATA": str(self.folder("data")),
            "HARNESS_CACHE_GIB": "0",
            "TMPDIR": str(self.folder("temporary")),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(self.home / "stand-in"), str(ROOT)]),
        }
        return subprocess.Popen(  # the harness itself  # nosec B603
            [*COMMAND, *words],
            env=os.environ | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def results(self) -> dict[str, bytes]:
        """Returns path -> bytes of all that must not depend on how the run went."""
        found = {}
        for place in ("run", "data"):
            folder = self.folder(place)
            for file in folder.rglob("*"):
                if file.is_file() and file.name not in APART:
                    found[f"{place}/{file.relative_to(folder)}"] = file.read_bytes()
        return found

    def pages(self) -> int:
        """Returns how much of the disk is used."""
        held = os.statvfs(self.mounted)
        return (held.f_blocks - held.f_bfree) * held.f_bsize // PAGE


def _mount(*words: str) -> None:
    # The system's own program, with words from here.
    subprocess.run(["mount", *words], check=True, capture_output=True)  # nosec B603 B607


def judged(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Returns how a command ended, in a few words, and what is wrong with that, empty for nothing."""
    out, errors = process.communicate(timeout=600)
    status = process.returncode
    last = errors.strip().rpartition("\n")[2]
    if "Traceback" in out + errors:
        return f"status {status}", f"a traceback: {errors[-400:]}"
    if status == 0 or (status == 1 and "Report: " in out):
        return f"status {status}, a board", ""
    if status == 2 and last.startswith("harness: "):
        return f"status 2, {last[:70]}", ""
    return f"status {status}", f"said {errors[-300:]!r}"


def after(disk: Disk, whole: dict[str, bytes]) -> str:
    """Returns what is wrong with the end of the same command, empty for nothing."""
    told, wrong = judged(disk.start())
    if wrong or not told.startswith("status 0"):
        return f"the same command: {told} {wrong}"
    found = disk.results()
    different = sorted(name for name in {*found, *whole} if found.get(name) != whole.get(name))
    return f"different: {', '.join(different[:4])}" if different else ""


def fills(disk: Disk, pages: int, whole: dict[str, bytes]) -> tuple[str, str]:
    """Returns how the command ended on a disk of so many pages, and what was lost."""
    disk.mount(pages)
    told, wrong = judged(disk.start())
    disk.remount("size=256m")
    return told, wrong or after(disk, whole)


def is_read_only(disk: Disk, whole: dict[str, bytes], *, at_once: bool) -> tuple[str, str]:
    """Returns how the command ended on a disk that becomes read-only, and what was lost."""
    disk.mount(65536)
    if at_once:
        disk.remount("ro")
    process = disk.start()
    while not at_once and process.poll() is None:
        if list(disk.folder("run").glob("units/*/record.json")):
            # A file that is open for writing keeps the disk busy for a moment.
            try:
                disk.remount("ro")
                break
            except subprocess.CalledProcessError:
                time.sleep(0.002)
        time.sleep(0.002)
    told, wrong = judged(process)
    disk.remount("rw")
    return told, wrong or after(disk, whole)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--points", type=int, default=6, help="sizes of each disk")
    parser.add_argument("--places", nargs="+", choices=PLACES, default=PLACES)
    chosen = parser.parse_args(words)
    tried = lost = stopped = 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prepare(home)
        for place in chosen.places:
            first = Disk(home, home / f"{place} whole", place)
            try:
                first.mount(65536)
            except (subprocess.CalledProcessError, FileNotFoundError):
                print("Mounting is not permitted here; run it as root or below `unshare -rm`.")
                return NOT_PERMITTED
            trials = []
            try:
                told, wrong = judged(first.start())
                assert not wrong, wrong
                whole, used = first.results(), first.pages()
            finally:
                first.unmount()
            sizes = sorted({1 + used * index // chosen.points for index in range(chosen.points)})
            print(f"{place}: {told}; {used} pages", flush=True)
            trials = [(f"{size} pages", Disk(home, home / f"{place} {size}", place), size) for size in sizes]
            # The lock of a run keeps its disk from becoming read-only.
            for text in ("ro",) if place == "run" else ("ro", "ro later"):
                trials.append((text, Disk(home, home / f"{place} {text}", place), 0))
            for text, disk, size in trials:
                try:
                    told, wrong = (
                        fills(disk, size, whole) if size else is_read_only(disk, whole, at_once=text == "ro")
                    )
                finally:
                    disk.unmount()
                tried += 1
                lost += bool(wrong)
                stopped += not told.startswith("status 0")
                print(f"{place} on {text}: {told}; then {wrong or 'the same bytes'}", flush=True)
    print(f"tried {tried}, stopped {stopped}, ended in the same bytes {tried - lost}, lost {lost}")
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
