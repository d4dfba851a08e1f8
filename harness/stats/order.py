"""Exact expectations of random search by order statistics, which no sampling can beat."""

import numpy as np
from numpy.typing import ArrayLike


def expected_best(select: ArrayLike, report: ArrayLike, draws: int) -> float:
    """Returns the mean of `report` at the best of `draws` by `select`, drawn without replacement.

    Args:
        select: what the choice is made by, higher is better, shape (pool,); of those that tie each is as
            likely to be taken. One of minus infinity is never chosen: the mean is over draws that hold
            another.
        report: what is reported of the chosen one, shape (pool,).
        draws: how many of the pool are seen.

    Raises:
        ValueError: there are no draws, or more than the pool holds, or nothing can be chosen.

    Source: the i-th of M in descending order is the best of k with probability C(M - i, k - 1) / C(M, k).
    """
    keys = np.asarray(select, dtype=np.float64)
    values = np.asarray(report, dtype=np.float64)
    if not 1 <= draws <= keys.size:
        raise ValueError(f"{draws} draws cannot be made from a pool of {keys.size}.")
    if not (keys > -np.inf).any():
        raise ValueError("Nothing of the pool can be chosen.")
    from scipy.special import gammaln

    _, tied = np.unique(keys, return_inverse=True)
    values = (np.bincount(tied, weights=values) / np.bincount(tied))[tied]
    order = np.argsort(-keys, kind="stable")
    below = np.arange(keys.size - 1, draws - 2, -1)  # worse ones that are left for the other draws
    logs = gammaln(below + 1) - gammaln(draws) - gammaln(below - draws + 2)
    ranked = order[: below.size]
    weights = np.exp(logs - logs.max()) * (keys[ranked] > -np.inf)
    return float(np.sum(weights * values[ranked]) / weights.sum())
