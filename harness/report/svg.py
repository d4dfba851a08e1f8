"""Plots as HTML and SVG that follow the page's colours and its width.

Positions are percentages and letters have a size of their own, so that nothing is scaled down on a narrow
page; curves alone are stretched, with strokes that keep their width. Equal plots have equal bytes.
"""

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from harness.guard.inert import html
from harness.report.ink import LEFT, RIGHT, Ink, Inks
from harness.report.plot import (
    Axis,
    Bar,
    Curve,
    Forest,
    Heat,
    Pictures,
    Plane,
    Plot,
    Point,
    Span,
    Strips,
    series_of,
)
from harness.report.ruler import Ruler

LINE_HEIGHT: Final = 15
"""Pixels between the marks of one bar: value, trainings, second value."""
PLANE_HEIGHT: Final = 300
"""Pixels."""
NAMED_LINES: Final = 16
"""Curves that have their names at their ends; more have a legend alone."""
FARTHEST: Final = 40
"""Pixels between a mark and its name."""
KINDS: Final = 8
"""Colours of bricks."""


def drawn(plot: Plot, inks: Inks) -> str:
    """Returns a plot as markup."""
    if isinstance(plot, Forest):
        return _forest(plot, inks)
    if isinstance(plot, Plane):
        return _plane(plot, inks)
    if isinstance(plot, Heat):
        return _heat(plot)
    return _strips(plot, inks) if isinstance(plot, Strips) else _pictures(plot)


def _at(percent: float) -> str:
    return f"{percent:.2f}%"


def _mark(ink: Ink, x: float, y: str, *, kind: str = "mark", told: str = "") -> str:
    title = f"<title>{html(told)}</title>" if told else ""
    return f'<use href="#m{ink.marker}" x="{_at(x)}" y="{y}" class="{kind} {ink.css}">{title}</use>'


def _key(ink: Ink) -> str:
    return f'<svg class="key {ink.css}" aria-hidden="true"><use href="#m{ink.marker}" x="50%" y="50%"/></svg>'


def _forest(plot: Forest, inks: Inks) -> str:
    axis = plot.axis
    values = [
        value
        for bar in plot.bars
        for value in (*(bar.main or ()), *(bar.second or ()), *bar.dots, *(axis.zone or ()))
    ]
    scale = Ruler(axis, values, is_reversed=axis.better == "lower")
    behind = _behind(axis, scale)
    has_dots, has_second = any(bar.dots for bar in plot.bars), any(bar.second for bar in plot.bars)
    rows = "".join(_bar(bar, inks[bar.series], scale, behind, (has_dots, has_second)) for bar in plot.bars)
    ticks = "".join(
        f'<text x="{_at(scale.at(value))}" y="14" class="tick">{html(text)}</text>'
        for value, text in scale.ticks()
    )
    better = f"{html(axis.label)}; better →" if axis.better else html(axis.label)
    legend = ""
    if has_second or has_dots:
        marks = [f"● {plot.main}"] if plot.main else []
        marks += ["· single trainings"] if has_dots else []
        marks += [f"◇ {plot.second}"] if has_second else []
        legend = f'<p class="marks">{html("   ".join(marks))}</p>'
    return (
        f'<div class="forest"><p class="plot-title">{html(plot.title)}</p>{legend}{rows}'
        f'<div class="axis"><svg class="track" height="20" aria-hidden="true">{ticks}</svg></div>'
        f'<p class="axis-label">{better}</p></div>'
    )


def _behind(axis: Axis, scale: Ruler) -> str:
    """Returns what stands behind each line of a forest: the zone, rules, and the line of zero."""
    parts = []
    if axis.zone is not None:
        low, high = sorted(map(scale.at, axis.zone))
        parts.append(f'<rect x="{_at(low)}" width="{_at(high - low)}" height="100%" class="zone"/>')
    for value, _ in scale.ticks():
        x = _at(scale.at(value))
        parts.append(f'<line x1="{x}" x2="{x}" y1="0" y2="100%" class="rule"/>')
    if axis.zero is not None:
        x = _at(scale.at(axis.zero[0]))
        parts.append(
            f'<line x1="{x}" x2="{x}" y1="0" y2="100%" class="zero">'
            f"<title>{html(axis.zero[1])}</title></line>"
        )
    return "".join(parts)


