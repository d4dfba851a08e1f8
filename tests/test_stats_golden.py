"""Statistics against golden values: computed once elsewhere, and closed forms."""

import numpy as np
import pytest

from harness.stats.aggregates import (
    interquartile_mean,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    stratified_interval,
    worst_group,
)
from harness.stats.bootstrap import percentile_interval, two_sided_p
from harness.stats.corrections import holm
from harness.stats.equal import line
from harness.stats.intervals import t_interval, wilson
from harness.stats.ranks import kendall_interval, placements, stability
from harness.stats.sums import group_sums, grouped_ratio, laid_out, union

P_VALUES = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205]
SCORES = [[0.1, 0.5, 0.9], [0.2, 0.6, 0.8], [0.3, 0.4, 1.0], [0.0, 0.7, 0.7]]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (200, 200, 0.981155, 1),
        (0, 30, 0, 0.113513),
        (61, 200, 0.245364, 0.371986),
        (5, 20, 0.111862, 0.468701),
    ],
)
def test_wilson_has_its_golden_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-6)


def test_the_t_interval_of_three_values_uses_4_303_and_ddof_1() -> None:
    low, high = t_interval([1, 2, 3])
    assert (low, high) == pytest.approx((2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5), abs=1e-5)
    with pytest.raises(ValueError, match="two values"):
        t_interval([1])


def test_holm_has_its_golden_values_in_any_order() -> None:
    expected = [0.008, 0.056] + 6 * [0.234]
    assert holm(P_VALUES) == pytest.approx(expected, abs=1e-9)
    assert holm(P_VALUES[::-1]) == pytest.approx(expected[::-1], abs=1e-9)
    assert holm([]) == []


def test_aggregates_have_their_golden_values() -> None:
    assert interquartile_mean(SCORES) == pytest.approx(0.5333333, abs=1e-7)
    assert np.mean(SCORES) == pytest.approx(0.5166667, abs=1e-7)
    assert np.median(SCORES) == pytest.approx(0.55)
    assert optimality_gap(SCORES) == pytest.approx(0.4833333, abs=1e-7)
    assert performance_profile(np.ravel(SCORES), [0.5])[0] == 0.5
    assert probability_of_improvement([0.5, 0.6], [0.55, 0.5]) == (0 + 0.5 + 1 + 1) / 4
    assert probability_of_improvement([0.0], [1.0]) == 0


def test_an_interquartile_mean_has_the_interval_of_the_runs_that_are_drawn_again() -> None:
    strata = [np.array([0.1, 0.2, 0.6, 0.7]), np.array([0.3, 0.9])]
    draw = np.random.default_rng(3)
    every = [np.sort(np.concatenate([draw.choice(one, one.size) for one in strata])) for _ in range(20_000)]
    middle = [one[1:5].mean() for one in every]  # of six runs, a quarter is one
    found = stratified_interval(strata, generator=np.random.default_rng(0), replicates=20_000)
    assert found == pytest.approx(np.quantile(middle, [0.025, 0.975]), abs=0.01)
    assert stratified_interval([[0.4, 0.4], [0.4]], generator=draw) == pytest.approx((0.4, 0.4))


def test_resamples_have_the_interval_between_their_quantiles() -> None:
    assert percentile_interval(np.arange(101.0)) == pytest.approx((2.5, 97.5))
    assert percentile_interval(np.array([*np.arange(101.0), np.nan]), level=0.5) == pytest.approx((25, 75))


def test_the_interval_of_a_rank_correlation_is_fishers_with_a_variance_of_its_own() -> None:
    half = 1.96 * (0.437 / (12 - 4)) ** 0.5
    expected = (np.tanh(np.arctanh(0.25) - half), np.tanh(np.arctanh(0.25) + half))
    assert kendall_interval(0.25, 12) == pytest.approx(expected)
    nearly = 1 - 1 / (12 * 11 / 2)  # half a pair of 66 in the other order
    assert kendall_interval(1.0, 12) == pytest.approx(kendall_interval(nearly, 12))
    assert kendall_interval(-1.0, 12) == pytest.approx(kendall_interval(-nearly, 12))
    assert kendall_interval(nearly - 1e-3, 12).high < kendall_interval(1.0, 12).high


