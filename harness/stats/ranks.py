"""Ranks, and how far the intervals of the scores allow them to move."""

from collections.abc import Sequence
from typing import NamedTuple

from harness.stats.intervals import Interval


class RankInterval(NamedTuple):
    """The best and the worst rank that the intervals allow."""

    best: int
    worst: int


def ranks(scores: Sequence[float]) -> list[int]:
    """Returns the rank of each score, 1 for the highest; equal scores share the better rank."""
    return [1 + sum(other > score for other in scores) for score in scores]


def rank_intervals(intervals: Sequence[Interval]) -> list[RankInterval]:
    """Returns the rank interval of each method from the intervals of their scores, higher being better."""
    count = len(intervals)
    return [
        RankInterval(
            1 + sum(other.low > mine.high for other in intervals),
            count - sum(other.high < mine.low for other in intervals),
        )
        for mine in intervals
    ]
