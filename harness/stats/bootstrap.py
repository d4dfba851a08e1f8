"""Resamples of independent values, their intervals and p-values."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from harness.stats.intervals import Interval
from harness.stats.sums import Array

_CELLS = 4_000_000
"""Largest number of values held at once."""


class Comparison(NamedTuple):
    """A resampled difference with its 95 % interval and two-sided p."""

    value: float
    low: float
    high: float
    p: float


def bootstrap_stratified(
    scores: Array,
    statistic: Callable[[Array], Array],
    *,
    generator: np.random.Generator,
    replicates: int,
) -> Array:
    """Returns replicates of a statistic of runs that are drawn again within each domain.

    Args:
        scores: shape (runs, domains).
        statistic: takes scores, shape (replicates, runs, domains), and gives values, shape (replicates,).
        generator: where the resamples come from.
        replicates: how many.

    Returns:
        Values, shape (replicates,).

    Source: Agarwal et al. 2021 (arXiv 2108.13264), section 3.
    """
    runs, domains = scores.shape
    parts = []
    step = max(1, _CELLS // scores.size)
    for start in range(0, replicates, step):
        drawn = generator.integers(0, runs, size=(min(step, replicates - start), runs, domains))
        parts.append(statistic(scores[drawn, np.arange(domains)]))
    return np.concatenate(parts)


def percentile_interval(replicates: Array, *, level: float = 0.95) -> Interval:
    """Returns the percentile interval of replicates, shape (replicates,); NaN ones do not count."""
    low, high = np.nanquantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def two_sided_p(differences: Array) -> float:
    """Returns the bootstrap p-value of "the difference is 0", at least 2 / (replicates + 1)."""
    fewest = min(int(np.sum(differences <= 0)), int(np.sum(differences >= 0)))
    return min(1.0, 2 * (fewest + 1) / (len(differences) + 1))