def test_effective_robustness_has_its_golden_values() -> None:
    x, y = [0.6, 0.7, 0.8, 0.9, 0.95], [0.4, 0.52, 0.65, 0.80, 0.90]
    probit = line(np.array([x, y]), is_proportion=True)
    assert (probit.slope, probit.intercept) == pytest.approx((1.0906601, -0.5305189), abs=1e-7)
    assert probit.fit == pytest.approx(0.9992922, abs=1e-7)
    assert 0.80 - probit.at(np.array([0.85]))[0] == pytest.approx(0.0742939, abs=1e-7)


def test_places_share_ties_and_their_ranges_are_the_pairs_that_differ() -> None:
    p_values = {(0, 1): 0.9, (0, 2): 0.001, (1, 2): 0.001}

    def test(first: int, second: int) -> tuple[float, float]:
        return scores[first] - scores[second], p_values[first, second]

    scores = [0.9, 0.8, 0.1]
    assert placements(scores, test) == [(1, 1, 2, True), (2, 1, 2, True), (3, 3, 3, False)]
    p_values[1, 2] = 0.04  # .08 after Holm, with .9 beside it
    assert placements(scores, test) == [(1, 1, 2, True), (2, 1, 3, True), (3, 2, 3, False)]
    open_ones = placements([0.5, 0.9, 0.9], lambda *_: None)
    assert open_ones == [(3, 1, 3, False), (1, 1, 3, False), (1, 1, 3, False)]


def test_a_grouped_ratio_is_the_mean_over_the_classes_that_are_there() -> None:
    assert grouped_ratio(np.array([1.0, 3.0, 0.0]), np.array([2.0, 4.0, 0.0])) == pytest.approx(0.625)
    assert np.isnan(grouped_ratio(np.zeros(2), np.zeros(2)))


def test_absent_groups_of_one_model_count_as_empty() -> None:
    one = group_sums(np.array([1, 2]), np.array([0, 0]), numerators=np.ones(2), denominators=np.ones(2))
    two = group_sums(np.array([2, 5]), np.array([0, 1]), numerators=np.ones(2), denominators=np.ones(2))
    groups, classes = union([one, two])
    numerators, denominators = laid_out([one, two], groups, classes)
    assert groups.tolist() == [1, 2, 5]
    assert numerators.shape == (2, 3, 2)
    assert denominators.sum(axis=(1, 2)).tolist() == [2, 2]


def test_a_bootstrap_p_value_is_never_zero() -> None:
    assert two_sided_p(np.ones(999)) == pytest.approx(0.002)
    assert two_sided_p(np.zeros(999)) == 1
    assert two_sided_p(np.array([-1.0] * 10 + [0.0] + [1.0] * 88)) == pytest.approx(2 * 12 / 100)
    assert two_sided_p(np.array([1.0] * 10 + [0.0] + [-1.0] * 88)) == pytest.approx(2 * 12 / 100)


def test_kendall_agrees_with_scipy_and_with_resampled_items() -> None:
    from scipy.stats import kendalltau

    from harness.stats.ranks import kendall

    draw = np.random.default_rng(0)
    first = draw.integers(0, 6, 30)
    second = first + draw.integers(0, 9, 30)
    index = draw.integers(0, 30, 30)
    weights = [np.ones(30), np.bincount(index, minlength=30)]
    expected = [kendalltau(first, second).statistic, kendalltau(first[index], second[index]).statistic]
    assert kendall(first, second, weights) == pytest.approx(expected)


def test_the_worst_group_has_samples_enough_and_an_empty_one_is_not_zero() -> None:
    assert worst_group([0, 3, 9, 0], [0, 12, 10, 2], [0, 12, 10, 2]) == (0.25, 2)
    assert worst_group([0], [0], [0]) is None


def test_resamples_of_domains_keep_an_order_that_holds_on_each_of_them() -> None:
    draw = np.random.default_rng(0)
    assert stability([[3, 4], [2, 3], [1, 2]], generator=draw) == (1, 1)
    kept = stability([[0.6, 0.6], [1.0, 0.0]], generator=draw, replicates=20_000)
    assert kept.order == pytest.approx(0.75, abs=0.02), "the second is above when its good domain comes twice"
    assert kept.first == kept.order
