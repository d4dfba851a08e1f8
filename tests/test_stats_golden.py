"""Statistics against golden values: computed once elsewhere, and closed forms."""

import numpy as np
import pytest

from harness.seeds import generator
from harness.stats.aggregates import interquartile_mean, optimality_gap, performance_profile, worst_group
from harness.stats.bootstrap import (
    aligned,
    bootstrap_ratios,
    bootstrap_stratified,
    group_shares,
    group_sums,
    grouped_ratio,
    percentile_interval,
    resample_weights,
    two_sided_p,
)
from harness.stats.intervals import (
    Interval,
    clustered_standard_error,
    difference_interval,
    square_and_add,
    t_interval,
    wilson,
)
from harness.stats.pairs import (
    benjamini_hochberg,
    flip_groups,
    holm,
    mcnemar,
    minimum_detectable_effect,
    paired_difference,
    sign_flip,
)
from harness.stats.ranks import rank_intervals, ranks, stability
from harness.stats.robustness import accuracy_line

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


def test_the_clustered_standard_error_has_its_golden_value() -> None:
    values, pairs = [1, 1, 0, 0, 1, 0, 1, 1], [0, 0, 1, 1, 2, 2, 3, 3]
    assert clustered_standard_error(values, pairs) == pytest.approx(0.2393568, abs=1e-7)


def test_square_and_add_of_one_interval_is_that_interval() -> None:
    one = Interval(0.8, 0.95)
    assert square_and_add([0.9], [one]) == pytest.approx(one)
    assert square_and_add([0.9, 0.9], [one, one]) == pytest.approx((0.9 - 0.1 / 2**0.5, 0.9 + 0.05 / 2**0.5))


def test_mcnemar_of_12_against_4_has_its_golden_value() -> None:
    assert mcnemar(12, 4) == pytest.approx(0.0768127, abs=1e-7)
    assert mcnemar(0, 0) == 1


def test_holm_has_its_golden_values_in_any_order() -> None:
    expected = [0.008, 0.056] + 6 * [0.234]
    assert holm(P_VALUES) == pytest.approx(expected, abs=1e-9)
    assert holm(P_VALUES[::-1]) == pytest.approx(expected[::-1], abs=1e-9)
    assert holm([]) == []


def test_benjamini_hochberg_has_its_golden_values() -> None:
    expected = [0.008, 0.032, 0.0672, 0.0672, 0.0672, 0.08, 0.0845714, 0.205]
    assert benjamini_hochberg(P_VALUES) == pytest.approx(expected, abs=1e-6)


def test_a_paired_difference_has_ddof_1() -> None:
    assert paired_difference([1, 2, 4], [0, 1, 1]) == pytest.approx((5 / 3, (4 / 3) ** 0.5 / 3**0.5))
    assert minimum_detectable_effect(1.0) == pytest.approx(2.8016)


def test_aggregates_have_their_golden_values() -> None:
    assert interquartile_mean(SCORES) == pytest.approx(0.5333333, abs=1e-7)
    assert np.mean(SCORES) == pytest.approx(0.5166667, abs=1e-7)
    assert np.median(SCORES) == pytest.approx(0.55)
    assert optimality_gap(SCORES) == pytest.approx(0.4833333, abs=1e-7)
    assert performance_profile(SCORES, 0.5) == 0.5


def test_effective_robustness_has_its_golden_values() -> None:
    x, y = [0.6, 0.7, 0.8, 0.9, 0.95], [0.4, 0.52, 0.65, 0.80, 0.90]
    probit, logit = accuracy_line(x, y), accuracy_line(x, y, axes="logit")
    assert (probit.slope, probit.intercept) == pytest.approx((1.0906601, -0.5305189), abs=1e-7)
    assert probit.r_squared == pytest.approx(0.9992922, abs=1e-7)
    assert probit.effective_robustness(0.85, 0.80) == pytest.approx(0.0742939, abs=1e-7)
    assert (logit.slope, logit.intercept) == pytest.approx((1.0119415, -0.7992996), abs=1e-7)
    assert logit.effective_robustness(0.85, 0.80) == pytest.approx(0.0776768, abs=1e-7)


def test_ranks_share_ties_and_intervals_follow_the_formula() -> None:
    assert ranks([0.5, 0.9, 0.9]) == [3, 1, 1]
    spans = rank_intervals([Interval(0.8, 0.9), Interval(0.7, 0.85), Interval(0.1, 0.2)])
    assert spans == [(1, 2), (1, 2), (3, 3)]


def test_a_grouped_ratio_is_the_mean_over_the_classes_that_are_there() -> None:
    assert grouped_ratio(np.array([1.0, 3.0, 0.0]), np.array([2.0, 4.0, 0.0])) == pytest.approx(0.625)
    assert np.isnan(grouped_ratio(np.zeros(2), np.zeros(2)))


def test_the_bootstrap_agrees_with_a_loop_over_resamples() -> None:
    draw = np.random.default_rng(3)
    groups, labels = draw.integers(0, 9, 80), draw.integers(0, 3, 80)
    scores = [draw.random(80), draw.random(80)]
    sums = [group_sums(groups, labels, numerators=one, denominators=np.ones(80)) for one in scores]
    numerators, denominators = aligned(sums)
    found = bootstrap_ratios(numerators, denominators, generator=generator(1, "x"), replicates=20)
    weights = resample_weights(generator(1, "x"), 20, 9)
    for model, score in enumerate(scores):
        for replicate in range(20):
            repeats = weights[replicate][groups]
            ratios = [
                (repeats * score)[labels == label].sum() / repeats[labels == label].sum()
                for label in range(3)
                if repeats[labels == label].sum()
            ]
            assert found[model, replicate] == pytest.approx(np.mean(ratios))


