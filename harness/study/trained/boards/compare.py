"""Two rows of a run that trains: paired by sample, under the board's own resamples."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from harness.board.comparison import (
    OVERALL,
    Compared,
    ComparedPart,
    RowComparison,
    adjusted,
    find_row,
    sentence,
)
from harness.board.paired import Paired, paired, paired_mean
from harness.board.scale import Scale
from harness.board.values import FEW_GROUPS, Cell, Estimate
from harness.board.wording import metric_name
from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.run.loaded import Run
from harness.run.samples import read_samples, sums_of
from harness.seeds import generator
from harness.stats.bootstrap import Array, aligned, bootstrap_ratios, group_shares
from harness.stats.pairs import flip_groups, minimum_detectable_effect, sign_flip
from harness.study.trained.boards.board import REPLICATES, build_trained_board
from harness.study.trained.boards.rescore import with_metric
from harness.study.trained.boards.values import Row, TaskBoard
from harness.task.metric import Metric, SampleScores

FLIPPED = "flips of whole groups"


def compare_trained(run: Run, first: str, second: str, metric: str | None = None) -> RowComparison:
    """Returns two rows of a run that trains, over its held-out domains.

    Raises:
        UnknownNameError: there is no such row.
        HarnessError: a name means several rows, both mean one, or their samples differ or are damaged.
    """
    run = run if metric is None else with_metric(run, metric)
    board = build_trained_board(run)
    names = sorted({row.name for task in board.tasks for row in task.rows})
    chosen = [find_row(name, names) for name in (first, second)]
    if chosen[0] == chosen[1]:
        raise HarnessError(f"{chosen[0]} cannot be compared with itself; name two rows.")
    parts = []
    for task in board.tasks:
        rows = [next((row for row in task.rows if row.name == name), None) for name in chosen]
        if rows[0] is not None and rows[1] is not None:
            for row in rows:
                if row is not None and row.marks.is_apart:
                    raise HarnessError(
                        f"{row.name} {row.marks.why}, so nothing pairs with it; run `{run.command}` again."
                    )
            parts.append(_part(run, task, (rows[0], rows[1])))
    sentence = " ".join(part.sentence for part in parts)
    return RowComparison(
        name=run.name, first=chosen[0], second=chosen[1], sentence=sentence, parts=tuple(parts)
    )


class _Found(NamedTuple):
    """Two rows on one domain, with what their mean over domains is made of.

    `replicates` are differences under the board's own resamples, `shares` what each group adds; `wins`, where
    an exact test holds, how many more seeds of the first row were right on each sample.
    """

    compared: Compared
    paired: Paired | None
    replicates: Array
    shares: Array
    wins: Array | None


def _part(run: Run, task: TaskBoard, rows: tuple[Row, Row]) -> ComparedPart:
    metric = metric_of(task.metric)
    scale = Scale(
        unit="raw" if metric.factor == 1 else "percent",
        higher_is_better=metric.higher_is_better,
        decimals=metric.decimals,
    )
    found = [_on_domain(run, task, rows, domain, scale) for domain in task.held_out]
    compared = adjusted([one.compared for one in found])
    overall = _overall(task, compared, found, scale)
    text = sentence(
        task.title,
        (rows[0].name, rows[1].name),
        overall,
        over="on held-out domains",
        kind="paired difference",
    )
    few = [one.where for one in compared if one.groups is not None and one.groups < FEW_GROUPS]
    if few:
        text += f" That interval is too narrow: fewer than {FEW_GROUPS} groups in {' and '.join(few)}."
    return ComparedPart(
        heading=task.title,
        what=metric.measured if metric.higher_is_better else metric_name(task.metric),
        overall=overall,
        domains=compared,
        sentence=text,
    )


def _on_domain(run: Run, task: TaskBoard, rows: tuple[Row, Row], domain: str, scale: Scale) -> _Found:
    cells = [next(cell for cell in row.cells if cell.domain == domain) for row in rows]
    for row, cell in zip(rows, cells, strict=True):
        if cell.state != "ok":
            reason = f"{row.name} has no score on {domain} ({cell.state}: {cell.reason})"
            lacking = Compared(where=domain, scale=scale, state=cell.state, reason=reason)
            return _Found(lacking, None, np.zeros(0), np.zeros(0), None)
    sides = [
        [
            read_samples(run, unit)
            for unit in task.scores(run)
            if unit.spec.domain == domain and unit.spec.key == row.key
        ]
        for row in rows
    ]
    roles = max(map(len, sides))  # a floor has one, which holds for every seed
    sides = [side * (roles // len(side)) for side in sides]
    _check_paired(sides, task.task, domain)
    replicates, shares = _resampled(sides, task, domain)
    first, second = (_estimate(cell) for cell in cells)
    found = paired(
        first,
        second,
        replicates,
        shares,
        groups=cells[0].groups or 0,
        is_proportion=metric_of(task.metric).is_proportion,
    )
    p, test = _flipped(shares, task, [domain]), FLIPPED
    wins = _wins(sides) if _is_exact(sides, metric_of(task.metric)) else None
    if wins is not None:
        p = sign_flip(wins)
        test = "exact McNemar" if len(sides[0]) == 1 else "exact sign flip"
    compared = Compared(
        where=domain,
        scale=scale,
        first=first.value,
        second=second.value,
        difference=Estimate(first.value - second.value, *found.interval),
        p=p,
        detectable=minimum_detectable_effect(found.error),
        test=test,
        by_seed=tuple((np.array(cells[0].by_seed) - np.array(cells[1].by_seed)).tolist()),
        samples=cells[0].samples,
        groups=cells[0].groups,
    )
    return _Found(compared, found, replicates, shares, wins)


def _estimate(cell: Cell) -> Estimate:
    assert cell.estimate is not None
    return cell.estimate


def _check_paired(sides: Sequence[Sequence[SampleScores]], task: str, domain: str) -> None:
    every = [one for side in sides for one in side]
    head = every[0]
    for one in every[1:]:
        for name in ("group", "label", "denominator"):
            if not np.array_equal(getattr(head, name), getattr(one, name)):
                raise HarnessError(
                    f"The rows were scored on different samples of {task}/{domain}, so nothing pairs them."
                )


def _flipped(shares: Array, task: TaskBoard, domains: Sequence[str]) -> float:
    """Returns the board's own p-value of a difference that is given by group."""
    return float(flip_groups(shares[None], generator=generator(0, "flips", task.task, *domains))[0])


