"""One ranking over all tasks of a run, vision and language together, whose metrics share no unit."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.board.table import Table
from harness.board.wording import MISSING, listed
from harness.catalog import metric_of
from harness.seeds import generator
from harness.stats.aggregates import (
    interquartile_mean,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    resampled,
    stratified_interval,
)
from harness.study.trained.boards.values import Board, Key, Row, TaskBoard

Array = NDArray[np.float64]
REPLICATES = 2000
FEW = 5
"""Boards below which a resample of them says nothing that their own ranks do not."""
THRESHOLDS = 40
"""Normalised scores at which a profile is taken, evenly spaced over those of all rows; 1 is one more."""


class Above(NamedTuple):
    """The share of a row's trainings whose normalised score is above a threshold.

    Attributes:
        threshold: a normalised score.
        share: of all trainings on all held-out domains, in [0, 1].
        low: of its 95 % interval, trainings redrawn within domains.
        high: of its 95 % interval.
    """

    threshold: float
    share: float
    low: float
    high: float


class OverallRow(NamedTuple):
    """A row over all boards.

    Attributes:
        row: as it stands on the first board.
        mean_rank: over boards, equal means sharing their ranks.
        ranks: the least and the greatest of its ranks, or of many boards 95 % of resamples of them.
        wins: probability that a training of the row scores higher than one of another, over boards and rows.
        middle: interquartile mean of normalised scores of all trainings on all held-out domains.
        interval: of it, trainings redrawn within domains.
        lacking: mean of what is lacking to the reference's score.
        profile: share of normalised scores above each threshold, the thresholds of all rows being the same.
    """

    row: Row
    mean_rank: float
    ranks: tuple[float, float]
    wins: float
    middle: float | None
    interval: tuple[float, float] | None
    lacking: float | None
    profile: tuple[Above, ...]


def overall_rows(board: Board) -> list[OverallRow]:
    """Returns the rows that are ranked on every decisive board, best mean rank first.

    There are none where the run has one board, or fewer than two such rows.
    """
    tasks = [task for task in board.decisive if task.trained_on is None]
    ranked: list[Mapping[Key, Row]] = [{row.key: row for row in task.rows if row.rank} for task in tasks]
    keys = [key for key in (ranked[0] if ranked else ()) if all(key in rows for rows in ranked)]
    if len(tasks) < 2 or len(keys) < 2:
        return []
    ranks = np.array(
        [_ranks(task, [rows[key] for key in keys]) for task, rows in zip(tasks, ranked, strict=True)]
    )
    low, high = ranks.min(axis=0), ranks.max(axis=0)
    if len(tasks) >= FEW:
        drawn = generator(0, "overall", *(task.title for task in tasks)).integers(
            0, len(tasks), (REPLICATES, len(tasks))
        )
        low, high = np.quantile(ranks[drawn].mean(axis=1), [0.025, 0.975], axis=0)
    normalised = [_normalised(board, tasks, [rows[key] for rows in ranked]) for key in keys]
    every = np.concatenate([np.ones(1), *(one for strata in normalised for one in strata)])
    thresholds = np.union1d(np.linspace(every.min(), every.max(), THRESHOLDS), 1.0)
    found = []
    for place, (key, strata) in enumerate(zip(keys, normalised, strict=True)):
        draw = generator(0, "overall", *map(str, key))
        found.append(
            OverallRow(
                row=ranked[0][key],
                mean_rank=float(ranks[:, place].mean()),
                ranks=(float(low[place]), float(high[place])),
                wins=float(
                    np.mean([_wins(task, rows, key, keys) for task, rows in zip(tasks, ranked, strict=True)])
                ),
                middle=interquartile_mean(np.concatenate(strata)) if strata else None,
                interval=stratified_interval(strata, generator=draw) if strata else None,
                lacking=optimality_gap(np.concatenate(strata)) if strata else None,
                profile=tuple(_profile(strata, thresholds, draw)) if strata else (),
            )
        )
    return sorted(found, key=lambda one: (one.mean_rank, one.row.method, one.row.space or ""))


def overall_table(board: Board) -> Table | None:
    """Returns the ranking over all tasks; None where there is nothing to rank."""
    found = overall_rows(board)
    if not found:
        return None
    tasks = [task for task in board.decisive if task.trained_on is None]
    named = {row.name for task in tasks for row in task.rows if row.rank}
    missing = sorted(named - {one.row.name for one in found})
    rows = tuple(
        (
            one.row.method,
            one.row.space or MISSING,
            f"{one.mean_rank:.1f} ({one.ranks[0]:.1f}–{one.ranks[1]:.1f})",
            f"{100 * one.wins:.0f} %",
            _shown(one),
            MISSING if one.lacking is None else f"{one.lacking:.2f}",
        )
        for one in found
    )
    notes = [
        f"Descriptive: {len(tasks)} boards are few, and the verdict is that of each of them.",
        "Mean rank: by the mean over held-out domains; beside it the least and the greatest."
        if len(tasks) < FEW
        else "Mean rank: by the mean over held-out domains; beside it 95 % of resamples of the boards.",
        "Win rate: how often a training of the row scores higher than one of another ranked row.",
        f"Normalised: 0 is chance and 1 the mean of {board.reference} on a domain; interquartile mean with "
        "95 % of resamples of trainings within domains, and mean of what is lacking to 1.",
    ]
    if missing:
        notes.append(f"Not ranked on every board, and so not here: {listed(missing)}.")
    return Table(
        caption=f"All {len(tasks)} boards together: {listed([task.title for task in tasks])}",
        columns=("Method", "Space", "Mean rank", "Win rate", "Normalised", "Optimality gap"),
        rows=rows,
        labels=2,
        notes=tuple(notes),
    )


def _shown(one: OverallRow) -> str:
    if one.middle is None or one.interval is None:
        return MISSING
    return f"{one.middle:.2f} [{one.interval[0]:.2f}, {one.interval[1]:.2f}]"


def _profile(strata: Sequence[Array], thresholds: Array, draw: np.random.Generator) -> Iterator[Above]:
    """Yields the share of scores above each threshold, with its interval."""
    share = performance_profile(np.concatenate(strata), thresholds)
    low, high = resampled(strata, lambda drawn: performance_profile(drawn, thresholds), generator=draw)
    for at in zip(thresholds, share, low, high, strict=True):
        yield Above(*map(float, at))


def _ranks(task: TaskBoard, rows: Sequence[Row]) -> Array:
    """Returns each row's rank on a task, ties their mean."""
    sign = metric_of(task.metric).sign
    worse = np.array([-sign * row.held_out.value for row in rows if row.held_out])
    _, place, count = np.unique(worse, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place], dtype=np.float64)


def _wins(task: TaskBoard, rows: Mapping[Key, Row], key: Key, keys: Sequence[Key]) -> float:
    """Returns how often a training of a row beats one of another ranked row, over held-out domains."""
    sign = metric_of(task.metric).sign
    found = []
    for other in keys:
        for mine, theirs in zip(rows[key].on("held_out"), rows[other].on("held_out"), strict=True):
            if other != key:
                first, second = (sign * np.asarray(cell.by_seed) for cell in (mine, theirs))
                found.append(probability_of_improvement(first, second))
    return float(np.mean(found))


def _normalised(board: Board, tasks: Sequence[TaskBoard], rows: Sequence[Row]) -> list[Array]:
    """Returns the normalised scores of each held-out domain's trainings; nothing where a scale lacks."""
    strata = []
    for task, row in zip(tasks, rows, strict=True):
        reference = task.row(board.reference)
        if reference is None or task.chance is None or not reference.is_complete:
            return []
        for mine, other in zip(row.on("held_out"), reference.on("held_out"), strict=True):
            span = float(np.mean(other.by_seed)) - task.chance
            if not span:
                return []
            strata.append((np.asarray(mine.by_seed) - task.chance) / span)
    return strata
