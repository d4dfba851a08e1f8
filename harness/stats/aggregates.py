"""Aggregates of a matrix of normalised scores, shape (runs, domains).

Source: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice".
"""

import numpy as np
from numpy.typing import ArrayLike


def interquartile_mean(scores: ArrayLike) -> float:
    """Returns the mean of the middle half of all scores."""
    from scipy.stats import trim_mean

    return float(trim_mean(np.asarray(scores, dtype=np.float64), 0.25, axis=None))


def optimality_gap(scores: ArrayLike) -> float:
    """Returns the mean of what is lacking to 1; scores above 1 lack nothing."""
    return float(np.mean(1 - np.minimum(np.asarray(scores, dtype=np.float64), 1)))


def performance_profile(scores: ArrayLike, threshold: float) -> float:
    """Returns the share of scores strictly above `threshold`."""
    return float(np.mean(np.asarray(scores, dtype=np.float64) > threshold))