def _bar(bar: Bar, ink: Ink, scale: Ruler, behind: str, has: tuple[bool, bool]) -> str:
    middle, parts = LINE_HEIGHT * 0.8, []
    if bar.main:
        parts.append(_span(bar.main, ink, scale, middle, "main"))
    middle += LINE_HEIGHT * has[0] * 0.8
    parts += [
        f'<circle cx="{_at(scale.at(dot))}" cy="{middle:g}" r="2.5" class="dot {ink.css}"/>'
        for dot in bar.dots
    ]
    middle += LINE_HEIGHT * has[1] * 0.9
    if bar.second:
        parts.append(_span(bar.second, ink, scale, middle, "hollow"))
    height = middle + LINE_HEIGHT * 0.8
    label, told = html(bar.label or bar.series), f' title="{html(bar.told)}"' if bar.told else ""
    return (
        f'<div class="bar" data-s="{ink.css}"{told}><span class="who">{_key(ink)}{label}</span>'
        f'<svg class="track" height="{height:g}" aria-hidden="true">{behind}{"".join(parts)}</svg>'
        f'<span class="value">{html(bar.text)}</span></div>'
    )


def _span(found: Span, ink: Ink, scale: Ruler, y: float, kind: str) -> str:
    low, high = (_at(scale.at(end)) for end in (found.low, found.high))
    if scale.is_beyond(found.value):  # an arrow at the end
        marker = LEFT if scale.at(found.value) == 0 else RIGHT
        return _mark(replace(ink, marker=marker), scale.at(found.value), f"{y:g}", kind=f"mark {kind}")
    line = f'<line x1="{low}" x2="{high}" y1="{y:g}" y2="{y:g}" class="{kind} {ink.css}"/>'
    return line + _mark(ink, scale.at(found.value), f"{y:g}", kind=f"mark {kind}")


def _plane(plot: Plane, inks: Inks) -> str:
    xs, ys = _values(plot)
    x, y = Ruler(plot.x, xs), Ruler(plot.y, ys)
    rules = "".join(
        f'<line x1="0" x2="100%" y1="{(at := _at(100 - y.at(value)))}" y2="{at}" class="rule"/>'
        for value, _ in y.ticks()
    )
    if plot.y.zero is not None:
        at = _at(100 - y.at(plot.y.zero[0]))
        rules += f'<line x1="0" x2="100%" y1="{at}" y2="{at}" class="zero"/>'
    if plot.x.zero is not None:
        at = _at(x.at(plot.x.zero[0]))
        rules += f'<line x1="{at}" x2="{at}" y1="0" y2="100%" class="zero"/>'
    curves = "".join(_curve(line, inks[line.series], x, y) for line in plot.lines)
    marks = "".join(_markers(line, inks[line.series], x, y, order) for order, line in enumerate(plot.lines))
    marks += "".join(_point(point, inks[point.series], x, y) for point in plot.points)
    names = series_of([plot])
    is_ended = len(plot.lines) > 1 and len(names) <= NAMED_LINES and not plot.points
    ends = _ends(plot.lines, inks, y) if is_ended else ""
    if plot.is_named:
        marks += _names(plot.points, inks, x, y)
    legend = "".join(
        f'<li><span data-s="{inks[name].css}">{_key(inks[name])}{html(name)}</span></li>' for name in names
    )
    keys = f'<ul class="legend{" folded" if ends else ""}">{legend}</ul>' if len(names) > 1 else ""
    y_ticks = "".join(
        f'<text x="100%" dx="-6" y="{_at(100 - y.at(value))}" dy="4" class="tick end">{html(text)}</text>'
        for value, text in y.ticks()
    )
    x_ticks = "".join(
        f'<text x="{_at(x.at(value))}" y="16" class="tick">{html(text)}</text>' for value, text in x.ticks()
    )
    stretched = (
        f'<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="100%">{curves}</svg>'
    )
    return (
        f'<div class="hold"><div class="plane{" ended" if ends else ""}">'
        f'<p class="plot-title">{html(plot.title)}</p>'
        f'<p class="y-label">{html(_directed(plot.y))}</p>'
        f'<svg class="y" height="{PLANE_HEIGHT}" aria-hidden="true">{y_ticks}</svg>'
        f'<svg class="area" height="{PLANE_HEIGHT}" aria-hidden="true">{rules}{stretched}{marks}</svg>{ends}'
        f'<svg class="x" height="20" aria-hidden="true">{x_ticks}</svg>'
        f'<p class="axis-label">{html(_directed(plot.x, "→"))}</p>{keys}</div></div>'
    )


