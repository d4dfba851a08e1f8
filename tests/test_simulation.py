"""Statistics by simulation: how often intervals hold the truth, and how often tests cry wolf.

Truth: the nominal level, or a probability computed without simulation. A share of `REPLICATES` draws must
lie in the band that holds 99.9 % of binomial shares of that probability.
"""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from harness.seeds import generator
from harness.stats.bootstrap import bootstrap_ratios, percentile_interval, two_sided_p
from harness.stats.intervals import (
    Interval,
    clustered_standard_error,
    difference_interval,
    square_and_add,
    t_interval,
    wilson,
)
from harness.stats.pairs import (
    flip_groups,
    holm,
    mcnemar,
    minimum_detectable_effect,
    paired_difference,
    sign_flip,
    welch,
)

Array = NDArray[np.float64]
REPLICATES = 10_000
RESAMPLES = 400
"""Within each replicate of many groups; boards use 4,000, which widens an interval by less than the band."""


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


def clustered(seed: int, clusters: int, replicates: int) -> tuple[Array, NDArray[np.int64]]:
    """Returns samples, shape (replicates, clusters * 5), with mean 0, that share a term within clusters."""
    draw = generator(seed, "clustered", clusters)
    shared = np.repeat(draw.normal(0, 1, (replicates, clusters)), 5, axis=1)
    return shared + draw.normal(0, 1, shared.shape), np.repeat(np.arange(clusters), 5)


@pytest.mark.parametrize("clusters", [3, 10, 40])
def test_a_clustered_t_interval_with_one_freedom_less_than_clusters_covers_its_level(clusters: int) -> None:
    samples, index = clustered(0, clusters, REPLICATES)
    errors = np.array([clustered_standard_error(one, index) for one in samples])
    reach = stats.t.ppf(0.975, clusters - 1) * errors
    assert in_band(int((np.abs(samples.mean(axis=1)) <= reach).sum()), REPLICATES, 0.95)


def test_the_clustered_standard_error_agrees_with_statsmodels() -> None:
    from statsmodels.regression.linear_model import OLS

    samples, index = clustered(1, 8, 1)
    fit = OLS(samples[0], np.ones(40)).fit(
        cov_type="cluster", cov_kwds={"groups": index, "use_correction": True, "df_correction": True}
    )
    assert clustered_standard_error(samples[0], index) == pytest.approx(fit.bse[0], rel=1e-9)


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


def bootstrap_coverage(groups: int, *, ratio: bool, resamples: int = RESAMPLES) -> int:
    """Returns how often the percentile interval over normal groups holds 1.

    A ratio has sizes that vary between groups and a numerator that goes with them, as bits go with bytes.
    """
    draw = generator(0, "coverage", groups, int(ratio))
    shape = (REPLICATES, groups)
    sizes = draw.integers(50, 150, shape).astype(np.float64) if ratio else np.ones(shape)
    numerators = sizes * draw.normal(1.0, 0.3, shape)
    hits = 0
    for numerator, size in zip(numerators, sizes, strict=True):
        found = bootstrap_ratios(
            numerator[None, :, None], size[None, :, None], generator=draw, replicates=resamples
        )
        low, high = percentile_interval(found[0])
        hits += low <= 1.0 <= high
    return hits


@pytest.mark.parametrize("ratio", [False, True])
@pytest.mark.parametrize("groups", [30, 100])
def test_the_bootstrap_of_thirty_groups_covers_between_93_and_97_percent(groups: int, ratio: bool) -> None:
    hits = bootstrap_coverage(groups, ratio=ratio)
    low, high = stats.binom.ppf([0.0005, 0.9995], REPLICATES, [0.93, 0.97])
    assert low <= hits <= high


def test_the_bootstrap_of_three_groups_spans_them_and_covers_three_times_in_four() -> None:
    hits = bootstrap_coverage(3, ratio=False, resamples=4000)
    exact = 1 - 2 * 0.5**3  # all three on one side of the truth; one resample in 27 is thrice the least
    assert in_band(hits, REPLICATES, exact)


def test_the_bootstrap_of_six_groups_covers_86_percent_as_documented() -> None:
    hits = bootstrap_coverage(6, ratio=False, resamples=2000)
    low, high = stats.binom.ppf([0.0005, 0.9995], REPLICATES, [0.855, 0.865])
    assert low <= hits <= high


def test_the_bootstrap_agrees_with_scipys() -> None:
    values = generator(0, "scipy").normal(0, 1, 50)
    found = bootstrap_ratios(
        values[None, :, None], np.ones((1, 50, 1)), generator=generator(1, "scipy"), replicates=20_000
    )
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=generator(2, "scipy")
    ).confidence_interval
    spread = found.std()
    assert percentile_interval(found[0]) == pytest.approx((theirs.low, theirs.high), abs=0.08 * spread)


def test_square_and_add_covers_the_mean_of_proportions_near_one() -> None:
    shares = np.array([0.97, 0.9, 0.99])
    drawn = generator(0, "mover").binomial(60, shares, (REPLICATES, 3))
    table = [wilson(successes, 60) for successes in range(61)]
    hits = 0
    for one in drawn:
        interval = square_and_add(one / 60, [table[successes] for successes in one])
        hits += interval.low <= shares.mean() <= interval.high
    low, high = stats.binom.ppf([0.0005, 0.9995], REPLICATES, [0.93, 0.97])
    assert low <= hits <= high


