"""Figures and tables of a report as files for a paper: SVG, PDF and CSV, LaTeX with booktabs and CSV."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.files import write_atomically
from harness.guard import inert
from harness.report.ink import HUES, Inks
from harness.report.plot import Curve, Figure, Forest, Heat, Pictures, Plane, Plot, Span, Strips
from harness.report.ruler import Ruler
from harness.report.section import ReportPart
from harness.study.formats import csv_text, tabular

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS: Final = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "*")
"""Of matplotlib, as those of the page."""
STYLE: Final[dict[Any, Any]] = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "harness",
    "pdf.fonttype": 42,
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "grid.color": "#dadbdc",
    "legend.frameon": False,
}
WIDTH: Final = 6.5
"""Inches, of a page's column of text."""


def export(parts: Sequence[ReportPart], inks: Inks, folder: Path) -> list[Path]:
    """Writes every figure and table, replacing those of the same names, and returns the files.

    Pictures of samples, strips of architectures and matrices have their data as CSV, and no drawing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for part in parts:
        for figure in part.block.figures:
            written += _figure(figure, inks, folder)
        for index, table in enumerate((*part.block.tables, *part.block.appendix), start=1):
            stem = folder / f"{part.name}-{index}"
            lines = [dict(zip(_unique(table.columns), row, strict=True)) for row in table.rows]
            written += [_write(stem.with_suffix(".csv"), csv_text(lines))]
            notes = [f"% {inert.line(text)}" for text in (table.caption, *table.notes)]
            written += [_write(stem.with_suffix(".tex"), "\n".join([*notes, tabular(table), ""]))]
    return written


def _unique(columns: Sequence[str]) -> list[str]:
    """Returns the headings, those that stand twice told apart by their number."""
    return [name if columns.index(name) == at else f"{name} ({at + 1})" for at, name in enumerate(columns)]


def _write(path: Path, data: str | bytes) -> Path:
    write_atomically(path, data)
    return path


def _figure(figure: Figure, inks: Inks, folder: Path) -> list[Path]:
    stem = folder / figure.identifier
    written = [_write(stem.with_suffix(".csv"), figure.csv)] if figure.data else []
    drawable = [plot for plot in figure.plots if isinstance(plot, Forest | Plane)]
    if not drawable:
        return written
    import matplotlib as mpl
    import seaborn
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    heights = [_height(plot) for plot in drawable]
    with mpl.rc_context({**seaborn.axes_style("ticks"), **STYLE}):
        drawing = Drawing(figsize=(WIDTH, sum(heights)), layout="constrained")
        FigureCanvasAgg(drawing)
        grid = drawing.subplots(len(drawable), 1, squeeze=False, height_ratios=heights)
        for axes, plot in zip(grid[:, 0], drawable, strict=True):
            _draw(axes, plot, inks)
        seaborn.despine(drawing)
        for suffix in (".svg", ".pdf"):
            sink = BytesIO()
            metadata = {"Date": None} if suffix == ".svg" else {"CreationDate": None}
            drawing.savefig(sink, format=suffix[1:], metadata=metadata)
            written.append(_write(stem.with_suffix(suffix), sink.getvalue()))
    return written


def _height(plot: Plot) -> float:
    return 0.8 + 0.24 * len(plot.bars) if isinstance(plot, Forest) else 2.8


def _draw(axes: "Axes", plot: Plot, inks: Inks) -> None:
    if isinstance(plot, Forest):
        _forest(axes, plot, inks)
    elif isinstance(plot, Plane):
        _plane(axes, plot, inks)
    else:
        assert isinstance(plot, Heat | Strips | Pictures)
    axes.set_title(plot.title)


def _forest(axes: "Axes", plot: Forest, inks: Inks) -> None:
    values = [value for bar in plot.bars for value in (*(bar.main or ()), *(bar.second or ()), *bar.dots)]
    ruler = Ruler(plot.axis, [*values, *(plot.axis.zone or ())])
    if plot.axis.zone:
        axes.axvspan(*plot.axis.zone, color="#0b63b0", alpha=0.08, linewidth=0)
    if plot.axis.zero:
        axes.axvline(plot.axis.zero[0], color="#1d2228", linewidth=0.8, linestyle="--")
    for place, bar in enumerate(plot.bars):
        colour, marker = _look(inks, bar.series)
        if bar.main:
            _span(axes, bar.main, place - 0.1, colour, marker, "full")
        if bar.second:
            _span(axes, bar.second, place + 0.3, colour, marker, "none")
        axes.plot(bar.dots, [place + 0.12] * len(bar.dots), ".", color=colour, markersize=3, alpha=0.6)
    axes.set_yticks(range(len(plot.bars)), [bar.label or bar.series for bar in plot.bars])
    axes.set_ylim(len(plot.bars) - 0.4, -0.6)
    axes.set_xlim(ruler.low, ruler.high)
    if plot.axis.better == "lower":
        axes.invert_xaxis()
    axes.set_xlabel(f"{plot.axis.label}; better →" if plot.axis.better else plot.axis.label)
    axes.grid(axis="x")


def _span(axes: "Axes", found: Span, height: float, colour: str, marker: str, fill: Any) -> None:
    axes.plot([found.low, found.high], [height, height], color=colour, linewidth=1.6, alpha=0.6)
    axes.plot([found.value], [height], marker, color=colour, markersize=5, fillstyle=fill)


def _plane(axes: "Axes", plot: Plane, inks: Inks) -> None:
    for curve in plot.lines:
        _curve(axes, curve, inks)
    named: set[str] = {curve.series for curve in plot.lines}
    for point in plot.points:
        colour, marker = _look(inks, point.series)
        label = None if point.series in named or point.is_small else point.series
        named |= {point.series} if label else set()
        if point.across:
            axes.plot(point.across, [point.y] * 2, color=colour, linewidth=1.2, alpha=0.5)
        if point.along:
            axes.plot([point.x] * 2, point.along, color=colour, linewidth=1.2, alpha=0.5)
        size = 2.5 if point.is_small else 6.0
        axes.plot([point.x], [point.y], marker, color=colour, markersize=size, label=label)
    for axis, name in ((plot.x, "x"), (plot.y, "y")):
        if axis.is_log:
            getattr(axes, f"set_{name}scale")("log")
        getattr(axes, f"set_{name}label")(axis.label)
    if plot.x.zero:
        axes.axvline(plot.x.zero[0], color="#1d2228", linewidth=0.8, linestyle="--")
    axes.grid(axis="y")
    if len(named) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=7)


def _curve(axes: "Axes", curve: Curve, inks: Inks) -> None:
    colour, marker = _look(inks, curve.series)
    style: Any = "steps-post" if curve.is_step else "default"
    for thin in curve.thin:
        axes.plot(*zip(*thin, strict=True), color=colour, linewidth=0.6, alpha=0.35, drawstyle=style)
    if curve.band:
        at, low, high = zip(*curve.band, strict=True)
        axes.fill_between(at, low, high, color=colour, alpha=0.13, linewidth=0)
    if curve.points:
        at, values = zip(*curve.points, strict=True)
        every = max(1, len(at) // 6)
        mark = marker if curve.is_marked else ""
        axes.plot(
            at,
            values,
            color=colour,
            linewidth=1.4,
            drawstyle=style,
            marker=mark,
            markevery=every,
            markersize=4,
            label=curve.series,
        )


def _look(inks: Inks, series: str) -> tuple[str, str]:
    ink = inks[series]
    return HUES[ink.hue][0], MARKERS[ink.marker]
