"""Two rows at equal in-domain score: what is left of a difference beside the line of the reference.

Rows that fit their sources better may hold up better, or worse, for that alone. Trainings of the reference of
several lengths show what its held-out score is at an in-domain score; a row is compared with that.

Source: Taori et al. 2020 ("Measuring Robustness to Natural Distribution Shifts", effective robustness);
Miller et al. 2021 ("Accuracy on the Line": shares on the probit scale).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.stats.effect import Effect, SeedSums, Term, by_groups, squared_error, together
from harness.stats.sums import Array

LEAST_POINTS = 8
"""Trainings that a line takes."""
LEAST_FIT = 0.5
"""Share of the variance of held-out scores that the line explains, at least."""
MOST_OUTSIDE = 0.1
"""Share of a row's trainings beyond the in-domain scores of the line above which nothing is decided."""
END = 1e-3
"""Distance that a share keeps from 0 and 1 on the probit scale."""


class Sides(NamedTuple):
    """What one row scored on its sources and on held-out domains.

    Attributes:
        inside: an entry a source.
        outside: an entry a held-out domain.
        seeds: of each training, in the order of the sums; what the same seed trained depends on each other.
    """

    inside: Sequence[SeedSums]
    outside: Sequence[SeedSums]
    seeds: Sequence[int]

    @property
    def points(self) -> Array:
        """In-domain and held-out score of each seed, means over domains; shape (2, seeds)."""
        sides = (self.inside, self.outside)
        return np.array([np.mean([one.by_seed for one in side], axis=0) for side in sides])

    def without(self, seed: int | None) -> NDArray[np.bool_]:
        """Returns which trainings are of other seeds, shape (seeds,)."""
        return np.array([one != seed for one in self.seeds])


@dataclass(frozen=True, kw_only=True)
class Line:
    """Held-out score as a function of in-domain score, by least squares.

    Attributes:
        intercept: on the scale of the fit.
        slope: likewise.
        fit: share of the variance of held-out scores that it explains, on that scale.
        points: trainings.
        low: least in-domain score among them.
        high: greatest one.
        is_proportion: whether scores are shares, which are fitted on the probit scale.
    """

    intercept: float
    slope: float
    fit: float
    points: int
    low: float
    high: float
    is_proportion: bool

    def at(self, inside: Array) -> Array:
        """Returns the held-out score that the reference has at these in-domain scores."""
        from scipy.special import ndtr

        found = self.intercept + self.slope * _scaled(inside, self.is_proportion)
        return np.asarray(ndtr(found) if self.is_proportion else found, dtype=np.float64)

    def slope_at(self, inside: float) -> float:
        """Returns by how much the held-out score changes with the in-domain score, there."""
        step = 1e-4
        high, low = self.at(np.array([inside + step, inside - step]))
        return float(high - low) / (2 * step)

    @property
    def lacks(self) -> str:
        """Why nothing is compared beside it; empty where it holds."""
        if self.points < LEAST_POINTS:
            return f"the reference has {self.points} trainings of the {LEAST_POINTS} that a line takes"
        if self.fit < LEAST_FIT:
            return (
                "in-domain scores of the reference do not tell its held-out ones: a line explains "
                f"{100 * max(0.0, self.fit):.0f} % of their variance, and {100 * LEAST_FIT:.0f} % is needed"
            )
        return ""


def line(points: Array, *, is_proportion: bool) -> Line:
    """Returns the line through trainings of the reference.

    Args:
        points: in-domain and held-out scores, shape (2, trainings).
        is_proportion: whether they are shares.

    Raises:
        ValueError: there is no training.
    """
    inside, outside = (_scaled(one, is_proportion) for one in points)
    spread = inside - inside.mean()
    squares = float(np.sum(spread**2))
    slope = float(np.sum(spread * outside)) / squares if squares else 0.0
    intercept = float(outside.mean() - slope * inside.mean())
    total = float(np.sum((outside - outside.mean()) ** 2))
    rest = float(np.sum((outside - intercept - slope * inside) ** 2))
    return Line(
        intercept=intercept,
        slope=slope,
        fit=1 - rest / total if total else 0.0,
        points=inside.size,
        low=float(points[0].min()),
        high=float(points[0].max()),
        is_proportion=is_proportion,
    )


