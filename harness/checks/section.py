"""Checks of sections: each is rendered on small recorded runs of every kind, whole, half done and empty.

The runs are of toy suites and lie beside this file; `benchmarks/recorded.py` makes them again.
"""

import tarfile
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from harness import catalog
from harness.report.page import html_report, inks_of
from harness.report.section import Block, ReportPart, Section
from harness.report.twin import markdown_report
from harness.run.loaded import Run, load_run
from harness.run.record import Record
from harness.study.study import AnyBoard, build_board, load_study

RECORDED = Path(__file__).with_name("recorded")


class Recorded(NamedTuple):
    """A recorded run in one state.

    Attributes:
        told: which it is.
        run: as far as it has come.
        board: what it says.
    """

    told: str
    run: Run
    board: AnyBoard


def section_claims(name: str) -> Iterator[tuple[str, bool, str]]:
    """Yields what holds of a section: whether, and what was seen."""
    section: Section = catalog.load("section", name)
    yield "has a title and a summary", bool(section.title and section.summary), section.title
    runs = [one for one in recorded_runs() if section.renders(one.board)]
    for recorded in runs:
        yield f"renders {recorded.told}", *_rendered(name, section, recorded)
    if not runs:
        told = f"of {', '.join(section.studies)} none is recorded; try `harness report RUN --sections {name}`"
        yield "renders what it says that it renders", True, told


def _rendered(name: str, section: Section, recorded: Recorded) -> tuple[bool, str]:
    """Returns whether a section can be rendered and drawn, twice alike, and what it shows or why not."""
    try:
        blocks = [section.render(recorded.run, recorded.board) for _ in range(2)]
        pages = [_drawn(name, section, recorded, block) for block in blocks]
    except Exception as error:  # an entry of others may raise anything
        place = traceback.extract_tb(error.__traceback__)[-1]
        return False, f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
    if pages[0] != pages[1]:
        return False, "it says something else the second time"
    return True, _told(blocks[0])


def _drawn(name: str, section: Section, recorded: Recorded, block: Block) -> tuple[str, str]:
    """Returns the page, and its twin, of this section alone."""
    parts = [ReportPart(name, section.title, section.summary, block)]
    title, series = recorded.run.title, load_study(recorded.run.study).series(recorded.board)
    inks = inks_of(parts, series)
    return html_report(title, recorded.told, parts, inks), markdown_report(title, recorded.told, parts)


def _told(block: Block) -> str:
    counts = {"figures": block.figures, "tables": block.tables + block.appendix, "texts": block.paragraphs}
    found = [f"{len(parts)} {what}" for what, parts in counts.items() if parts]
    return ", ".join(found) or "nothing to say"


@cache
def recorded_runs() -> tuple[Recorded, ...]:
    """Returns the recorded runs: of each kind a whole one, one half done and one that has nothing yet."""
    found = []
    for packed in sorted(RECORDED.glob("*.tar.xz")):
        whole = load_run(_unpacked(packed))
        states = {"a whole": whole.records, "a half done": _half(whole), "an empty": {}}
        for state, records in states.items():
            run = replace(whole, records=records)
            found.append(Recorded(f"{state} run of {run.study}", run, build_board(run)))
    return tuple(found)


def _half(run: Run) -> Mapping[str, Record]:
    """Returns the records of a run whose every third unit has none, or failed."""
    kept = {}
    for index, (key, record) in enumerate(sorted(run.records.items())):
        if index % 6 == 0:
            kept[key] = replace(record, status="failed", reason="it was told to fail", result={}, files={})
        elif index % 3:
            kept[key] = record
    return kept


_open: list[TemporaryDirectory[str]] = []
"""Where recorded runs lie while this process lives."""


def _unpacked(packed: Path) -> Path:
    folder = TemporaryDirectory(prefix="harness-recorded-")
    _open.append(folder)
    with tarfile.open(packed) as archive:
        archive.extractall(folder.name, filter="data")
    return Path(folder.name)
