"""Intervals and p-values of resamples."""

from typing import NamedTuple

import numpy as np

from harness.stats.intervals import Interval
from harness.stats.sums import Array


class Comparison(NamedTuple):
    """A resampled difference with its 95 % interval and two-sided p."""

    value: float
    low: float
    high: float
    p: float


def percentile_interval(replicates: Array, *, level: float = 0.95) -> Interval:
    """Returns the percentile interval of replicates, shape (replicates,); NaN ones do not count."""
    low, high = np.nanquantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def two_sided_p(differences: Array) -> float:
    """Returns the bootstrap p-value of "the difference is 0", at least 2 / (replicates + 1)."""
    fewest = min(int(np.sum(differences <= 0)), int(np.sum(differences >= 0)))
    return min(1.0, 2 * (fewest + 1) / (len(differences) + 1))
