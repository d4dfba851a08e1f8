"""The effect of one row against another: estimate, interval, detectable effect, equivalence and decision.

One code for boards, verdicts and comparisons, so that they cannot contradict each other. Uncertainty comes
from training seeds and from groups of samples; the domains are fixed ("on these domains").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.stats.bootstrap import Array, grouped_ratio
from harness.stats.intervals import Interval

LEVEL = 0.05
"""Two-sided error rate of a decision."""
POWER = 0.8
"""How often a detectable effect is found."""
LEAST_SEEDS = 5
LEAST_GROUPS = 20

Call = Literal["higher", "lower", "same", "cannot tell", "no verdict"]
"""What is said of an effect; `no verdict` where there are too few seeds or groups to say anything."""


@dataclass(frozen=True, kw_only=True)
class SeedSums:
    """What one row scored on one domain, seed by seed.

    Attributes:
        clusters: identities of the groups, shape (groups,); one that stands in two domains is one cluster.
        numerators: sums, shape (seeds, groups, classes).
        denominators: sums, shape (seeds, groups, classes).
    """

    clusters: NDArray[np.int64]
    numerators: Array
    denominators: Array

    @property
    def by_seed(self) -> Array:
        """The score of each seed, shape (seeds,): the mean over classes of numerator / denominator."""
        return grouped_ratio(self.numerators.sum(axis=1), self.denominators.sum(axis=1))


@dataclass(frozen=True, kw_only=True)
class Effect:
    """First row minus second, averaged over domains.

    Attributes:
        value: the estimate.
        error: its standard error, 0 where the two rows are alike on every group and seed.
        freedom: degrees of freedom of its t quantiles; infinite where nothing varies.
        by_seed: the effect in each seed, shape (seeds,); empty where the rows' seeds are not paired.
        by_domain: the effect on each domain, shape (domains,).
        seeds: the smaller number of seeds of the two rows.
        groups: effective number of groups, (sum w)^2 / sum w^2, of the domain that has fewest.
        seed_share: share of the squared error that comes from seeds.
    """

    value: float
    error: float
    freedom: float
    by_seed: tuple[float, ...]
    by_domain: tuple[float, ...]
    seeds: int
    groups: float
    seed_share: float

    @property
    def is_tie(self) -> bool:
        """Whether the two rows are alike on every group of every seed: then there is no p."""
        return self.error == 0.0 and self.value == 0.0

    @property
    def interval(self) -> Interval:
        """The 95 % interval."""
        half = self._quantile(1 - LEVEL / 2) * self.error
        return Interval(self.value - half, self.value + half)

    @property
    def is_judged(self) -> bool:
        """Whether there are seeds and groups enough for a verdict."""
        return self.seeds >= LEAST_SEEDS and self.groups >= LEAST_GROUPS

    @property
    def call(self) -> Call:
        """The decision, which is the interval's: beyond 0 on one side, or not."""
        if not self.is_judged:
            return "no verdict"
        if self.is_tie:
            return "same"
        low, high = self.interval
        return "higher" if low > 0 else "lower" if high < 0 else "cannot tell"

    @property
    def p(self) -> float | None:
        """The two-sided p-value of no effect; None for a tie."""
        from scipy.stats import t

        if self.is_tie:
            return None
        if self.error == 0.0:
            return 0.0
        return float(2 * t.sf(abs(self.value) / self.error, self.freedom))

    @property
    def detectable(self) -> float:
        """The true effect that the decision finds four times in five.

        An estimated error is below the true one more often than above; the median of its distribution is put
        right, so that as many runs state too much as too little.
        """
        from scipy.stats import chi2

        median = 1.0 if np.isinf(self.freedom) else float(np.sqrt(chi2.ppf(0.5, self.freedom) / self.freedom))
        return (self._quantile(1 - LEVEL / 2) + self._quantile(POWER)) * self.error / median

    def equivalence(self, margin: float) -> float:
        """Returns the p-value of "the effect is beyond the margin", by two one-sided tests (Schuirmann 1987).

        Args:
            margin: largest effect that does not matter, above 0.
        """
        from scipy.stats import t

        reach = margin - abs(self.value)
        if self.error == 0.0:
            return 0.0 if reach > 0 else 1.0
        return float(t.sf(reach / self.error, self.freedom))

    def _quantile(self, share: float) -> float:
        from scipy.stats import t

        return float(t.ppf(share, self.freedom))