def _resampled(sides: Sequence[Sequence[SampleScores]], task: TaskBoard, domain: str) -> tuple[Array, Array]:
    """Returns the difference under the board's resamples, and what each group adds to it."""
    tables = aligned([sums_of(one, metric_of(task.metric)) for side in sides for one in side])
    ratios = bootstrap_ratios(
        *tables, generator=generator(0, "board", task.task, domain), replicates=REPLICATES
    )
    shares = group_shares(*tables)
    count = len(sides[0])
    first, second = (
        np.asarray(part[:count].mean(axis=0) - part[count:].mean(axis=0)) for part in (ratios, shares)
    )
    return first, second


def _wins(sides: Sequence[Sequence[SampleScores]]) -> Array:
    """Returns for each sample how many more seeds of the first row were right, shape (samples,)."""
    first, second = (np.sum([one.numerator for one in side], axis=0) for side in sides)
    return np.asarray(first - second)


def _is_exact(sides: Sequence[Sequence[SampleScores]], metric: Metric) -> bool:
    """Whether samples are right or wrong, independent of each other, and weigh the same."""
    head = sides[0][0]
    if not metric.is_proportion or metric.read or len(np.unique(head.group)) < len(head.group):
        return False
    return not metric.is_balanced or len(set(np.unique(head.label, return_counts=True)[1].tolist())) == 1


def _overall(task: TaskBoard, domains: Sequence[Compared], found: Sequence[_Found], scale: Scale) -> Compared:
    lacking = next((one for one in domains if one.difference is None), None)
    if lacking is not None:
        return Compared(where=OVERALL, scale=scale, state=lacking.state, reason=lacking.reason)
    if len(domains) == 1:
        return replace(domains[0], where=OVERALL, p_holm=None)
    differences = list(_differences(domains))
    means = np.mean([one.replicates for one in found], axis=0)
    parts = [one.paired for one in found if one.paired is not None]
    interval, error, _ = paired_mean([one.value for one in differences], parts, means)
    shares = np.concatenate([one.shares for one in found]) / len(found)
    p, test = _flipped(shares, task, [one.where for one in domains]), FLIPPED
    wins = [one.wins for one in found if one.wins is not None]
    if len(wins) == len(found) and len({one.size for one in wins}) == 1:  # all samples weigh the same
        p, test = sign_flip(np.concatenate(wins)), "exact sign flip"
    value = float(np.mean([one.value for one in differences]))
    return Compared(
        where=OVERALL,
        scale=scale,
        first=float(np.mean([one.first for one in domains if one.first is not None])),
        second=float(np.mean([one.second for one in domains if one.second is not None])),
        difference=Estimate(value, *interval),
        p=p,
        detectable=minimum_detectable_effect(error),
        test=test,
        by_seed=tuple(map(float, np.mean([one.by_seed for one in domains], axis=0))),
        samples=sum(one.samples or 0 for one in domains),
        groups=sum(one.groups or 0 for one in domains),
    )


def _differences(domains: Sequence[Compared]) -> Iterator[Estimate]:
    for one in domains:
        assert one.difference is not None
        yield one.difference
