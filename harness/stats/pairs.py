"""Comparisons of two methods on the same samples, and corrections for making many of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLIPS = 9_999
_CELLS = 8_000_000
"""Largest number of signs, or of their sums, held at once."""


class PairedDifference(NamedTuple):
    """Mean of first minus second, and its standard error (ddof 1)."""

    mean: float
    standard_error: float


def paired_difference(first: ArrayLike, second: ArrayLike) -> PairedDifference:
    """Returns the mean difference of independent, paired scores, shape (samples,).

    Raises:
        ValueError: there are fewer than two pairs.
    """
    difference = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    if difference.size < 2:
        raise ValueError("A paired difference needs two pairs; one has no spread.")
    error = difference.std(ddof=1) / np.sqrt(difference.size)
    return PairedDifference(float(difference.mean()), float(error))


def mcnemar(only_first: int, only_second: int) -> float:
    """Returns the exact two-sided p-value when one method alone was right so often, and the other."""
    trials = only_first + only_second
    if trials == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(only_first, trials).pvalue)


def holm(p_values: ArrayLike) -> list[float]:
    """Returns p-values adjusted for the chance of any false claim (Holm 1979), in the order given."""
    raw = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    factors = np.arange(raw.size, 0, -1)
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(raw[order] * factors))
    return [float(value) for value in adjusted]


def benjamini_hochberg(p_values: ArrayLike) -> list[float]:
    """Returns p-values adjusted for the share of false findings (1995), in the order given."""
    raw = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    factors = raw.size / np.arange(1, raw.size + 1)
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(1, np.minimum.accumulate((raw[order] * factors)[::-1])[::-1])
    return [float(value) for value in adjusted]


def minimum_detectable_effect(standard_error: float) -> float:
    """Returns the true difference that a 5 % test with this standard error finds four times in five."""
    return (1.96 + 0.8416) * standard_error


class Comparison(NamedTuple):
    """A difference of two means with its 95 % interval and two-sided p."""

    value: float
    low: float
    high: float
    p: float


def welch(first: ArrayLike, second: ArrayLike) -> Comparison:
    """Returns the mean of `first` minus that of `second`, samples that are independent of each other.

    Raises:
        ValueError: one of the two has fewer than two values.

    Source: Welch 1947. Where neither sample varies, the interval is the difference itself.
    """
    mine, other = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if min(mine.size, other.size) < 2:
        raise ValueError("Welch's test needs two values on each side.")
    from scipy.stats import t

    value = float(mine.mean() - other.mean())
    shares = [float(sample.var(ddof=1)) / sample.size for sample in (mine, other)]
    error = float(np.sqrt(sum(shares)))
    if error < 1e-12:
        return Comparison(value, value, value, 1.0 if abs(value) < 1e-12 else 0.0)
    freedom = sum(shares) ** 2 / sum(
        share**2 / (sample.size - 1) for share, sample in zip(shares, (mine, other), strict=True)
    )
    half = float(t.ppf(0.975, freedom)) * error
    return Comparison(value, value - half, value + half, float(2 * t.sf(abs(value) / error, freedom)))


def sign_flip(differences: ArrayLike) -> float:
    """Returns the exact two-sided p-value of "the two are alike on every sample".

    Args:
        differences: first minus second on independent samples, whole numbers, shape (samples,).

    Where the two are alike, each difference is as likely with the other sign, so the sum is made of
    binomials, one per size of a difference. Differences of -1, 0 and 1 give McNemar's exact test.
    """
    from scipy.stats import binom

    whole = np.asarray(differences, dtype=np.int64)
    sizes, counts = np.unique(np.abs(whole[whole != 0]), return_counts=True)
    chances = np.ones(1)
    for size, count in zip(sizes, counts, strict=True):
        spread = np.zeros(2 * size * count + 1)
        spread[:: 2 * size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, spread)
    reach = len(chances) // 2
    beyond = np.abs(np.arange(-reach, reach + 1)) >= abs(int(whole.sum()))
    return float(min(1.0, chances[beyond].sum()))


def flip_groups(shares: NDArray[np.float64], *, generator: np.random.Generator) -> NDArray[np.float64]:
    """Returns two-sided p-values of "the two are alike in every group", shape (pairs,).

    Args:
        shares: what each group adds to the difference of each pair, shape (pairs, groups).
        generator: where the signs come from; every pair has the same ones, so a pair's p-value does not
            depend on which others are there.

    Where two methods are alike, whole groups are as likely with the other sign. Of 9,999 random flips of all
    groups, the share that reaches the observed difference is counted, the observed one included. Unlike
    resampling, that stays honest where few groups differ: four of four give p = 1/8, as McNemar's test does.
    """
    pairs, groups = shares.shape
    observed = np.abs(shares.sum(axis=1)) * (1 - 1e-9)
    reached = np.ones(pairs)
    step = max(1, _CELLS // max(1, groups, pairs))
    for start in range(0, FLIPS, step):
        drawn = generator.integers(0, 2, size=(min(step, FLIPS - start), groups), dtype=np.int8)
        sums = (2.0 * drawn - 1.0) @ shares.T
        reached += (np.abs(sums) >= observed).sum(axis=0)
    return np.asarray(reached / (FLIPS + 1))