def _directed(axis: Axis, up: str = "↑") -> str:
    down = {"↑": "↓", "→": "←"}[up]
    return axis.label + {"higher": f" (better {up})", "lower": f" (better {down})", "": ""}[axis.better]


def _values(plot: Plane) -> tuple[list[float], list[float]]:
    xs = [x for line in plot.lines for x, _ in line.points]
    ys = [y for line in plot.lines for _, y in line.points]
    for line in plot.lines:
        xs += [one[0] for one in line.band]
        ys += [value for one in line.band for value in one[1:]]
        ys += [value for thin in line.thin for _, value in thin]
    for point in plot.points:
        xs += [point.x, *(point.across or ())]
        ys += [point.y, *(point.along or ())]
    return xs, ys


def _path(points: Iterable[tuple[float, float]], x: Ruler, y: Ruler, *, is_step: bool = False) -> str:
    parts: list[str] = []
    for at, value in points:
        if math.isnan(value):
            continue
        across, up = f"{10 * x.at(at):.1f}", f"{1000 - 10 * y.at(value):.1f}"
        if not parts:
            parts.append(f"M{across} {up}")
        else:
            parts.append(f"H{across}V{up}" if is_step else f"L{across} {up}")
    return "".join(parts)


def _curve(line: Curve, ink: Ink, x: Ruler, y: Ruler) -> str:
    parts = [
        f'<path d="{_path(thin, x, y, is_step=line.is_step)}" class="thin {ink.css}"/>' for thin in line.thin
    ]
    if line.band:
        low = _path([(one[0], one[1]) for one in line.band], x, y)
        high = _path([(one[0], one[2]) for one in reversed(line.band)], x, y)
        parts.append(f'<path d="{low}{high.replace("M", "L", 1)}Z" class="band {ink.css}"/>')
    if line.points:
        path = _path(line.points, x, y, is_step=line.is_step)
        parts.append(f'<path d="{path}" class="curve {ink.css}" data-s="{ink.css}"/>')
    return "".join(parts)


