"""The report of a run: sections of the catalog as one self-contained HTML file and its Markdown twin."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from harness import catalog
from harness.board.series import Series
from harness.errors import HarnessError
from harness.files import write_atomically
from harness.guard.inert import visible
from harness.report.export import export
from harness.report.ink import Inks
from harness.report.plot import series_of
from harness.report.section import ALONE, Block, Frame, ReportPart, Section
from harness.report.svg import drawn
from harness.report.twin import markdown_report
from harness.run.loaded import Run, load_run
from harness.study.study import AnyBoard, build_board, load_study

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = Path(__file__).with_name("template")


def write_report(
    folder: Path,
    sections: Sequence[str] | None = None,
    *,
    data: Path | None = None,
    out: Path | None = None,
    figures: Path | None = None,
    made: tuple[Run, AnyBoard] | None = None,
) -> Path:
    """Writes the report of a run as HTML, and beside it as Markdown, and returns the former's path.

    Args:
        folder: of the run.
        sections: their names; all that have something to say where it is None.
        data: the data cache, where samples are to be shown.
        out: the HTML file; `report.html` of the run, or `report.part.html` where sections were chosen.
        figures: a folder for figures and tables as files; None for none.
        made: the run, which says where its data are, and its board, where they are there already.

    Raises:
        HarnessError: there is no run, or no such section.
    """
    run, board = made or _of(folder, data)
    names = catalog.names("section") if sections is None else list(dict.fromkeys(sections))
    entries: list[tuple[str, Section]] = [(name, catalog.load("section", name)) for name in names]
    if sections is None:
        entries = [entry for entry in entries if entry[1].renders(board)]
    for name, section in entries:
        if not section.renders(board):
            raise HarnessError(f"Section {name!r} has nothing to say of {run.name}, a run of another kind.")
    entries.sort(key=lambda entry: (entry[1].order, entry[0]))
    with catalog.held():
        parts = [_part(run, board, name, section) for name, section in entries]
        asked = _asked(board)
    parts = [part for part in parts if part.block != Block()]
    inks = inks_of(parts, load_study(board.study).series(board))
    path = out or folder / ("report.html" if sections is None else "report.part.html")
    write_atomically(path.with_suffix(".md"), markdown_report(run.title, _scope(run), parts))
    write_atomically(path, html_report(run.title, _scope(run), parts, inks, asked=asked))
    if figures is not None:
        export(parts, inks, figures)
    return path


def inks_of(parts: Sequence[ReportPart], rows: Sequence[Series]) -> Inks:
    """Returns the inks of a page, from the rows of its boards and all that its figures show."""
    figures = [figure for part in parts for figure in part.block.figures]
    plots = [plot for figure in figures for plot in chain(figure.plots, *figure.others.values())]
    return Inks(rows, series_of(plots))


def _part(run: Run, board: AnyBoard, name: str, section: Section) -> ReportPart:
    """Returns a section as it stands in the report; one that fails says why in its place."""
    try:
        block = section.render(run, board)
    except Exception as error:  # an entry of others may raise anything
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        block = Block(failure=f"This section could not be made: {reason}.")
    return ReportPart(name, section.title, section.summary, block)


def _of(folder: Path, data: Path | None) -> tuple[Run, AnyBoard]:
    run = replace(load_run(folder), data=data)
    return run, build_board(run)


def _scope(run: Run) -> str:
    done = sum(record.status == "ok" for record in run.records.values())
    limit = "" if run.limit is None else f" Limited by --limit {run.limit:,} (‡)."
    return f"Suite {run.name}. {done:,} of {len(run.units):,} units have a result.{limit}"


class Asked(NamedTuple):
    """What a reader may ask a page for, beside its rows.

    Attributes:
        kinds: title of a task -> its kind of input; plots and tables whose titles start so are of it.
        spaces: that rows searched.
    """

    kinds: Mapping[str, str] = {}
    spaces: Sequence[str] = ()

    def kind_of(self, text: str) -> str:
        """Returns the kind of input of what has this title; empty where nobody knows."""
        return next((kind for title, kind in self.kinds.items() if text.startswith(title)), "")

    def words(self, names: Sequence[str]) -> list[str]:
        """Returns all that may be asked for, rows by these names among it."""
        return sorted({*names, *self.spaces, *self.kinds.values()})


NOTHING: Final = Asked()


def _asked(board: AnyBoard) -> Asked:
    boards, tasks = load_study(board.study).leaderboards(board), catalog.files("task")
    known = [one for one in boards if one.subject in tasks]
    return Asked(
        kinds={one.title: str(catalog.load("task", one.subject).signature.kind) for one in known},
        spaces=[row.space for one in boards for row in one.rows if row.space],
    )


def html_report(
    title: str,
    scope: str,
    parts: Sequence[ReportPart],
    inks: Inks,
    frame: Frame = ALONE,
    *,
    asked: Asked = NOTHING,
) -> str:
    """Returns the page, by itself or in a site."""
    lines = map(str.strip, (TEMPLATE / "script.js").read_text(encoding="utf-8").splitlines())
    script = "\n".join(line for line in lines if line and not line.startswith("//"))
    page = _template().render(
        script=script,
        script_hash=base64.b64encode(sha256(script.encode()).digest()).decode(),
        title=title,
        scope=scope,
        parts=parts,
        style=(TEMPLATE / "style.css").read_text(encoding="utf-8"),
        inks=inks,
        drawn=drawn,
        frame=frame,
        kind_of=asked.kind_of,
        words=asked.words(inks.names),
    )
    return page + "\n"


@cache
def _template() -> "Template":
    """Returns the page's template, which a site asks for again and again."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=shown)
    return environment.from_string((TEMPLATE / "report.html.j2").read_text(encoding="utf-8"))
