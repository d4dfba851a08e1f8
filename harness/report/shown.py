"""What a run shows: its board, its report and the words for a terminal, made again only where they must be.

They lie in the run's folder with a hash of all that they follow from: the plan, every record and what lies
beside it, the whole engine, every entry of the catalog, the versions of packages, and size and time of the
prepared files that samples are shown of. A run that nobody changed is told from what lies there.
"""

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness import catalog
from harness.errors import DamagedError
from harness.files import (
    SCHEMA,
    canonical_json,
    content_hash,
    file_hash,
    read_sealed,
    sealed,
    write_atomically,
)
from harness.identity.code import closure
from harness.identity.unit import AnyUnit, unit_folder
from harness.run.provenance import PACKAGES, package_version
from harness.run.stored import DATES, PROVENANCE, RECORD, SHOWN, TIMING

ENGINE: Final = Path(__file__).parents[1]
DRAWN_BY: Final = ("jinja2", "markupsafe", "matplotlib", "pydantic", "rich", "seaborn")
"""Packages that a report depends on and no result."""
FILES: Final = ("board.json", "report.html", "report.md")


class Shown(NamedTuple):
    """What a command prints of a run.

    Attributes:
        text: for a terminal.
        wants: what a verdict would take, a sentence each.
    """

    text: str
    wants: list[str]


def show(run: Path, units: Iterable[AnyUnit], *, data: Path, width: int | None, is_whole: bool) -> Shown:
    """Brings board and report of a run to what its records say, and returns what is printed.

    Args:
        run: its folder, with its plan.
        units: of the plan.
        data: the data cache.
        width: characters of a line of the terminal; None for any.
        is_whole: whether all units have a result, so that what is made is kept.
    """
    state = _state(run, units, data)
    kept = _kept(run, state) if is_whole else {}
    if str(width) not in kept:
        shown = _made(run, data, width)
        if is_whole:
            texts = {**kept, str(width): list(shown)}
            files = {name: file_hash(run / name) for name in FILES}
            write_atomically(
                run / SHOWN, sealed({"schema": SCHEMA, "state": state, "files": files, "texts": texts})
            )
        return shown
    return Shown(*kept[str(width)])


def board_text(run: Path) -> str:
    """Returns the JSON of a run's board as it was printed when it was made."""
    return canonical_json(read_sealed(run / "board.json", "run `harness eval` again"), indent=1) + "\n"


def _made(run: Path, data: Path, width: int | None) -> Shown:
    from harness.report.page import write_report
    from harness.report.submission import submission_text
    from harness.run.loaded import load_run
    from harness.study.formats import render
    from harness.study.study import build_board, load_study

    (run / SHOWN).unlink(missing_ok=True)
    loaded = replace(load_run(run), data=data)
    board = build_board(loaded)
    write_atomically(run / "board.json", submission_text(loaded, board))
    write_report(run, data=data, made=(loaded, board))
    return Shown(render(board, "terminal", width=width), load_study(board.study).wants(loaded, board))


def _kept(run: Path, state: str) -> dict[str, Any]:
    """Returns width -> text and wishes; nothing where a file is not what was written, or of another state."""
    with suppress(FileNotFoundError, DamagedError, KeyError):
        kept = read_sealed(run / SHOWN, "it is made again")
        if kept["state"] == state and all(file_hash(run / name) == kept["files"][name] for name in FILES):
            return dict(kept["texts"])
    return {}


def _state(run: Path, units: Iterable[AnyUnit], data: Path) -> str:
    units = list(units)
    versions = {name: package_version(name) for name in (*PACKAGES, *DRAWN_BY)}
    files = [_digest(_files_of(run, units)), _digest(_code())]
    imported = closure(*catalog.files("section").values())
    return content_hash([sys.version, versions, str(data), files, imported, list(_marks(units, data))])


def _files_of(run: Path, units: Iterable[AnyUnit]) -> Iterator[Path]:
    yield from (run / "plan.json", run / DATES)
    for unit in units:
        yield from (unit_folder(run, unit) / name for name in (RECORD, TIMING, PROVENANCE))


def _code() -> Iterator[Path]:
    """Yields every file of the engine, and every entry with what lies beside it."""
    folders = [ENGINE, *(root / kind.folder for root in catalog.roots() for kind in catalog.KINDS.values())]
    for folder in dict.fromkeys(folders):
        for place, inner, names in os.walk(folder):
            inner[:] = sorted(name for name in inner if name != "__pycache__")
            yield from (Path(place, name) for name in sorted(names))


def _digest(files: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for file in files:
        with suppress(FileNotFoundError):
            found.update(f"{file}\0{file_hash(file)}\0".encode(errors="backslashreplace"))
    return found.hexdigest()


def _marks(units: Iterable[AnyUnit], data: Path) -> Iterator[tuple[str, int, int]]:
    """Yields path, size and time of change of what is prepared of the tasks of a run."""
    for task in sorted({unit.spec.of.partition("/")[0] for unit in units} - {""}):
        for place, inner, names in os.walk(data / "prepared" / task):
            inner.sort()
            for name in sorted(names):
                with suppress(FileNotFoundError):
                    state = os.stat(os.path.join(place, name))
                    yield os.path.join(place, name), state.st_size, state.st_mtime_ns