def _markers(line: Curve, ink: Ink, x: Ruler, y: Ruler, order: int) -> str:
    """Returns some markers along a curve, those of the next curve a little farther on."""
    points = [(at, value) for at, value in line.points if not math.isnan(value)]
    if not line.is_marked or not points:
        return ""
    every = max(1, len(points) // 5)
    chosen = points[min(order * max(1, every // 4) % every, len(points) - 1) :: every]
    return "".join(_mark(ink, x.at(at), _at(100 - y.at(value))) for at, value in chosen)


def _point(point: Point, ink: Ink, x: Ruler, y: Ruler) -> str:
    across, up = x.at(point.x), 100 - y.at(point.y)
    parts = []
    if point.across:
        low, high = (_at(x.at(end)) for end in point.across)
        parts.append(f'<line x1="{low}" x2="{high}" y1="{_at(up)}" y2="{_at(up)}" class="main {ink.css}"/>')
    if point.along:
        low, high = (_at(100 - y.at(end)) for end in point.along)
        parts.append(
            f'<line x1="{_at(across)}" x2="{_at(across)}" y1="{low}" y2="{high}" class="main {ink.css}"/>'
        )
    if point.is_small:
        parts.append(f'<circle cx="{_at(across)}" cy="{_at(up)}" r="3" class="dot {ink.css}"/>')
    else:
        parts.append(_mark(ink, across, _at(up), told=point.told or point.series))
    return "".join(parts)


def _names(points: Sequence[Point], inks: Inks, x: Ruler, y: Ruler) -> str:
    """Returns the names beside marks, those that would lie on each other moved up or down."""
    large = [point for point in points if not point.is_small]
    heights = [(100 - y.at(point.y)) / 100 * PLANE_HEIGHT for point in large]
    places = _apart(heights)
    if any(abs(place - height) > FARTHEST for place, height in zip(places, heights, strict=True)):
        return ""  # a crowd, of which the legend tells more
    parts = []
    for point, place in zip(large, places, strict=True):
        is_right = x.at(point.x) > 62
        side = ' text-anchor="end" dx="-11"' if is_right else ' dx="11"'
        parts.append(
            f'<text x="{_at(x.at(point.x))}" y="{place + 4:.1f}"{side} class="name {inks[point.series].css}">'
            f"{html(point.series)}</text>"
        )
    return "".join(parts)


def _ends(lines: Sequence[Curve], inks: Inks, y: Ruler) -> str:
    """Returns the names of curves at their ends, in a column of their own."""
    ended = [line for line in lines if line.points]
    heights = [(100 - y.at(line.points[-1][1])) / 100 * PLANE_HEIGHT for line in ended]
    texts = "".join(
        f'<text x="16" y="{place + 4:.1f}" class="name" data-s="{(ink := inks[line.series]).css}">'
        f"{html(line.series)}</text>"
        f'<use href="#m{ink.marker}" x="7" y="{place:.1f}" class="mark {ink.css}"/>'
        for line, place in zip(ended, _apart(heights), strict=True)
    )
    return f'<svg class="ends" height="{PLANE_HEIGHT}" aria-hidden="true">{texts}</svg>'


def _apart(heights: Sequence[float], gap: float = 16.0) -> list[float]:
    """Returns heights as near to these as may be, at least `gap` pixels apart, within a plane."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    found = list(heights)
    last = -gap
    for index in order:
        found[index] = last = max(found[index], last + gap)
    most = float(PLANE_HEIGHT)
    for index in reversed(order):
        found[index] = min(found[index], most)
        most = found[index] - gap
    return found


def _heat(plot: Heat) -> str:
    head = "".join(f'<th scope="col">{html(name)}</th>' for name in plot.columns)
    rows = []
    for name, shades, texts in zip(plot.rows, plot.shades, plot.texts, strict=True):
        cells = "".join(_cell(shade, text) for shade, text in zip(shades, texts, strict=True))
        rows.append(f'<tr><th scope="row">{html(name)}</th>{cells}</tr>')
    return (
        f'<div class="heat" tabindex="0" role="region" aria-label="{html(plot.title)}"><table>'
        f"<caption>{html(plot.title)}</caption>"
        f'<thead><tr><th scope="col">{html(plot.corner)}</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(shade: float | None, text: str) -> str:
    if shade is None:
        return f"<td>{html(text)}</td>"
    kind = "up" if shade >= 0 else "down"
    return f'<td class="{kind}" style="--v:{round(50 * min(1.0, abs(shade)))}%">{html(text)}</td>'


def _strips(plot: Strips, inks: Inks) -> str:
    kinds = plot.kinds
    rows = []
    for strip in plot.strips:
        ink = inks[strip.series]
        bricks = "".join(
            f'<i class="k{kinds.index(brick.kind) % KINDS}" style="height:{round(8 + 18 * brick.size)}px" '
            f'title="{html(brick.text)}"></i>'
            for brick in strip.bricks
        )
        told = ", ".join(brick.text for brick in strip.bricks)
        rows.append(
            f'<div class="strip" data-s="{ink.css}"><span class="who">{_key(ink)}'
            f"{html(strip.label or strip.series)}</span>"
            f'<span class="bricks" role="img" aria-label="{html(told)}">{bricks}</span>'
            f'<span class="value">{html(strip.text)}</span></div>'
        )
    keys = "".join(
        f'<li><i class="k{index % KINDS}"></i>{html(kind)}</li>' for index, kind in enumerate(kinds)
    )
    return (
        f'<div class="strips"><p class="plot-title">{html(plot.title)}</p>{"".join(rows)}'
        f'<ul class="legend">{keys}</ul></div>'
    )


def _pictures(plot: Pictures) -> str:
    cells = []
    for one in plot.pictures:
        data = base64.b64encode(one.png).decode()
        lines = "".join(f"<span>{html(line)}</span>" for line in one.lines)
        cells.append(
            f'<div class="picture"><img src="data:image/png;base64,{data}" alt="{html(one.name)}">'
            f"{lines}</div>"
        )
    return (
        f'<div class="pictures"><p class="plot-title">{html(plot.title)}</p>'
        f'<div class="row">{"".join(cells)}</div></div>'
    )
