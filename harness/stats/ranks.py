"""Ranks, and how far the intervals of the scores allow them to move."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.stats.intervals import Interval

Array = NDArray[np.float64]


class RankInterval(NamedTuple):
    """The best and the worst rank that the intervals allow."""

    best: int
    worst: int


def ranks(scores: Sequence[float]) -> list[int]:
    """Returns the rank of each score, 1 for the highest; equal scores share the better rank."""
    return [1 + sum(other > score for other in scores) for score in scores]


def rank_intervals(intervals: Sequence[Interval]) -> list[RankInterval]:
    """Returns the rank interval of each method from the intervals of their scores, higher being better."""
    count = len(intervals)
    return [
        RankInterval(
            1 + sum(other.low > mine.high for other in intervals),
            count - sum(other.high < mine.low for other in intervals),
        )
        for mine in intervals
    ]


class Stability(NamedTuple):
    """The shares of resamples of the domains that keep the whole order, and that keep the first place."""

    order: float
    first: float


def stability(scores: ArrayLike, *, generator: np.random.Generator, replicates: int = 2000) -> Stability:
    """Returns how often another draw of the same domains would rank the methods alike.

    Args:
        scores: higher is better, shape (methods, domains).
        generator: where the resamples come from.
        replicates: how many.
    """
    table = np.asarray(scores, dtype=np.float64)
    domains = table.shape[1]
    order = np.argsort(-table.mean(axis=1), kind="stable")
    drawn = generator.integers(0, domains, (replicates, domains))
    means = table[order][:, drawn].mean(axis=2)
    falls = np.diff(means, axis=0) <= 1e-12
    first = means[0] >= means.max(axis=0) - 1e-12
    return Stability(float(falls.all(axis=0).mean()), float(first.mean()))


def kendall(first: ArrayLike, second: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """Returns Kendall's tau-b of two score vectors, for each row of weights.

    Args:
        first: scores, shape (items,).
        second: scores of the same items, shape (items,).
        weights: how often each item counts, shape (replicates, items), as a bootstrap draws it; ones if None.

    Returns:
        Shape (replicates,); NaN where one of the two does not vary.

    Source: Kendall 1945; pairs of an item with itself tie in both and so do not count.
    """
    x, y = (np.asarray(values, dtype=np.float64) for values in (first, second))
    signs = [np.sign(values[:, None] - values[None, :]) for values in (x, y)]
    counts = np.ones((1, x.size)) if weights is None else np.asarray(weights, dtype=np.float64)

    def total(matrix: Array) -> Array:
        return np.asarray(((counts @ matrix) * counts).sum(axis=1))

    both = total(signs[0] * signs[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(both / np.sqrt(total(signs[0] ** 2) * total(signs[1] ** 2)))
