"""The report of a run: sections of the catalog as one self-contained HTML file and its Markdown twin."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness import catalog
from harness.board.series import Series
from harness.errors import HarnessError
from harness.files import content_hash, write_atomically
from harness.guard.inert import visible
from harness.report.ink import Inks
from harness.report.plot import series_of
from harness.report.section import Block, ReportPart, Section
from harness.report.svg import drawn
from harness.report.twin import markdown_report
from harness.run.loaded import Run, load_run
from harness.study.study import AnyBoard, build_board, load_study

TEMPLATE = Path(__file__).with_name("template")


def write_report(folder: Path, sections: Sequence[str] | None = None, *, data: Path | None = None) -> Path:
    """Writes `report.html` and `report.md` of a run, all or some sections, and returns the first's path.

    Args:
        data: the data cache, where samples are to be shown.

    Raises:
        HarnessError: there is no run, or no such section.
    """
    run = replace(load_run(folder), data=data)
    board = build_board(run)
    names = catalog.names("section") if sections is None else list(dict.fromkeys(sections))
    entries: list[tuple[str, Section]] = [(name, catalog.load("section", name)) for name in names]
    if sections is None:
        entries = [entry for entry in entries if entry[1].renders(board)]
    for name, section in entries:
        if not section.renders(board):
            raise HarnessError(f"Section {name!r} has nothing to say of {run.name}, a run of another kind.")
    entries.sort(key=lambda entry: (entry[1].order, entry[0]))
    parts = [_part(run, board, name, section) for name, section in entries]
    parts = [part for part in parts if part.block != Block()]
    rows = load_study(board.study).series(board)
    scope = _scope(run)
    page = html_report(run.title, scope, parts, rows)
    write_atomically(folder / "report.md", markdown_report(run.title, scope, parts))
    write_atomically(folder / "report.html", page)
    return folder / "report.html"


def _part(run: Run, board: AnyBoard, name: str, section: Section) -> ReportPart:
    """Returns a section as it stands in the report; one that fails says why in its place."""
    try:
        block = section.render(run, board)
    except Exception as error:  # an entry of others may raise anything
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        block = Block(failure=f"This section could not be made: {reason}.")
    return ReportPart(name, section.title, section.summary, block)


def _scope(run: Run) -> str:
    done = sum(record.status == "ok" for record in run.records.values())
    limit = "" if run.limit is None else f" Limited to {run.limit:,} samples of each split (‡)."
    return f"Suite {run.name}. {done:,} of {len(run.units):,} units have a result.{limit}"


def html_report(title: str, scope: str, parts: Sequence[ReportPart], rows: Sequence[Series] = ()) -> str:
    """Returns the page; `rows` are those of the board, whose colours and markers are the same everywhere."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    names = series_of([plot for part in parts for figure in part.block.figures for plot in figure.plots])
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=shown)
    template = environment.from_string((TEMPLATE / "report.html.j2").read_text(encoding="utf-8"))
    page = template.render(
        title=title,
        scope=scope,
        parts=parts,
        style=(TEMPLATE / "style.css").read_text(encoding="utf-8"),
        inks=Inks(rows, names),
        drawn=drawn,
        identifier=identifier,
    )
    return page + "\n"


def identifier(name: str) -> str:
    """Returns the name, which may hold that of a task, as an id of its own."""
    plain = re.sub(r"[^A-Za-z0-9_.:-]", "_", name)
    return plain if plain == name else f"{plain}-{content_hash(name)}"
