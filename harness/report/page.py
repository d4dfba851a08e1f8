"""The report of a run: sections of the catalog as one self-contained HTML file and its Markdown twin."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import chain
from pathlib import Path

from harness import catalog
from harness.errors import HarnessError
from harness.files import write_atomically
from harness.guard.inert import visible
from harness.report.export import export
from harness.report.ink import Inks
from harness.report.plot import series_of
from harness.report.section import Block, ReportPart, Section
from harness.report.svg import drawn
from harness.report.twin import markdown_report
from harness.run.loaded import Run, load_run
from harness.study.study import AnyBoard, build_board, load_study
from harness.study.trained.boards.values import Board

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
    parts = [part for part in parts if part.block != Block()]
    inks = inks_of(parts, board)
    path = out or folder / ("report.html" if sections is None else "report.part.html")
    write_atomically(path.with_suffix(".md"), markdown_report(run.title, _scope(run), parts))
    write_atomically(
        path, html_report(run.title, _scope(run), parts, inks, kinds=_kinds(board), spaces=_spaces(board))
    )
    if figures is not None:
        export(parts, inks, figures)
    return path


def inks_of(parts: Sequence[ReportPart], board: AnyBoard) -> Inks:
    """Returns colour and marker of every row of a board that these sections draw."""
    figures = [figure for part in parts for figure in part.block.figures]
    plots = [plot for figure in figures for plot in chain(figure.plots, *figure.others.values())]
    return Inks(load_study(board.study).series(board), series_of(plots))


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
    limit = "" if run.limit is None else f" Limited to {run.limit:,} samples of each split (‡)."
    return f"Suite {run.name}. {done:,} of {len(run.units):,} units have a result.{limit}"


def _kinds(board: AnyBoard) -> dict[str, str]:
    """Returns title of each task that the catalog has -> its kind of input."""
    tasks = board.tasks if isinstance(board, Board) else ()
    known = [task for task in tasks if (task.trained_on or task.task) in catalog.files("task")]
    return {
        task.title: str(catalog.load("task", task.trained_on or task.task).signature.kind) for task in known
    }


def _spaces(board: AnyBoard) -> set[str]:
    tasks = board.tasks if isinstance(board, Board) else ()
    return {row.space for task in tasks for row in task.rows if row.space}


def html_report(
    title: str,
    scope: str,
    parts: Sequence[ReportPart],
    inks: Inks,
    *,
    kinds: Mapping[str, str] | None = None,
    spaces: Iterable[str] = (),
) -> str:
    """Returns the page.

    Args:
        title: of the run.
        scope: what of it is done.
        parts: the sections.
        inks: of the rows.
        kinds: title of a task -> its kind of input; plots and tables whose titles start so are of it.
        spaces: that a reader may ask for, as for a row or a kind.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=shown)
    template = environment.from_string((TEMPLATE / "report.html.j2").read_text(encoding="utf-8"))

    def kind_of(text: str) -> str:
        return next((kind for task, kind in (kinds or {}).items() if text.startswith(task)), "")

    lines = map(str.strip, (TEMPLATE / "script.js").read_text(encoding="utf-8").splitlines())
    script = "\n".join(line for line in lines if line and not line.startswith("//"))
    page = template.render(
        script=script,
        script_hash=base64.b64encode(sha256(script.encode()).digest()).decode(),
        title=title,
        scope=scope,
        parts=parts,
        style=(TEMPLATE / "style.css").read_text(encoding="utf-8"),
        inks=inks,
        drawn=drawn,
        kind_of=kind_of,
        words=sorted({*inks.names, *(kinds or {}).values(), *spaces}),
    )
    return page + "\n"
