"""Statistics by simulation: how often intervals hold the truth, and how often tests cry wolf.

Truth: the nominal level, or a probability computed without simulation. A share of `REPLICATES` draws must
lie in the band that holds 99.9 % of binomial shares of that probability.
"""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from harness.seeds import generator
from harness.stats.corrections import holm
from harness.stats.effect import seed_effect
from harness.stats.intervals import Interval, t_interval, wilson

Array = NDArray[np.float64]
REPLICATES = 10_000


def in_band(hits: int, replicates: int, probability: float) -> bool:
    """Whether so many hits are within the 99.9 % binomial band."""
    low, high = stats.binom.ppf([0.0005, 0.9995], replicates, probability)
    return bool(low <= hits <= high)


def held(intervals: list[Interval], truth: float) -> int:
    return sum(one.low <= truth <= one.high for one in intervals)


@pytest.mark.parametrize("size", [3, 10, 100])
def test_the_t_interval_of_normal_data_covers_its_level(size: int) -> None:
    samples = generator(0, "t", size).normal(1.0, 2.0, (REPLICATES, size))
    intervals = [t_interval(one) for one in samples]
    low, high = stats.t.interval(
        0.95, size - 1, loc=samples.mean(axis=1), scale=stats.sem(samples, axis=1, ddof=1)
    )
    assert np.allclose([(one.low, one.high) for one in intervals], np.stack([low, high], axis=1))
    assert in_band(held(intervals, 1.0), REPLICATES, 0.95)


@pytest.mark.parametrize(("trials", "share"), [(10, 0.5), (30, 0.02), (60, 0.9), (200, 0.305)])
def test_wilson_covers_exactly_what_its_sum_over_the_binomial_says(trials: int, share: float) -> None:
    from statsmodels.stats.proportion import proportion_confint

    intervals = [wilson(successes, trials) for successes in range(trials + 1)]
    theirs = np.stack(proportion_confint(np.arange(trials + 1), trials, method="wilson"), axis=1)
    assert np.allclose([(one.low, one.high) for one in intervals], theirs, atol=1e-12)
    covers = np.array([one.low <= share <= one.high for one in intervals])
    exact = float(stats.binom.pmf(np.arange(trials + 1), trials, share)[covers].sum())
    assert 0.91 < exact < 0.99
    drawn = generator(0, "wilson", trials).binomial(trials, share, REPLICATES)
    assert in_band(int(covers[drawn].sum()), REPLICATES, exact)


def rejections(p_values: "list[float] | Array") -> int:
    return int((np.asarray(p_values) <= 0.05).sum())


@pytest.mark.parametrize(("sizes", "spreads"), [((10, 10), (1.0, 1.0)), ((12, 20), (1.0, 3.0))])
def test_independent_seeds_are_compared_by_welchs_test(
    sizes: tuple[int, int], spreads: tuple[float, float]
) -> None:
    draw = generator(0, "welch", *sizes)
    first, second = (
        draw.normal(0, spread, (REPLICATES, size)) for size, spread in zip(sizes, spreads, strict=True)
    )
    found = [seed_effect(*pair).p for pair in zip(first, second, strict=True)]
    assert np.allclose(found, stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue)
    assert in_band(rejections(found), REPLICATES, 0.05)


@pytest.mark.slow
@pytest.mark.ci
def test_holm_finds_something_that_is_not_there_at_most_at_its_level() -> None:
    from statsmodels.stats.multitest import multipletests

    p_values = generator(0, "holm").random((REPLICATES, 5))
    found = np.array([holm(one) for one in p_values])
    assert np.allclose(found[:50], [multipletests(one, method="holm")[1] for one in p_values[:50]])
    exact = 1 - (1 - 0.05 / 5) ** 5  # the least of five independent uniforms is at most .01
    assert in_band(int((found.min(axis=1) <= 0.05).sum()), REPLICATES, exact)
