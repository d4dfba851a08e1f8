"""Aggregates of a matrix of normalised scores, shape (runs, domains).

Source: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice".
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def interquartile_mean(scores: ArrayLike) -> float:
    """Returns the mean of the middle half of all scores."""
    return float(_middle_mean(np.asarray(scores, dtype=np.float64).reshape(-1)))


def optimality_gap(scores: ArrayLike) -> float:
    """Returns the mean of what is lacking to 1; scores above 1 lack nothing."""
    return float(np.mean(1 - np.minimum(np.asarray(scores, dtype=np.float64), 1)))


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> Array:
    """Returns the share of scores strictly above each threshold.

    Args:
        scores: shape (..., scores).
        thresholds: shape (thresholds,).

    Returns:
        Shares, shape (..., thresholds).
    """
    values = np.asarray(scores, dtype=np.float64)
    above = [(values > threshold).mean(axis=-1) for threshold in np.asarray(thresholds, dtype=np.float64)]
    return np.stack(above, axis=-1)


LEAST_IN_GROUP = 10
"""Samples below which a group's own score says nothing."""


class WorstGroup(NamedTuple):
    """The lowest score of a group, and how many groups had samples enough to count."""

    value: float
    groups: int


def worst_group(numerators: ArrayLike, denominators: ArrayLike, samples: ArrayLike) -> WorstGroup | None:
    """Returns the worst ratio of any group with at least ten samples; None where there is none.

    Args:
        numerators: sums over a group's samples, higher being better, shape (groups,).
        denominators: sums over the same samples, shape (groups,).
        samples: how many there are, shape (groups,); an empty group is not a score of 0.

    Source: Koh et al. 2021 (WILDS).
    """
    top, bottom, counts = (np.asarray(one, dtype=np.float64) for one in (numerators, denominators, samples))
    large = (counts >= LEAST_IN_GROUP) & (bottom > 0)
    if not large.any():
        return None
    return WorstGroup(float((top[large] / bottom[large]).min()), int(large.sum()))


def probability_of_improvement(first: ArrayLike, second: ArrayLike) -> float:
    """Returns the share of pairs of runs in which the first scores higher, a tie counting half.

    Args:
        first: shape (runs,), higher being better.
        second: shape (other runs,).
    """
    mine, other = (np.asarray(values, dtype=np.float64) for values in (first, second))
    less = mine[:, None] - other[None, :]
    return float(np.mean((less > 0) + 0.5 * (less == 0)))


def resampled(
    strata: Sequence[ArrayLike],
    statistic: Callable[[Array], Array],
    *,
    generator: np.random.Generator,
    replicates: int = 2000,
) -> tuple[Array, Array]:
    """Returns the ends of the 95 % percentile interval of a statistic when each stratum's runs are redrawn.

    Args:
        strata: the scores of a domain's runs, shape (runs,), each.
        statistic: of resamples of all scores, shape (replicates, scores) to (replicates, ...).
        generator: where the resamples come from.
        replicates: how many.

    Returns:
        Two arrays of the shape of one statistic.
    """
    runs = [np.asarray(one, dtype=np.float64) for one in strata]
    drawn = [one[generator.integers(0, one.size, (replicates, one.size))] for one in runs]
    low, high = np.quantile(statistic(np.concatenate(drawn, axis=1)), [0.025, 0.975], axis=0)
    return low, high


def stratified_interval(
    strata: Sequence[ArrayLike], *, generator: np.random.Generator, replicates: int = 2000
) -> tuple[float, float]:
    """Returns the 95 % percentile interval of the interquartile mean, as `resampled`."""
    low, high = resampled(strata, _middle_mean, generator=generator, replicates=replicates)
    return float(low), float(high)


def _middle_mean(scores: Array) -> Array:
    """Returns the mean without the lowest and the highest quarter along the last axis.

    It is `scipy.stats.trim_mean` to the bit, which takes a second to import.
    """
    count = scores.shape[-1]
    cut = int(0.25 * count)
    middle = np.partition(scores, (cut, count - cut - 1), axis=-1)[..., cut : count - cut]
    return np.asarray(np.mean(middle, axis=-1), dtype=np.float64)
