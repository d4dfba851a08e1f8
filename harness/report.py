"""The report of a run: sections of the catalog as one self-contained HTML file and its Markdown twin."""

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness import catalog
from harness.board import Board, Run, Table, build_board, load_run
from harness.board.show import csv_text, markdown_table
from harness.errors import HarnessError
from harness.inert import html, markdown, markdown_block, visible
from harness.records import content_hash, write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK: Final = "#0b0c0d"
"""Drawn in the colour of the page's text, light or dark."""
SOFT: Final = "#5b5c5d"
"""Drawn in the page's colour of captions."""
RULE: Final = "#dadbdc"
"""Drawn in the page's colour of rules."""
MARKERS: Final = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "*")

_STYLE: Final[dict[Any, Any]] = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": SOFT,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}
_PAGE_COLOURS = {INK: "currentColor", SOFT: "var(--soft)", RULE: "var(--rule)"}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A plot.

    Attributes:
        svg: the drawing.
        alt: what it shows and finds, for those who cannot see it; also its caption.
        csv: the data behind it.
    """

    svg: str
    alt: str
    csv: str


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
        boards: which boards it can render; others have no such section.
    """

    title: str
    order: int
    summary: str
    render: Callable[[Run, Any], Block]
    boards: tuple[type, ...] = (Board,)


class _Part(NamedTuple):
    name: str
    title: str
    summary: str
    block: Block


def write_report(folder: Path, sections: Sequence[str] | None = None) -> Path:
    """Writes `report.html` and `report.md` of the run in `folder` and returns the path of the first.

    Args:
        folder: a run folder.
        sections: names of sections; all of them when None.

    Raises:
        HarnessError: there is no run, or no such section.
    """
    run = load_run(folder)
    board = build_board(run)
    names = catalog.names("section") if sections is None else list(dict.fromkeys(sections))
    entries: list[tuple[str, Section]] = [(name, catalog.load("section", name)) for name in names]
    if sections is None:
        entries = [entry for entry in entries if isinstance(board, entry[1].boards)]
    for name, section in entries:
        if not isinstance(board, section.boards):
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


def draw(
    paint: Callable[[Sequence["Axes"]], None],
    *,
    name: str,
    alt: str,
    data: Sequence[dict[str, Any]],
    panels: int = 1,
    size: tuple[float, float] = (9.0, 3.6),
    share_y: bool = False,
) -> Figure:
    """Returns a plot as SVG that follows the page's colours and has the same bytes every time.

    Args:
        paint: draws on the axes it gets, one per panel, side by side.
        name: unique in the report.
        alt: what the plot finds.
        data: the rows behind it; all have the same keys.
        panels: how many axes.
        size: width and height in inches.
        share_y: whether the panels have one vertical axis.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Drawing

    with mpl.rc_context({**_STYLE, "svg.hashsalt": f"harness-{name}"}):
        drawing = Drawing(figsize=size, layout="constrained")
        FigureCanvasSVG(drawing)
        axes = drawing.subplots(1, panels, squeeze=False, sharey=share_y)[0]
        paint(list(axes))
        sink = StringIO()
        with warnings.catch_warnings():  # letters stay text, so that one which our font lacks lacks nothing
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
            drawing.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    return Figure(svg=_inline_svg(sink.getvalue(), _identifier(name), alt), alt=alt, csv=csv_text(data))


def palette(count: int) -> list[tuple[float, float, float]]:
    """Returns that many colours which colour-blind readers can tell apart; use `MARKERS` with them."""
    from seaborn import color_palette

    return [
        (float(red), float(green), float(blue)) for red, green, blue in color_palette("colorblind", count)
    ]


def _identifier(name: str) -> str:
    """Returns the name, which may hold that of a task, as an id of its own."""
    plain = re.sub(r"[^A-Za-z0-9_.:-]", "_", name)
    return plain if plain == name else f"{plain}-{content_hash(name)}"


def _inline_svg(svg: str, name: str, alt: str) -> str:
    """Returns the drawing without its own head, with the page's colours and with ids of its own.

    Only tags are changed, as a name in the drawing may look like an attribute.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^<>]*>", lambda tag: _page_tag(tag[0], name), body)
    body = body.replace("<svg ", f'<svg role="img" aria-label="{html(alt)}" ', 1)
    return visible("\n".join(line.rstrip() for line in body.splitlines()))


def _page_tag(tag: str, name: str) -> str:
    """Returns a tag of a drawing with the page's colours and fonts, ids of its own and the page's size."""
    tag = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', tag)
    tag = re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", tag)
    for colour, page in _PAGE_COLOURS.items():
        tag = tag.replace(colour, page)
    if tag.startswith("<svg"):
        tag = re.sub(r' (width|height)="[^"]*"', "", tag)
    # The dark page has no white behind the letters, and fonts come from the reader's machine.
    return re.sub(r"(font: [^;\"]*?)'[^;\"]*", r"\1system-ui, sans-serif", tag)


def _scope(run: Run) -> str:
    done = sum(record.status == "ok" for record in run.records.values())
    limit = "" if run.limit is None else f" Limited to {run.limit:,} samples of each split (‡)."
    return f"Suite {run.name}. {done:,} of {len(run.units):,} units have a result.{limit}"


def _html(run: Run, parts: Sequence[_Part]) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    source = (Path(__file__).with_name("report_template") / "report.html.j2").read_text(encoding="utf-8")
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
