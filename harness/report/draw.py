"""Figures of the report, as inline SVG in the page's own colours."""

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from harness.files import content_hash
from harness.guard.inert import html, visible
from harness.study.formats import csv_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
else:
    Axes = Any  # matplotlib is slow to import

INK: Final = "#0b0c0d"
"""Drawn in the colour of the page's text, light or dark."""
SOFT: Final = "#5b5c5d"
"""Drawn in the page's colour of captions."""
RULE: Final = "#dadbdc"
"""Drawn in the page's colour of rules."""
COLOURS: Final = tuple(
    tuple(bytes.fromhex(colour))
    for colour in (
        *("0173b2", "de8f05", "029e73", "d55e00", "cc78bc"),
        *("ca9161", "fbafe4", "949494", "ece133", "56b4e9"),
    )
)
"""Red, green and blue of seaborn's `colorblind`, which takes a second to import."""
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
PAGE_COLOURS = {INK: "currentColor", SOFT: "var(--soft)", RULE: "var(--rule)"}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A plot: its drawing, what it shows and finds, for those who cannot see it, and the data behind it."""

    svg: str
    alt: str
    csv: str


def draw(
    paint: Callable[[Sequence[Axes]], None],
    *,
    name: str,
    alt: str,
    data: Sequence[dict[str, Any]],
    panels: int = 1,
    size: tuple[float, float] = (9.0, 3.6),
) -> Figure:
    """Returns a plot as SVG that follows the page's colours and has the same bytes every time.

    Args:
        paint: draws on the axes it gets, one per panel, side by side.
        name: unique in the report.
        alt: what the plot finds.
        data: the rows behind it; all have the same keys.
        panels: how many axes.
        size: width and height in inches.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Drawing

    with mpl.rc_context({**_STYLE, "svg.hashsalt": f"harness-{name}"}):
        drawing = Drawing(figsize=size, layout="constrained")
        FigureCanvasSVG(drawing)
        axes = drawing.subplots(1, panels, squeeze=False)[0]
        paint(list(axes))
        sink = StringIO()
        with warnings.catch_warnings():  # letters stay text, so that one which our font lacks lacks nothing
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
            drawing.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    return Figure(svg=_inline_svg(sink.getvalue(), identifier(name), alt), alt=alt, csv=csv_text(data))


def forest(
    axis: Axes,
    labels: Sequence[str],
    estimates: Sequence[tuple[float, float, float]],
    *,
    scale: float = 1.0,
    colours: Sequence[Any] = (),
    top: float = -0.6,
) -> None:
    """Draws a row for each label from 0 down, with its value and interval where estimates are given."""
    every = palette(10)
    for index, estimate in enumerate(estimates):
        value, low, high = (scale * number for number in estimate)
        colour = colours[index] if colours else every[index % 10]
        axis.plot([low, high], [index, index], color=colour, linewidth=3, alpha=0.55)
        axis.plot([value], [index], MARKERS[index % 10], color=colour, markersize=8)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.4, top)
    axis.grid(axis="x")
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)


def palette(count: int) -> list[tuple[float, float, float]]:
    """Returns that many colours which colour-blind readers can tell apart; use `MARKERS` with them."""
    colours = [COLOURS[index % len(COLOURS)] for index in range(count)]
    return [(red / 255, green / 255, blue / 255) for red, green, blue in colours]


def identifier(name: str) -> str:
    """Returns the name, which may hold that of a task, as an id of its own."""
    plain = re.sub(r"[^A-Za-z0-9_.:-]", "_", name)
    return plain if plain == name else f"{plain}-{content_hash(name)}"


def _inline_svg(svg: str, name: str, alt: str) -> str:
    """Returns the drawing without its own head, with the page's colours and with ids of its own.

    Only tags are changed, as a name in the drawing may look like an attribute.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^<>]*>", lambda tag: page_tag(tag[0], name), body)
    body = body.replace("<svg ", f'<svg role="img" aria-label="{html(alt)}" ', 1)
    return visible("\n".join(line.rstrip() for line in body.splitlines()))


def page_tag(tag: str, name: str) -> str:
    """Returns a tag of a drawing with the page's colours and fonts, ids of its own and the page's size."""
    tag = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', tag)
    tag = re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", tag)
    for colour, page in PAGE_COLOURS.items():
        tag = tag.replace(colour, page)
    if tag.startswith("<svg"):
        tag = re.sub(r' (width|height)="[^"]*"', "", tag)
    # The dark page has no white behind the letters, and fonts come from the reader's machine.
    return re.sub(r"(font: [^;\"]*?)'[^;\"]*", r"\1system-ui, sans-serif", tag)
