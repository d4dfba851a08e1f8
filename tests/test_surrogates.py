"""Surrogates and their searchers. Truth: scikit-learn, exact functions, a published table."""

import math
import random
from itertools import combinations
from itertools import pairwise as neighbouring
from statistics import mean, stdev

import numpy as np
import published
import pytest
from sklearn.linear_model import Ridge
from spaces import cells, evaluated, named, searched

from harness.search.archive import SearchArchive
from harness.search.loop import Limit
from harness.search.surrogates import (
    RidgeSurrogate,
    candidates,
    closeness,
    codes_of,
    filled,
    highest,
    matches,
    pairwise_kernel,
    parities,
    ranks,
    ridge,
    tallies,
)
from harness.space.choices import SearchSpace
from harness.space.form import Architecture
from harness.task.signature import Signature

IMAGES = Signature(kind="image", classes=10)


def hybrids() -> SearchSpace:
    return named("hybrid:small", IMAGES, tolerance=0.05)


def drawn(space: SearchSpace, count: int, seed: int = 0) -> list[Architecture]:
    draw = random.Random(seed)
    return [space.sample(draw) for _ in range(count)]


def columns(space: SearchSpace, architectures: list[Architecture]) -> np.ndarray:
    """Returns explicit one-hot columns and all their products across choices."""
    codes = codes_of(space, architectures)
    hot = [codes[:, [index]] == np.arange(len(choice.options)) for index, choice in enumerate(space.choices)]
    pairs = [(one[:, :, None] & two[:, None, :]).reshape(len(codes), -1) for one, two in combinations(hot, 2)]
    return np.concatenate([*hot, *pairs], axis=1).astype(float)


@pytest.mark.parametrize("space", [cells(), hybrids()], ids=["fixed depth", "variable depth"])
def test_the_pairwise_kernel_is_the_inner_product_of_the_explicit_columns(space: SearchSpace) -> None:
    first, second = drawn(space, 7), drawn(space, 5, seed=1)
    agreeing = matches(codes_of(space, first), codes_of(space, second))
    assert np.array_equal(pairwise_kernel(agreeing), columns(space, first) @ columns(space, second).T)


@pytest.mark.parametrize("count", [12, 600], ids=["fewer observations than columns", "more"])
def test_ridge_equals_scikit_learn_on_the_explicit_columns(count: int) -> None:
    space = cells()
    seen, unseen = drawn(space, count), drawn(space, 30, seed=1)
    targets = np.sin(np.arange(count, dtype=float))
    theirs = Ridge(alpha=0.7, fit_intercept=False).fit(columns(space, seen), targets - targets.mean())
    codes = codes_of(space, seen)
    weights, mean = ridge(pairwise_kernel(matches(codes, codes)), targets, 0.7)
    ours = pairwise_kernel(matches(codes_of(space, unseen), codes)) @ weights + mean
    # Two orders of summation over at most 600 terms of order 1.
    np.testing.assert_allclose(ours, theirs.predict(columns(space, unseen)) + targets.mean(), atol=1e-8)


def test_ridge_without_a_penalty_is_refused() -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        ridge(np.eye(2), np.ones(2), 0.0)


def test_a_function_of_pairs_is_recovered_from_fewer_points_than_the_space_has() -> None:
    space = cells()
    architectures, codes, is_whole = candidates(space, random.Random(0), 0)
    assert is_whole
    tables = np.random.default_rng(0).normal(size=(6, 6, 5, 5))
    truth = sum(
        tables[one, two][codes[:, one], codes[:, two]] for one in range(6) for two in range(one + 1, 6)
    )
    archive = SearchArchive(space)
    surrogate = RidgeSurrogate(archive, penalty=1e-6)
    for index in np.random.default_rng(1).permutation(len(architectures))[:800]:
        archive.add(evaluated(architectures[index], float(truth[index])))
    # The penalty of 1e-6 leaves an error of its own order times the conditioning.
    np.testing.assert_allclose(surrogate.predict(codes, np.asarray), truth, atol=1e-3)


def test_predicting_again_gives_what_predicting_gives_after_every_observation() -> None:
    space = cells()
    codes = codes_of(space, drawn(space, 50))
    archive = SearchArchive(space)
    surrogate = RidgeSurrogate(archive, penalty=1.0)
    for step, architecture in enumerate(drawn(space, 12, seed=2)):
        archive.add(evaluated(architecture, math.cos(step)))
        # Single against double precision.
        np.testing.assert_allclose(
            surrogate.predict_again(codes, ranks), surrogate.predict(codes, ranks), atol=1e-5
        )


def test_parities_are_the_bits_and_then_the_products_of_pairs() -> None:
    bits = np.array([[1.0, -1.0, -1.0]])
    assert parities(bits, [(0, 1), (1, 2)]).tolist() == [[1, -1, -1, -1, 1]]
    assert parities(bits, []).tolist() == [[1, -1, -1]]


