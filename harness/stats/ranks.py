"""Ranks, and how far the tests allow them to move."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.stats.corrections import holm
from harness.stats.intervals import Interval


class Placement(NamedTuple):
    """A method's rank, the ranks that paired tests allow it, and whether none is significantly better.

    `unbeaten` is of no method where no pair differs.
    """

    rank: int
    best: int
    worst: int
    unbeaten: bool


def placements(
    scores: Sequence[float], test: Callable[[int, int], tuple[float, float] | None]
) -> list[Placement]:
    """Returns the placement of each method; a pair differs at 5 % after Holm over all tested pairs.

    Args:
        scores: higher is better, shape (methods,); equal ones share the better rank.
        test: gives the score of method i less that of j with its two-sided p; None where nothing is decided.
    """
    pairs = list(combinations(range(len(scores)), 2))
    tested = [(pair, found) for pair in pairs if (found := test(*pair)) is not None]
    adjusted = holm([p for _, (_, p) in tested])
    better, worse = np.zeros(len(scores), dtype=int), np.zeros(len(scores), dtype=int)
    for ((first, second), (value, _)), p in zip(tested, adjusted, strict=True):
        if p < 0.05:
            winner, loser = (first, second) if value > 0 else (second, first)
            worse[winner] += 1
            better[loser] += 1
    return [
        Placement(
            1 + sum(other > score for other in scores),
            1 + int(above),
            len(scores) - int(below),
            bool(worse.any() and above == 0),
        )
        for score, above, below in zip(scores, better, worse, strict=True)
    ]


class Stability(NamedTuple):
    """The shares of resamples of the domains that keep the whole order, and that keep the first place."""

    order: float
    first: float


def stability(
    scores: ArrayLike,
    families: Sequence[str] = (),
    *,
    generator: np.random.Generator,
    replicates: int = 2000,
) -> Stability:
    """Returns how often another draw of the same domains would rank the methods alike.

    Args:
        scores: higher is better, shape (methods, domains).
        families: of each domain, those of one being drawn together; each its own where there are none.
        generator: where the resamples come from.
        replicates: how many.
    """
    table = np.asarray(scores, dtype=np.float64)
    owner = np.unique(families, return_inverse=True)[1] if len(families) else np.arange(table.shape[1])
    order = np.argsort(-table.mean(axis=1), kind="stable")
    sums = np.array([np.bincount(owner, weights=row) for row in table[order]])
    sizes = np.bincount(owner)
    drawn = generator.integers(0, len(sizes), (replicates, len(sizes)))
    means = sums[:, drawn].sum(axis=2) / sizes[drawn].sum(axis=1)
    falls = np.diff(means, axis=0) <= 1e-12
    first = means[0] >= means.max(axis=0) - 1e-12
    return Stability(float(falls.all(axis=0).mean()), float(first.mean()))


LEAST_RANKED = 8
"""Items that a rank correlation takes for an interval."""


def kendall_interval(tau: float, items: int) -> Interval:
    """Returns the 95 % interval of Kendall's tau between two scores of independent items.

    Args:
        tau: in [-1, 1].
        items: at least 5.

    A tau of 1 is taken as one that lacks half a pair, as no more can be told from so many items.

    Source: Fieller, Hartley and Pearson 1957: atanh(tau) has variance .437 / (items - 4).
    """
    most = 1 - 2 / (items * (items - 1))
    half = 1.96 * np.sqrt(0.437 / (items - 4))
    at = np.arctanh(np.clip(tau, -most, most))
    return Interval(float(np.tanh(at - half)), float(np.tanh(at + half)))


def kendall(first: ArrayLike, second: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float64]:
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

    def total(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(((counts @ matrix) * counts).sum(axis=1))

    both = total(signs[0] * signs[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(both / np.sqrt(total(signs[0] ** 2) * total(signs[1] ** 2)))