@pytest.mark.parametrize("shares", [(0.99, 0.95), (0.5, 0.6), (1.0, 0.9)])
def test_the_interval_of_a_difference_of_proportions_covers(shares: tuple[float, float]) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    drawn = generator(0, "difference").binomial(80, shares, (REPLICATES, 2))
    table = [wilson(successes, 80) for successes in range(81)]
    found = [difference_interval(one / 80, table[one], two / 80, table[two]) for one, two in drawn]
    theirs = confint_proportions_2indep(drawn[0][0], 80, drawn[0][1], 80, method="newcomb")
    assert found[0] == pytest.approx(theirs)
    hits = held(found, shares[0] - shares[1])
    assert hits >= stats.binom.ppf(0.0005, REPLICATES, 0.93)


def rejections(p_values: "list[float] | Array") -> int:
    return int((np.asarray(p_values) <= 0.05).sum())


@pytest.mark.parametrize(("sizes", "spreads"), [((10, 10), (1.0, 1.0)), ((12, 20), (1.0, 3.0))])
def test_welch_has_its_size(sizes: tuple[int, int], spreads: tuple[float, float]) -> None:
    draw = generator(0, "welch", *sizes)
    first, second = (
        draw.normal(0, spread, (REPLICATES, size)) for size, spread in zip(sizes, spreads, strict=True)
    )
    found = [welch(*pair).p for pair in zip(first, second, strict=True)]
    assert np.allclose(found, stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue)
    assert in_band(rejections(found), REPLICATES, 0.05)


def paired_p(differences: Array) -> list[float]:
    """Returns the p-values of the paired t test, made of our difference and its error."""
    found = [paired_difference(one, np.zeros_like(one)) for one in differences]
    ratios = np.array([one.mean / one.standard_error for one in found])
    return list(2 * stats.t.sf(np.abs(ratios), differences.shape[1] - 1))


def test_the_paired_test_has_its_size() -> None:
    differences = generator(0, "paired").normal(0, 1, (REPLICATES, 25))
    found = paired_p(differences)
    assert np.allclose(found, stats.ttest_1samp(differences, 0, axis=1).pvalue)
    assert in_band(rejections(found), REPLICATES, 0.05)


def test_the_paired_test_finds_its_minimum_detectable_effect_four_times_in_five() -> None:
    size = 400
    effect = minimum_detectable_effect(1 / size**0.5)
    found = paired_p(generator(0, "power").normal(effect, 1, (REPLICATES, size)))
    exact = stats.nct.sf(stats.t.ppf(0.975, size - 1), size - 1, effect * size**0.5)
    assert exact == pytest.approx(0.8, abs=0.003), "z where t with 399 degrees belongs"
    assert in_band(rejections(found), REPLICATES, exact)


@pytest.mark.parametrize("pairs", [20, 100])
def test_mcnemar_rejects_at_most_at_its_level_and_as_often_as_the_binomial_says(pairs: int) -> None:
    draw = generator(0, "mcnemar", pairs)
    apart = draw.binomial(pairs, 0.3, REPLICATES)
    first = draw.binomial(apart, 0.5)
    table = {
        (one, other): mcnemar(one, other) for one in range(pairs + 1) for other in range(pairs + 1 - one)
    }
    found = [table[int(one), int(both - one)] for one, both in zip(first, apart, strict=True)]
    exact = 0.0
    for both in range(pairs + 1):
        ones = np.arange(both + 1)
        rejected = np.array([table[one, both - one] <= 0.05 for one in range(both + 1)])
        size = float(stats.binom.pmf(ones, both, 0.5)[rejected].sum())
        assert size <= 0.05
        exact += float(stats.binom.pmf(both, pairs, 0.3)) * size
    assert in_band(rejections(found), REPLICATES, exact)


def test_sign_flips_reject_at_most_at_their_level() -> None:
    draw = generator(0, "flip")
    differences = draw.integers(0, 3, (REPLICATES, 60)) - draw.integers(0, 3, (REPLICATES, 60))
    hits = rejections([sign_flip(one) for one in differences])
    assert hits <= stats.binom.ppf(0.9995, REPLICATES, 0.05)
    assert hits >= stats.binom.ppf(0.0005, REPLICATES, 0.04), "sixty samples leave little that is not exact"


@pytest.mark.parametrize("groups", [8, 40])
def test_flips_of_groups_have_their_size_where_the_bootstrap_has_not(groups: int) -> None:
    shares = generator(0, "groups", groups).standard_t(3, (REPLICATES, groups))
    found = flip_groups(shares, generator=generator(0, "signs", groups))
    assert in_band(rejections(found), REPLICATES, {8: 12 / 256, 40: 0.05}[groups])


def test_the_bootstrap_p_value_of_equal_rows_has_its_size() -> None:
    draw = generator(0, "p")
    p_values = []
    for differences in draw.normal(0, 1, (REPLICATES, 100)):
        found = bootstrap_ratios(
            differences[None, :, None], np.ones((1, 100, 1)), generator=draw, replicates=RESAMPLES
        )
        p_values.append(two_sided_p(found[0]))
    low, high = stats.binom.ppf([0.0005, 0.9995], REPLICATES, [0.04, 0.065])
    assert low <= rejections(p_values) <= high, "percentiles of 100 groups reject a little too often"


def test_holm_finds_something_that_is_not_there_at_most_at_its_level() -> None:
    from statsmodels.stats.multitest import multipletests

    p_values = generator(0, "holm").random((REPLICATES, 5))
    found = np.array([holm(one) for one in p_values])
    assert np.allclose(found[:50], [multipletests(one, method="holm")[1] for one in p_values[:50]])
    exact = 1 - (1 - 0.05 / 5) ** 5  # the least of five independent uniforms is at most .01
    assert in_band(int((found.min(axis=1) <= 0.05).sum()), REPLICATES, exact)
