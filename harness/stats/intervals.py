"""Confidence intervals of proportions, means and clustered means, which stay honest at 0 and at 1."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


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
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
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
    from scipy.special import stdtrit

    mean = float(sample.mean())
    quantile = stdtrit(sample.size - 1, (1 + level) / 2)
    half = float(quantile * sample.std(ddof=1) / np.sqrt(sample.size))
    return Interval(mean - half, mean + half)
