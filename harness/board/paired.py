"""The interval of a row less another on the same samples, for boards, verdicts and comparisons alike."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.board.values import Estimate
from harness.stats.bootstrap import Array, percentile_interval
from harness.stats.intervals import Interval, difference_interval, square_and_add, wilson

HALVES = 2 * 1.96
"""Standard errors in a 95 % interval."""


class Paired(NamedTuple):
    """The 95 % interval of a difference, its standard error, and whether resampling could give them."""

    interval: Interval
    error: float
    is_resampled: bool


def paired(
    first: Estimate, second: Estimate, replicates: Array, shares: Array, *, groups: int, is_proportion: bool
) -> Paired:
    """Returns the interval of first minus second on one domain.

    No resample shows what a perfect or an empty score could have missed, nor that two rows which no group
    tells apart may still differ.

    Args:
        first: score of the first row.
        second: score of the second row.
        replicates: the difference under resampling of groups, shape (replicates,).
        shares: what each group adds to the difference, shape (groups,).
        groups: how many have a sample that counts.
        is_proportion: whether scores lie in [0, 1].
    """
    if is_proportion and not shares.any():
        reach = wilson(0, groups).high
        return _spanned(Interval(-reach, reach))
    if is_proportion and {0.0, 1.0} & {first.value, second.value}:
        own = [Interval(one.low, one.high) for one in (first, second)]
        return _spanned(difference_interval(first.value, own[0], second.value, own[1]))
    return _resampled(replicates)


def paired_mean(values: Sequence[float], parts: Sequence[Paired], replicates: Array) -> Paired:
    """Returns the interval of the mean difference over domains.

    Args:
        values: the difference on each domain.
        parts: its interval on each domain.
        replicates: the mean difference under resampling, shape (replicates,).
    """
    if len(parts) == 1:
        return parts[0]
    if all(part.is_resampled for part in parts):
        return _resampled(replicates)
    return _spanned(square_and_add(values, [part.interval for part in parts]))


def _resampled(replicates: Array) -> Paired:
    return Paired(percentile_interval(replicates), float(np.nanstd(replicates, ddof=1)), True)


def _spanned(interval: Interval) -> Paired:
    return Paired(interval, (interval.high - interval.low) / HALVES, False)
