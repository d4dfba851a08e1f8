"""What the report can draw: sections say what there is to see, `svg` decides how a page shows it.

Numbers are in the unit that their axis names. Whose they are is said by the name of a row of the board, from
which colour and marker follow; a name that is no row of it has colours in the order of appearance.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from harness.board.values import Difference, Estimate
from harness.files import content_hash
from harness.study.formats import csv_text

Direction = Literal["higher", "lower", ""]


class Span(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What a position means.

    Attributes:
        label: quantity and unit.
        better: which direction is better; a forest's better side is on the right.
        is_log: whether equal distances are equal ratios; values are positive.
        zero: a value that is told apart by a line, with its name.
        zone: values between which a difference does not matter.
        low: least value that is shown; of the data where it is None.
        high: greatest one.
    """

    label: str
    better: Direction = ""
    is_log: bool = False
    zero: tuple[float, str] | None = None
    zone: tuple[float, float] | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One line of a forest.

    Attributes:
        series: whose it is.
        label: what stands before it; the name of the series where it is empty.
        main: the value.
        second: another value of the same unit, drawn hollow below it.
        dots: values of single trainings.
        text: the value as it is printed.
        told: what is told where it is pointed at.
    """

    series: str
    label: str = ""
    main: Span | None = None
    second: Span | None = None
    dots: tuple[float, ...] = ()
    text: str = ""
    told: str = ""


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Values with intervals, a line each, on one axis.

    Attributes:
        title: what it is of; a figure of several has one each.
        axis: of all values.
        bars: from above.
        main: what the full marks are; told where there are hollow ones.
        second: what the hollow marks are.
    """

    title: str
    axis: Axis
    bars: tuple[Bar, ...]
    main: str = ""
    second: str = ""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A curve.

    Attributes:
        series: whose it is.
        points: x and y, by x.
        band: x, low and high, by x.
        thin: curves of single searches.
        is_step: whether the value holds until the next point.
        is_marked: whether a marker stands on it, some times.
    """

    series: str
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float, float], ...] = ()
    thin: tuple[tuple[tuple[float, float], ...], ...] = ()
    is_step: bool = False
    is_marked: bool = True


@dataclass(frozen=True, kw_only=True)
class Point:
    """A mark on a plane.

    Attributes:
        series: whose it is.
        x: value.
        y: value.
        across: interval of x.
        along: interval of y.
        is_small: one training of many.
        told: what is told where it is pointed at.
    """

    series: str
    x: float
    y: float
    across: tuple[float, float] | None = None
    along: tuple[float, float] | None = None
    is_small: bool = False
    told: str = ""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Curves and marks on two axes.

    Attributes:
        title: what it is of.
        x: across.
        y: upwards.
        lines: curves.
        points: marks.
        is_named: whether marks have their names beside them.
    """

    title: str
    x: Axis
    y: Axis
    lines: tuple[Curve, ...] = ()
    points: tuple[Point, ...] = ()
    is_named: bool = False


@dataclass(frozen=True, kw_only=True)
class Heat:
    """A matrix of numbers as shades.

    Attributes:
        title: what it is of.
        rows: their names.
        columns: their names.
        shades: from -1 to 1, 0 being neutral; None where there is no value.
        texts: the values as they are printed.
        corner: what rows and columns are.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    shades: tuple[tuple[float | None, ...], ...]
    texts: tuple[tuple[str, ...], ...]
    corner: str = ""


class Brick(NamedTuple):
    """A layer of an architecture.

    Attributes:
        kind: what it is, which decides its colour.
        size: share of the greatest there is, in (0, 1]; its height.
        text: what is told where it is pointed at.
    """

    kind: str
    size: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Strip:
    """An architecture.

    Attributes:
        series: whose it is.
        label: what stands before it; the name of the series where it is empty.
        bricks: its layers, from the input on.
        text: what stands after it.
    """

    series: str
    label: str = ""
    bricks: tuple[Brick, ...]
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Strips:
    """Architectures, a line each."""

    title: str
    strips: tuple[Strip, ...]

    @property
    def kinds(self) -> list[str]:
        """Kinds of bricks, in the order of appearance."""
        return list(dict.fromkeys(brick.kind for strip in self.strips for brick in strip.bricks))


class Picture(NamedTuple):
    """A sample with what is told of it, a line each; `png` are the bytes of its file."""

    png: bytes
    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Samples side by side."""

    title: str
    pictures: tuple[Picture, ...]


Plot = Forest | Plane | Heat | Strips | Pictures


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Plots that belong together.

    Attributes:
        name: unique in the report, as a file's name.
        alt: what they show and find, for those who cannot see them.
        plots: side by side, or one below the other.
        data: the rows behind them; all have the same keys.
        choice: what there is to choose between `others`, and what `plots` are for.
        others: what a reader may choose in place of it -> plots.
    """

    name: str
    alt: str
    plots: tuple[Plot, ...]
    data: Sequence[dict[str, Any]] = field(default=())
    choice: tuple[str, str] = ("", "")
    others: Mapping[str, tuple[Plot, ...]] = field(default_factory=dict)

    @property
    def identifier(self) -> str:
        """The name, which may hold that of a task, as an id and as a file's name."""
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", self.name)
        return plain if plain == self.name else f"{plain}-{content_hash(self.name)}"

    @property
    def csv(self) -> str:
        """The data as CSV."""
        return csv_text(list(self.data))


def interval(found: Estimate | Difference | None, factor: float = 1.0) -> Span | None:
    """Returns a value of a board in the unit that people read; None where there is none."""
    if found is None:
        return None
    return Span(factor * found.value, factor * found.low, factor * found.high)


def series_of(plots: Sequence[Plot]) -> list[str]:
    """Returns whose values plots show, in the order of appearance."""
    found: dict[str, None] = {}
    for plot in plots:
        if isinstance(plot, Forest):
            found |= dict.fromkeys(bar.series for bar in plot.bars)
        elif isinstance(plot, Plane):
            found |= dict.fromkeys([line.series for line in plot.lines] + [one.series for one in plot.points])
        elif isinstance(plot, Strips):
            found |= dict.fromkeys(strip.series for strip in plot.strips)
    return list(found)