def test_the_spread_of_the_bootstrap_is_the_clustered_standard_error() -> None:
    draw = np.random.default_rng(5)
    groups = np.repeat(np.arange(200), 4)
    scores = np.repeat(draw.random(200), 4) + draw.random(800)
    sums = group_sums(groups, np.zeros_like(groups), numerators=scores, denominators=np.ones(800))
    found = bootstrap_ratios(
        sums.numerators[None], sums.denominators[None], generator=generator(0, "y"), replicates=4000
    )
    expected = clustered_standard_error(scores, groups)
    assert found.std() == pytest.approx(expected, rel=0.05), "4,000 replicates know a spread to about 1 %"
    low, high = percentile_interval(found[0])
    assert (high - low) / (2 * 1.96) == pytest.approx(expected, rel=0.08)


def test_absent_groups_of_one_model_count_as_empty() -> None:
    one = group_sums(np.array([1, 2]), np.array([0, 0]), numerators=np.ones(2), denominators=np.ones(2))
    two = group_sums(np.array([2, 5]), np.array([0, 1]), numerators=np.ones(2), denominators=np.ones(2))
    numerators, denominators = aligned([one, two])
    assert numerators.shape == (2, 3, 2)
    assert denominators.sum(axis=(1, 2)).tolist() == [2, 2]


def test_a_bootstrap_p_value_is_never_zero() -> None:
    assert two_sided_p(np.ones(999)) == pytest.approx(0.002)
    assert two_sided_p(np.zeros(999)) == 1


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


def test_sign_flips_of_wins_and_losses_are_mcnemars_test() -> None:
    assert sign_flip([1] * 12 + [-1] * 4 + [0] * 30) == pytest.approx(mcnemar(12, 4), abs=1e-12)
    assert sign_flip([]) == sign_flip([0, 0]) == 1


def test_sign_flips_agree_with_all_of_them() -> None:
    from itertools import product

    differences = np.array([2, -1, 3, 1, 1, 0, 2])
    sums = [abs(int(np.dot(signs, differences))) for signs in product((-1, 1), repeat=7)]
    assert sign_flip(differences) == pytest.approx(np.mean([one >= 8 for one in sums]))


def test_flips_of_groups_agree_with_mcnemar_and_with_scipy() -> None:
    from scipy.stats import permutation_test

    wins = np.array([1.0] * 12 + [-1.0] * 4 + [0.0] * 30)
    uneven = np.concatenate([np.random.default_rng(0).normal(0.4, 1, 40), np.zeros(6)])
    found = flip_groups(np.array([wins, uneven, np.zeros(46)]), generator=np.random.default_rng(1))
    theirs = permutation_test(
        (uneven,), np.sum, permutation_type="samples", n_resamples=9_999, rng=np.random.default_rng(2)
    )
    assert found == pytest.approx([mcnemar(12, 4), theirs.pvalue, 1.0], abs=0.01)


def test_what_groups_add_sums_to_the_ratio() -> None:
    draw = np.random.default_rng(0)
    denominators = draw.integers(0, 4, (2, 9, 3)).astype(float)
    denominators[:, :, 2] = 0  # a class that nobody has
    numerators = denominators * draw.random((2, 9, 3))
    expected = grouped_ratio(numerators.sum(axis=1), denominators.sum(axis=1))
    assert group_shares(numerators, denominators).sum(axis=1) == pytest.approx(expected)


def test_the_worst_group_has_samples_enough_and_an_empty_one_is_not_zero() -> None:
    assert worst_group([0, 3, 9, 0], [0, 12, 10, 2], [0, 12, 10, 2]) == (0.25, 2)
    assert worst_group([0], [0], [0]) is None


def test_resamples_of_domains_keep_an_order_that_holds_on_each_of_them() -> None:
    draw = np.random.default_rng(0)
    assert stability([[3, 4], [2, 3], [1, 2]], generator=draw) == (1, 1)
    kept = stability([[0.6, 0.6], [1.0, 0.0]], generator=draw, replicates=20_000)
    assert kept.order == pytest.approx(0.75, abs=0.02), "the second is above when its good domain comes twice"
    assert kept.first == kept.order


def test_the_interval_of_a_difference_of_proportions_is_newcombes() -> None:
    # 56 of 70 against 48 of 80: Newcombe 1998, method 10
    found = difference_interval(56 / 70, wilson(56, 70), 48 / 80, wilson(48, 80))
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_stratified_bootstrap_draws_runs_within_their_domains() -> None:
    scores = np.random.default_rng(5).random((10, 12))
    replicates = bootstrap_stratified(
        scores,
        lambda drawn: drawn.mean(axis=(1, 2)),
        generator=np.random.default_rng(0),
        replicates=50_000,
    )
    spread = np.sqrt(scores.var(axis=0).sum() / 10) / 12  # of a mean of independent means
    assert replicates.mean() == pytest.approx(scores.mean(), abs=4 * spread / np.sqrt(50_000))
    assert replicates.std() == pytest.approx(spread, rel=0.02)
    levels = np.arange(12.0) * np.ones((10, 1))
    same = bootstrap_stratified(
        levels, lambda drawn: drawn.mean(axis=(1, 2)), generator=np.random.default_rng(0), replicates=9
    )
    assert same == pytest.approx(np.full(9, 5.5))
