"""Confidence intervals of proportions, means and clustered means, which stay honest at 0 and at 1."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Interval(NamedTuple):
    """A lower and an upper bound."""

    low: float
    high: float


def wilson(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """Returns Wilson's score interval of a proportion; it is never empty, not even at 0 or 1.

    Raises:
        ValueError: there are no trials, or more successes than trials.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} successes of {trials} trials have no proportion.")
    from scipy.stats import norm

    z = float(norm.ppf((1 + level) / 2))
    share = successes / trials
    scale = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / scale
    half = z / scale * float(np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == trials else centre + half
    return Interval(low, high)


def t_interval(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Returns Student's interval of the mean of at least two values, with ddof 1.

    Raises:
        ValueError: there are fewer than two values.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size < 2:
        raise ValueError("A t interval needs two values; one value has no spread.")
    from scipy.stats import t

    mean = float(sample.mean())
    half = float(t.ppf((1 + level) / 2, sample.size - 1) * sample.std(ddof=1) / np.sqrt(sample.size))
    return Interval(mean - half, mean + half)


def clustered_standard_error(values: ArrayLike, clusters: ArrayLike) -> float:
    """Returns the standard error of the mean when values of one cluster are not independent.

    Args:
        values: one score per sample, shape (samples,).
        clusters: which cluster each sample belongs to, shape (samples,).

    Raises:
        ValueError: there are fewer than two clusters.

    Source: the sandwich estimator with the factor C / (C - 1) for C clusters.
    """
    sample: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    if len(names) < 2:
        raise ValueError("A clustered standard error needs two clusters.")
    sums = np.bincount(index, weights=sample - sample.mean())
    return float(np.sqrt(np.sum(sums**2) * len(names) / (len(names) - 1)) / sample.size)


def square_and_add(values: ArrayLike, intervals: list[Interval]) -> Interval:
    """Returns the interval of the mean of independent estimates from their own, maybe lopsided, intervals.

    Source: Zou and Donner 2008, the method of variance estimates recovery, equation 4, for a mean.
    """
    points = np.asarray(values, dtype=np.float64)
    lows = points - [one.low for one in intervals]
    highs = np.asarray([one.high for one in intervals]) - points
    mean = float(points.mean())
    return Interval(
        mean - float(np.sqrt(np.sum(lows**2))) / points.size,
        mean + float(np.sqrt(np.sum(highs**2))) / points.size,
    )


def difference_interval(first: float, one: Interval, second: float, other: Interval) -> Interval:
    """Returns the interval of first minus second from their own, maybe lopsided, intervals.

    It takes the two for independent, so for two that go together it is too wide rather than too narrow.

    Source: Zou and Donner 2008, equation 3.
    """
    value = first - second
    return Interval(
        value - float(np.hypot(first - one.low, other.high - second)),
        value + float(np.hypot(one.high - first, second - other.low)),
    )