class Adjusted(NamedTuple):
    """A row less the reference at equal in-domain score, and the share of its trainings beyond the line."""

    effect: Effect
    beyond: float


def at_equal_score(first: Sides, second: Sides, curve: Sequence[Sides], *, is_proportion: bool) -> Adjusted:
    """Returns what is left of a row's difference to the reference beside the line of the reference.

    Args:
        first: the row.
        second: the reference.
        curve: its trainings of other lengths, under its seeds, some of them, or others.
        is_proportion: whether scores are shares.

    The estimate is the row's mean residual less that of the reference. Its variance of seeds is the jackknife
    over seeds of the whole estimate, line included; a seed is left out of everything that it trained. Rows
    of the same seeds are paired; the seeds of others are independent, and the row's have a jackknife of their
    own. Groups of held-out domains and of sources count as in `effect`, sources by the slope of the line at
    the row.

    Raises:
        ValueError: the reference has one seed, so that nothing is left of it without that.
    """
    if len(set(second.seeds)) < 2:
        raise ValueError("A line whose reference has one seed says nothing of how seeds differ.")
    rows = [one.points for one in (first, second)]
    trained = [(one, one.points) for one in (second, *curve)]
    is_paired = list(first.seeds) == list(second.seeds)

    def fit(out: int | None) -> tuple[Line, Array, Array]:
        """Returns the line without a seed, and the residuals of all seeds of the two rows beside it."""
        kept = [points[:, one.without(out)] for one, points in trained]
        fitted = line(np.concatenate(kept, axis=1), is_proportion=is_proportion)
        mine, other = (outside - fitted.at(inside) for inside, outside in rows)
        return fitted, mine, other

    fitted, mine, other = fit(None)
    value = float(mine.mean() - other.mean())
    without = []
    for out in dict.fromkeys(seed for one, _ in trained for seed in one.seeds):
        _, left, right = fit(out)
        left = left[first.without(out)] if is_paired else left
        without.append(float(left.mean() - right[second.without(out)].mean()))
    terms = [_jackknife(without)]
    if not is_paired:
        terms.append(_jackknife([np.delete(mine, seed).mean() for seed in range(mine.size)]))
    slopes = [fitted.slope_at(float(inside.mean())) for inside, _ in rows]
    parts = [
        [
            (sign * weight / len(side), domain)
            for weight, side in ((-slope, row.inside), (1.0, row.outside))
            for domain in side
        ]
        for sign, slope, row in zip((1.0, -1.0), slopes, (first, second), strict=True)
    ]
    grouped = by_groups(parts, is_paired=is_paired)
    total, freedom = squared_error(together(terms), grouped)
    inside = rows[0][0]
    found = Effect(
        value=value,
        error=float(np.sqrt(total)),
        freedom=freedom,
        by_seed=tuple(map(float, mine - other)) if is_paired else (),
        seeds=min(mine.size, other.size),
        groups=min(domain.groups for row in (first, second) for domain in row.outside),
        is_tie=not total and value == 0.0,
    )
    return Adjusted(found, float(np.mean((inside < fitted.low) | (inside > fitted.high))))


def _scaled(scores: Array, is_proportion: bool) -> Array:
    from scipy.special import ndtri

    if not is_proportion:
        return np.asarray(scores, dtype=np.float64)
    return np.asarray(ndtri(np.clip(scores, END, 1 - END)), dtype=np.float64)


def _jackknife(without: Sequence[float]) -> Term:
    """Returns the variance of an estimate from its values without one seed each; none of a single seed."""
    values, count = np.array(without), len(without)
    if count < 2:
        return Term(0.0, np.inf)
    variance = (count - 1) / count * float(np.sum((values - values.mean()) ** 2))
    return Term(0.0 if variance < 1e-24 else variance, count - 1.0)