def test_inactive_choices_agree_with_nothing() -> None:
    space = hybrids()
    codes = codes_of(space, drawn(space, 20))
    assert (codes < 0).any()
    assert np.array_equal(np.diag(matches(codes, codes)), (codes >= 0).sum(axis=1))


def test_ranks_are_shares_and_ties_count_half() -> None:
    assert ranks(np.array([5.0, 1.0, 5.0])).tolist() == [0.75, 0.0, 0.75]
    assert ranks(np.array([3.0])).tolist() == [0.0]


def test_what_failed_counts_as_the_worst_seen() -> None:
    told = [evaluated((0,), 0.5), evaluated((1,), None), evaluated((2,), 0.2)]
    assert filled(told).tolist() == [0.5, 0.2, 0.2]
    assert filled([evaluated((0,), None)]).tolist() == [0.0]


def test_the_highest_values_come_best_first_and_ties_in_order() -> None:
    values = np.array([1.0, 3.0, 2.0, 3.0, 2.0, 2.0])
    assert highest(values, 3) == [1, 3, 2]
    assert highest(values, 10) == [1, 3, 2, 4, 5, 0]


def test_a_large_space_is_drawn_from_and_not_listed() -> None:
    space = hybrids()
    architectures, codes, is_whole = candidates(space, random.Random(0), 30)
    assert not is_whole
    assert len(architectures) == len(codes) == 30
    assert all(space.legal(one) for one in architectures)


def test_tallies_count_an_option_wherever_it_is_taken_and_skip_what_is_inactive() -> None:
    assert tallies(cells(), codes_of(cells(), [(3, 3, 0, 4, 3, 1)])).tolist() == [[1, 1, 0, 3, 1]]
    space = hybrids()
    codes = codes_of(space, drawn(space, 20))
    assert np.array_equal(tallies(space, codes).sum(axis=1), (codes >= 0).sum(axis=1))


def test_closeness_spreads_the_best_and_knows_no_unit() -> None:
    values = np.array([0.1, 0.5, 0.7, 0.71, 0.72])
    close = closeness(values, 0.05)
    assert (np.diff(close) > 0).all()
    assert close[4] - close[3] > close[1] - close[0]
    np.testing.assert_allclose(closeness(values * 40 - 3, 0.05), close, atol=1e-9)  # rounding of the gaps


@pytest.mark.parametrize("values", [[0.3], [0.3, 0.3, 0.3], [0.3, 0.3, 0.1]])
def test_closeness_is_finite_where_scores_tie(values: list[float]) -> None:
    assert np.isfinite(closeness(np.array(values), 0.05)).all()


def pairwise(architecture: Architecture) -> float:
    """A function of degree 2 with its maximum, 15, where every gene is 4 less the gene before."""
    return 15.0 - sum(abs(one + two - 4) for one, two in neighbouring(architecture))


@pytest.mark.parametrize("name", ["ridge", "surrogate_local_search"])
def test_a_pairwise_model_finds_the_maximum_of_a_pairwise_function(name: str) -> None:
    found = [searched(name, cells(), pairwise, seed=seed).best for seed in range(5)]
    assert [one.score for one in found if one] == [15.0] * 5


def test_the_sparse_fit_keeps_the_options_that_a_function_of_two_terms_rewards() -> None:
    def score(architecture: Architecture) -> float:
        return (architecture[0] == 2) + (architecture[1] == 3) * (architecture[4] == 1)

    history = searched("sparse_fourier", cells(), score, first=400, stage=10, budget=410).history
    after = [one.architecture for one in history[400:]]
    assert {(one[0], one[1], one[4]) for one in after} == {(2, 3, 1)}


def test_the_first_proposals_are_the_default_and_its_neighbours() -> None:
    space = hybrids()
    first = [
        one.architecture for one in searched("surrogate_local_search", space, pairwise, budget=4).history
    ]
    assert first[0] == space.default()
    assert set(first[1:]) <= set(space.neighbours(space.default()))


def test_it_keeps_to_its_limit() -> None:
    space = cells()
    limit = Limit(cost="parameters", value=space.parameters((3, 1, 1, 1, 1, 3)))
    history = searched("surrogate_local_search", space, pairwise, limit=limit).history
    # The default and those of its neighbours that start the search have nothing smaller to stand for them.
    assert not any(one.over_limit for one in history[-50:])


@pytest.mark.slow
@pytest.mark.parametrize(("column", "theirs"), [("c10", 94.25), ("c100", 73.47), ("in16", 46.35)])
def test_ridge_agrees_with_an_independent_one_on_a_published_table(column: str, theirs: float) -> None:
    rows = published.cells()

    def tested(seed: int) -> float:
        best = searched("ridge", cells(), lambda one: float(rows[one][f"{column}_val"]), seed=seed).best
        return float(rows[best.architecture][f"{column}_test"])

    ours = [tested(seed) for seed in range(100)]
    # Both means vary; theirs is of 200 seeds and of a like spread.
    error = stdev(ours) * math.sqrt(1 / 100 + 1 / 200)
    assert mean(ours) == pytest.approx(theirs, abs=max(3 * error, 0.1))
