"""Fronts of score and cost. Truth: the definition over all pairs, a staircase by hand, a count of darts."""

import numpy as np
import pytest

from harness.stats.fronts import front, hypervolume


def test_a_front_holds_what_no_other_point_dominates() -> None:
    draw = np.random.default_rng(0)
    costs, scores = draw.integers(0, 12, (2, 200)).astype(float)
    points = set(zip(costs, scores, strict=True))
    expected = {
        (cost, score)
        for cost, score in points
        if not any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in points)
    }
    found = front(costs, scores)
    assert {(costs[index], scores[index]) for index in found} == expected
    assert len(found) == len(expected)
    assert list(costs[found]) == sorted(costs[found])


def test_the_hypervolume_of_a_staircase_is_its_area() -> None:
    assert hypervolume([1, 2, 4], [1, 3, 4], cost=5, score=0) == 1 * 1 + 2 * 3 + 1 * 4
    assert hypervolume([1, 2, 2], [1, 3, 2], cost=5, score=0) == 1 * 1 + 3 * 3, (
        "a dominated point adds nothing"
    )
    assert hypervolume([6, 1], [9, -1], cost=5, score=0) == 0, "beyond the reference"
    assert hypervolume([], [], cost=1, score=0) == 0


def test_the_hypervolume_is_the_share_of_darts_that_are_dominated() -> None:
    draw = np.random.default_rng(1)
    costs, scores = draw.random((2, 12))
    darts = draw.random((2, 200_000))
    dominated = ((costs[:, None] <= darts[0]) & (scores[:, None] >= darts[1])).any(axis=0)
    assert hypervolume(costs, scores, cost=1, score=0) == pytest.approx(dominated.mean(), abs=0.004)
