"""The report of a run: sections of the catalog as one self-contained HTML file and its Markdown twin."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from harness import catalog
from harness.board.table import Table
from harness.errors import HarnessError
from harness.files import write_atomically
from harness.guard.inert import markdown, markdown_block, visible
from harness.report.draw import Figure
from harness.run.loaded import Run, load_run
from harness.study.formats import markdown_table
from harness.study.study import AnyBoard, build_board


@dataclass(frozen=True, kw_only=True)
class Block:
    """What a section shows, in this order; all texts are plain.

    Attributes:
        lead: one sentence in large type.
        paragraphs: of text.
        figures: plots.
        tables: of finished texts.
        code: commands or files to copy.
    """

    lead: str | None = None
    paragraphs: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    code: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """A catalog entry: one part of the report.

    Attributes:
        title: its heading.
        order: sections stand by ascending order, then by name.
        summary: one line, shown below the heading.
        render: makes the block from a run and its board.
        studies: names of those whose boards it renders; all where it is empty.
    """

    title: str
    order: int
    summary: str
    render: Callable[[Run, Any], Block]
    studies: tuple[str, ...] = ()

    def renders(self, board: AnyBoard) -> bool:
        """Returns whether it can show a board."""
        return not self.studies or board.study in self.studies


class _Part(NamedTuple):
    name: str
    title: str
    summary: str
    block: Block


def write_report(
    folder: Path,
    sections: Sequence[str] | None = None,
    *,
    data: Path | None = None,
    made: tuple[Run, AnyBoard] | None = None,
) -> Path:
    """Writes `report.html` and `report.md` of a run, all or some sections, and returns the first's path.

    Args:
        data: the data cache, where samples are to be shown.
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
    parts = [
        _Part(name, section.title, section.summary, section.render(run, board)) for name, section in entries
    ]
    parts = [part for part in parts if part.block != Block()]
    page, text = _html(run, parts), _markdown(run, parts)
    write_atomically(folder / "report.md", text)
    write_atomically(folder / "report.html", page)
    return folder / "report.html"


def _of(folder: Path, data: Path | None) -> tuple[Run, AnyBoard]:
    run = replace(load_run(folder), data=data)
    return run, build_board(run)


def _scope(run: Run) -> str:
    done = sum(record.status == "ok" for record in run.records.values())
    limit = "" if run.limit is None else f" Limited to {run.limit:,} samples of each split (‡)."
    return f"Suite {run.name}. {done:,} of {len(run.units):,} units have a result.{limit}"


def _html(run: Run, parts: Sequence[_Part]) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    source = (Path(__file__).with_name("template") / "report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=shown)
    return environment.from_string(source).render(title=run.title, scope=_scope(run), parts=parts) + "\n"


def _markdown(run: Run, parts: Sequence[_Part]) -> str:
    lines = [f"# {markdown(run.title)}", "", markdown(_scope(run)), ""]
    for part in parts:
        block = part.block
        lines += [f"## {markdown(part.title)}", "", f"*{markdown(part.summary)}*", ""]
        if block.lead:
            lines += [f"**{markdown(block.lead)}**", ""]
        for paragraph in block.paragraphs:
            lines += [markdown_block(paragraph), ""]
        for figure in block.figures:
            lines += [f"Figure: {markdown(figure.alt)}", "", _fenced(figure.csv), ""]
        for table in block.tables:
            lines += [markdown_table(table)]
        for code in block.code:
            lines += [_fenced(code), ""]
    return "\n".join(lines).rstrip() + "\n"


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{visible(text.rstrip())}\n{fence}"
