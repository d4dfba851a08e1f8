"""What diversity does: gains on every held-out domain, the lines of all trainings, pools, and controls."""

from collections.abc import Iterator
from statistics import fmean

from harness import Axis, Bar, Block, Curve, Figure, Forest, Plane, Run, Section, interval
from harness.board.values import Estimate
from harness.board.wording import unit_of_difference
from harness.catalog import metric_of
from harness.study.diversity.board import DiversityBoard
from harness.study.diversity.results import PoolFindings, PoolQuestion, Share
from harness.study.diversity.tables import (
    QUESTIONS,
    STANDARDISED,
    diversity_tables,
    leading,
)


def render(run: Run, board: DiversityBoard) -> Block:
    figures = [figure for found in board.found for figure in _figures(board, found)]
    every = list(diversity_tables(board))
    first = [table for table in every if table.columns[0] in ("Question", "Control")]
    return Block(
        figures=tuple(figures),
        tables=tuple(first),
        appendix=tuple(table for table in every if table not in first),
    )


def _figures(board: DiversityBoard, found: PoolFindings) -> Iterator[Figure]:
    asked = leading(found)
    if asked:
        yield _gains(board, found, asked)
    if found.lines:
        yield _lines(found)


def _gains(board: DiversityBoard, found: PoolFindings, asked: list[PoolQuestion]) -> Figure:
    """Returns every question's gain on each domain and in each stratum, at equal in-domain score."""
    factor, unit = _scale(found)
    zone = (-factor * board.margin, factor * board.margin) if board.margin else None
    axis = Axis(label=f"gain in {unit}", better="higher", zero=(0.0, "none"), zone=zone)
    plots, data = [], []
    for one in asked:
        strata = [
            other
            for other in found.questions
            if (other.asked, other.about, other.outcome) == (one.asked, one.about, one.outcome)
        ]
        bars = [_bar(other.stratum or f"all, {other.domains} families", other, factor) for other in strata]
        for name in sorted(one.shares, key=lambda name: (found.strata.get(name, ""), found.domains[name])):
            bars.append(_bar(name, one.shares[name], factor))
            share = one.shares[name]
            data.append(
                {
                    "question": one.asked,
                    "about": one.about,
                    "domain": name,
                    "gain": share.value,
                    "low": share.low,
                    "high": share.high,
                }
            )
        plots.append(Forest(title=QUESTIONS[one.asked].format(one.about), axis=axis, bars=tuple(bars)))
    told = "; ".join(f"{QUESTIONS[one.asked].format(one.about)}: {one.answer}" for one in asked)
    return Figure(
        name=f"diversity-gains-{found.name}",
        alt=f"{found.name}: gain on each held-out domain, with its 95 % interval, above 0 where more "
        f"diversity is the better side. {told}.",
        plots=tuple(plots),
        data=data,
    )


def _bar(name: str, one: PoolQuestion | Share, factor: float) -> Bar:
    value = one.gain if isinstance(one, PoolQuestion) else one.value
    main = interval(Estimate(value, one.low, one.high), factor)
    assert main is not None
    text = f"{main.value:+.3f} [{main.low:+.3f}, {main.high:+.3f}]".replace("-", "−")
    return Bar(series="gain" if isinstance(one, PoolQuestion) else "domain", label=name, main=main, text=text)


def _lines(found: PoolFindings) -> Figure:
    """Returns in-domain and held-out scores of every training at its checkpoints."""
    factor, unit = _scale(found)
    better = metric_of(found.metric).better
    curves = []
    for arm in dict.fromkeys(line.arm for line in found.lines):
        own = [line.points for line in found.lines if line.arm == arm]
        scaled = [tuple(sorted((factor * x, factor * y) for x, y in points)) for points in own]
        checkpoints = [tuple(zip(*one, strict=True)) for one in zip(*scaled, strict=True)]
        mean = tuple((fmean(x), fmean(y)) for x, y in checkpoints)
        curves.append(Curve(series=arm, points=mean, thin=tuple(scaled)))
    level = (factor * found.level, "level") if found.level is not None else None
    plane = Plane(
        title="held out against in domain",
        x=Axis(label=f"in domain, {unit}", better=better, zero=level),
        y=Axis(label=f"held out, {unit}", better=better),
        lines=tuple(curves),
    )
    data = [
        {"arm": line.arm, "training": place, "in_domain": x, "held_out": y}
        for place, line in enumerate(found.lines)
        for x, y in line.points
    ]
    return Figure(
        name=f"diversity-lines-{found.name}",
        alt=f"{found.name}: each training's mean score on held-out domains against its in-domain score, a "
        "thin line a training over its checkpoints, a thick one their mean. Arms are compared where a line "
        "passes the level.",
        plots=(plane,),
        data=data,
    )


def _scale(found: PoolFindings) -> tuple[float, str]:
    if found.metric == STANDARDISED:
        return 1.0, "standard deviations"
    return metric_of(found.metric).factor, unit_of_difference(found.metric)


SECTION = Section(
    title="What diversity does",
    order=15,
    summary="At equal size, compute and in-domain score, with other architectures and other domains in mind.",
    render=render,
    studies=("diversity",),
)