def effect(first: Sequence[SeedSums], second: Sequence[SeedSums], *, is_paired: bool = True) -> Effect:
    """Returns the effect of the first row against the second.

    Args:
        first: sums of the first row, one entry a domain, all with the same seeds.
        second: sums of the second row on the same domains.
        is_paired: whether seed s of both rows saw the same data in the same order. A matter of the design,
            never of the result.

    Raises:
        ValueError: there is no domain, the rows' domains differ in number, or paired rows differ in seeds.

    The squared error is a variance of seeds V_S and one of groups V_G; what seeds and groups share is counted
    in both, which pays for few seeds. V_S is the variance of the seeds' effects over their number, for rows
    that are not paired one term a row. V_G is the jackknife over clusters of their influence, seeds averaged;
    a group's influence is divided by one less its share of its domain. Freedom is Satterthwaite's, V_G having
    (sum w^2)^2 / sum w^4 - 1 for shares w of the clusters, which is G - 1 where all are alike.
    Ratios are linearised: a group adds numerator - ratio * denominator.

    Source: Cameron, Gelbach and Miller 2011 (sums of one-way clustered variances); Bell and McCaffrey 2002
    (few clusters); Satterthwaite 1946.
    """
    if not first or len(first) != len(second):
        raise ValueError(f"Rows with {len(first)} and {len(second)} domains cannot be compared.")
    scores = [np.array([domain.by_seed for domain in row]) for row in (first, second)]
    counts = [one.shape[1] for one in scores]
    if is_paired and counts[0] != counts[1]:
        raise ValueError(f"Rows with {counts[0]} and {counts[1]} seeds are not paired.")
    by_domain = scores[0].mean(axis=1) - scores[1].mean(axis=1)
    means = [one.mean(axis=0) for one in scores]
    shared = (means[0] - means[1],) if is_paired else ()
    terms = [_variance_of_mean(values) for values in (shared or means)]
    groups = _groups_term([_influences(*pair) for pair in zip(first, second, strict=True)])
    variances = [*(term.variance for term in terms), groups.variance]
    total = sum(variances)
    freedoms = [*(term.freedom for term in terms), groups.freedom]
    scale = sum(one**2 / freedom for one, freedom in zip(variances, freedoms, strict=True) if one)
    is_known = bool(np.isfinite(total))
    return Effect(
        value=float(by_domain.mean()),
        error=float(np.sqrt(total)),
        freedom=(float(total**2 / scale) if scale else np.inf) if is_known else 1.0,
        by_seed=tuple(map(float, shared[0])) if shared else (),
        by_domain=tuple(map(float, by_domain)),
        seeds=min(counts),
        groups=min(effective_groups(*pair) for pair in zip(first, second, strict=True)),
        seed_share=float(sum(term.variance for term in terms) / total) if total and is_known else 0.0,
    )


class _Term(NamedTuple):
    """A part of the squared error, and its degrees of freedom."""

    variance: float
    freedom: float


class _Influences(NamedTuple):
    """What each group of a domain adds to the effect there, and its share of the domain, shape (groups,)."""

    clusters: NDArray[np.int64]
    influence: Array
    weights: Array


def _variance_of_mean(values: Array) -> _Term:
    """Returns the variance of the mean of independent values; unknown, so infinite, for a single one."""
    if values.size < 2:
        return _Term(np.inf, 1.0)
    variance = float(values.var(ddof=1)) / values.size
    return _Term(0.0 if variance < 1e-24 else variance, values.size - 1.0)


def _influences(first: SeedSums, second: SeedSums) -> _Influences:
    names = np.union1d(first.clusters, second.clusters)
    influence, weights = np.zeros(len(names)), np.zeros(len(names))
    for sign, row in ((1.0, first), (-1.0, second)):
        place = np.searchsorted(names, row.clusters)
        influence[place] += sign * _linearised(row)
        weights[place] += _weights(row) / 2
    return _Influences(names, influence, weights)


def _linearised(row: SeedSums) -> Array:
    """Returns the influence of each group on the row's score, mean over seeds, shape (groups,)."""
    totals = row.denominators.sum(axis=1, keepdims=True)
    present = totals > 0
    safe = np.where(present, totals, 1.0)
    ratios = row.numerators.sum(axis=1, keepdims=True) / safe
    parts = np.where(present, (row.numerators - ratios * row.denominators) / safe, 0.0)
    return np.asarray((parts.sum(axis=2) / np.maximum(1, present.sum(axis=2))).mean(axis=0))


def _weights(row: SeedSums) -> Array:
    """Returns each group's share of the domain, shape (groups,)."""
    sizes = row.denominators.sum(axis=2).mean(axis=0)
    return np.asarray(sizes / max(float(sizes.sum()), 1e-300))


def effective_groups(*rows: SeedSums) -> float:
    """Returns the effective number of groups of one domain, (sum w)^2 / sum w^2, the least of the rows'."""
    found = [float(1 / np.sum(_weights(row) ** 2)) if row.denominators.any() else 0.0 for row in rows]
    return round(min(found), 6)


def _groups_term(domains: Sequence[_Influences]) -> _Term:
    """Returns the delete-one jackknife variance over clusters that may stand in several domains."""
    names, place = np.unique(np.concatenate([one.clusters for one in domains]), return_inverse=True)
    count = len(domains)
    lonely = any(one.weights.max() > 1 - 1e-9 for one in domains)
    if lonely or len(names) < 2:
        return _Term(np.inf, 1.0)
    parts = np.concatenate([one.influence / (1 - one.weights) for one in domains]) / count
    weights = np.bincount(place, weights=np.concatenate([one.weights for one in domains])) / count
    sums = np.bincount(place, weights=parts)
    variance = (len(names) - 1) / len(names) * float(np.sum(sums**2))
    effective = float(np.sum(weights**2) ** 2 / np.sum(weights**4))  # of squares that vary as weights do
    return _Term(0.0 if variance < 1e-24 else variance, max(1.0, effective - 1))
