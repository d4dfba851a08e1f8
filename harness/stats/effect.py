"""The effect of one row against another: estimate, interval, detectable effect, equivalence and decision.

One code for boards, verdicts and comparisons, so that they cannot contradict each other. Uncertainty comes
from training seeds and from groups of samples; the domains are fixed ("on these domains").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.stats.intervals import Interval, wilson
from harness.stats.sums import Array, grouped_ratio

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
        clusters: sorted identities of the groups, shape (groups,); one that stands in two domains is one
            cluster.
        numerators: sums, shape (seeds, groups, classes).
        denominators: sums, shape (seeds, groups, classes).
        is_seedless: whether no seed changes the row, so that its one "seed" holds for every one.
    """

    clusters: NDArray[np.int64]
    numerators: Array
    denominators: Array
    is_seedless: bool = False

    def of_seeds(self, chosen: Sequence[int]) -> "SeedSums":
        """Returns the sums of some of the seeds."""
        wanted = list(chosen)
        return SeedSums(
            clusters=self.clusters,
            numerators=self.numerators[wanted],
            denominators=self.denominators[wanted],
        )

    @cached_property
    def by_seed(self) -> Array:
        """The score of each seed, shape (seeds,): the mean over classes of numerator / denominator."""
        return grouped_ratio(self.numerators.sum(axis=1), self.denominators.sum(axis=1))

    @cached_property
    def weights(self) -> Array:
        """Each group's share of the domain, shape (groups,)."""
        sizes = self.denominators.sum(axis=2).mean(axis=0)
        return np.asarray(sizes / max(float(sizes.sum()), 1e-300))

    @cached_property
    def influence(self) -> Array:
        """What each group adds to a seed's score, divided by one less its share; shape (seeds, groups).

        Ratios are linearised: a group adds numerator - ratio * denominator. It is NaN for a group that is the
        whole domain, as nothing is known then of how groups differ.
        """
        totals = self.denominators.sum(axis=1, keepdims=True)
        present = totals > 0
        safe = np.where(present, totals, 1.0)
        ratios = self.numerators.sum(axis=1, keepdims=True) / safe
        parts = np.where(present, (self.numerators - ratios * self.denominators) / safe, 0.0)
        own = parts.sum(axis=2) / np.maximum(1, present.sum(axis=2))
        rest = np.broadcast_to(1 - self.weights, own.shape)
        return np.asarray(np.divide(own, rest, out=np.full(own.shape, np.nan), where=rest > 1e-9))

    @property
    def groups(self) -> float:
        """Effective number of groups, (sum w)^2 / sum w^2 for shares w of the domain; 0 of an empty one."""
        squares = float(np.sum(self.weights**2))
        return round(1 / squares, 6) if squares else 0.0


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The mean over domains of a first row less that of a second.

    Attributes:
        value: the estimate.
        error: its standard error; 0 where nothing varies.
        freedom: degrees of freedom of its t quantiles; infinite where nothing varies.
        by_seed: the effect in each seed, shape (seeds,); empty where the rows' seeds are not paired.
        seeds: the smaller number of seeds of the two rows; None where no seed changes either.
        groups: effective number of groups of the domain that has fewest; None where no samples were drawn, as
            in a table that holds all of them.
        is_tie: whether the two rows are alike on every group of every seed: then there is no p.
        flips: what an effect of 1 would add to the squared error, as it makes samples differ on which the
            rows were alike; 0 where scores are no shares of samples.
    """

    value: float
    error: float
    freedom: float
    by_seed: tuple[float, ...]
    seeds: int | None
    groups: float | None
    is_tie: bool = False
    flips: float = 0.0

    @property
    def interval(self) -> Interval:
        """The 95 % interval; of one seed, it speaks of these trained networks and not of the method."""
        half = self._quantile(1 - LEVEL / 2) * self.error
        return Interval(self.value - half, self.value + half)

    def within(self, least: float, most: float) -> Interval:
        """Returns the interval, which ends at what the value can be."""
        low, high = self.interval
        return Interval(max(low, least), min(high, most))

    @property
    def is_judged(self) -> bool:
        """Whether there are seeds and groups enough for a verdict."""
        enough_seeds = self.seeds is None or self.seeds >= LEAST_SEEDS
        return enough_seeds and (self.groups is None or self.groups >= LEAST_GROUPS)

    @property
    def is_found(self) -> bool:
        """Whether the interval is beyond 0, of however few seeds and groups."""
        low, high = self.interval
        return low > 0 or high < 0

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
        from scipy.special import stdtr

        if self.is_tie:
            return None
        if self.error == 0.0:
            return 0.0 if self.value else 1.0
        return float(2 * stdtr(self.freedom, -abs(self.value) / self.error))

    @property
    def detectable(self) -> float:
        """The true effect that the decision finds four times in five.

        An estimated error is below the true one more often than above; the median of its distribution is put
        right, so that as many runs state too much as too little. Of shares of samples, an effect d is at
        least a share d of samples that differ, whose variance d * `flips` is counted: d solves
        d^2 = q^2 (error^2 + d flips) for the sum q of both quantiles.
        """
        from scipy.special import gammaincinv

        middle = 1.0 if np.isinf(self.freedom) else 2 * gammaincinv(self.freedom / 2, 0.5) / self.freedom
        median = float(np.sqrt(middle))
        both = (self._quantile(1 - LEVEL / 2) + self._quantile(POWER)) / median
        half = both**2 * self.flips / 2
        return float(half + np.sqrt(half**2 + (both * self.error) ** 2))

    def equivalence(self, margin: float) -> float:
        """Returns the p-value of "the effect is beyond the margin", by two one-sided tests (Schuirmann 1987).

        Args:
            margin: largest effect that does not matter, above 0.
        """
        from scipy.special import stdtr

        reach = margin - abs(self.value)
        if self.error == 0.0:
            return 0.0 if reach > 0 else 1.0
        return float(stdtr(self.freedom, -reach / self.error))

    def _quantile(self, share: float) -> float:
        from scipy.special import stdtrit  # scipy.stats takes a second to import, and as long for 1,000 calls

        return float(stdtrit(self.freedom, share))


def effect(
    first: Sequence[SeedSums],
    second: Sequence[SeedSums] = (),
    *,
    is_paired: bool = True,
    is_proportion: bool = False,
) -> Effect:
    """Returns the effect of the first row against the second, or the first row's own mean without one.

    Args:
        first: sums of the first row, one entry a domain, all with the same seeds.
        second: sums of the second row, likewise, mostly on the same domains.
        is_paired: whether seed s of both rows saw the same data in the same order. A matter of the design,
            never of the result.
        is_proportion: whether scores are shares of samples. Where no seed and no group differs, no spread
            says what more samples would show; Wilson's interval of none among so many groups does.

    Raises:
        ValueError: there is no domain, or paired rows differ in seeds.

    The squared error is a variance of seeds V_S and one of groups V_G, less what both hold, V_SG; it is at
    least V_SG. V_S is the variance of the seeds' effects over their number, for rows that are not paired one
    term a row; one seed alone has none. V_G is the jackknife over clusters of their influence; it has
    (sum w^2)^2 / sum w^4 - 1 degrees of freedom for shares w of the clusters, G - 1 where all are alike. V_SG
    is the variance over seeds of each cluster's influence, over their number, summed over clusters. The
    freedom f is the least that V_S and V_G allow, 1 / f = (V_S / f_S + V_G / f_G) / error^2. Satterthwaite's
    weighs by squares; with four degrees for seeds and hundreds for groups it makes more false verdicts in
    `benchmarks/verdicts.py`, where V_SG counted twice makes too few.

    Source: Cameron, Gelbach and Miller 2011, equation 2.12 (two-way clustered variances); Bell and McCaffrey
    2002 (few clusters); Cochran and Cox 1957, section 4.14 (a conservative freedom).
    """
    if not first:
        raise ValueError("A row without a domain has no effect.")
    rows = [row for row in (first, second) if row]
    means = [np.mean([domain.by_seed for domain in row], axis=0) for row in rows]
    varying = [mean for mean, row in zip(means, rows, strict=True) if not row[0].is_seedless]
    counts = [mean.size for mean in varying]
    is_paired = is_paired or len(varying) < len(rows)  # what has no seed pairs with every one
    if is_paired and len(set(counts)) > 1:
        raise ValueError(f"Rows with {counts[0]} and {counts[1]} seeds are not paired.")
    less = means[0] - (means[1] if second else 0.0) if is_paired or not counts else None
    seeds = together([_variance_of_mean(values) for values in (varying if less is None else [less])])
    signs = [1.0, -1.0][: len(rows)]
    parts = [[(sign / len(row), domain) for domain in row] for sign, row in zip(signs, rows, strict=True)]
    grouped = by_groups(parts, is_paired=is_paired)
    total, freedom = squared_error(seeds, grouped)
    value = float(means[0].mean() - (means[1].mean() if second else 0.0))
    error = float(np.sqrt(total))
    if not total and is_proportion:
        error = wilson(0, max(1, round(grouped.clusters))).high / 1.96
    return Effect(
        value=value,
        error=error,
        freedom=freedom,
        by_seed=() if less is None else tuple(map(float, less)),
        seeds=min(counts, default=None),
        groups=min(domain.groups for row in rows for domain in row),
        is_tie=bool(second) and not total and value == 0.0,
        flips=_flips(first) if is_proportion and second else 0.0,
    )


def _flips(row: Sequence[SeedSums]) -> float:
    """Returns the squared error of a row whose samples all differ from seed to seed, each by 1 or by 0."""
    domains = []
    for domain in row:
        samples = domain.denominators.sum(axis=(0, 1))
        samples = samples[samples > 0]
        domains.append(float(np.mean(1 / samples)) / samples.size if samples.size else 0.0)
    return sum(domains) / len(domains) ** 2


def seed_effect(first: ArrayLike, second: ArrayLike) -> Effect:
    """Returns the mean of `first` minus that of `second`, values of independent seeds without samples.

    Args:
        first: shape (seeds,).
        second: shape (other seeds,).

    Source: Welch 1947.
    """
    mine, other = (np.asarray(values, dtype=np.float64) for values in (first, second))
    value = float(mine.mean() - other.mean())
    seeds = together([_variance_of_mean(mine), _variance_of_mean(other)])
    return Effect(
        value=value,
        error=float(np.sqrt(seeds.variance)),
        freedom=seeds.freedom,
        by_seed=(),
        seeds=min(mine.size, other.size),
        groups=None,
        is_tie=not seeds.variance and abs(value) < 1e-12,
    )


class Term(NamedTuple):
    """A part of the squared error, and its degrees of freedom."""

    variance: float
    freedom: float


def together(terms: Sequence[Term]) -> Term:
    """Returns the variance of a sum of independent means, and Welch's freedom."""
    total = float(sum(term.variance for term in terms))
    lost = sum(term.variance**2 / term.freedom for term in terms)
    return Term(total, total**2 / lost if lost else np.inf)


class Grouped(NamedTuple):
    """What comes from groups of samples.

    Attributes:
        term: their variance, over all seeds.
        shared: the part of it that differs from seed to seed.
        clusters: effective number of groups.
    """

    term: Term
    shared: float
    clusters: float


def squared_error(seeds: Term, groups: Grouped) -> Term:
    """Returns what comes from seeds and from groups; see `effect`."""
    total = max(groups.shared, seeds.variance + groups.term.variance - groups.shared)
    lost = seeds.variance / seeds.freedom + groups.term.variance / groups.term.freedom
    return Term(total, total / lost if lost else np.inf)


def _variance_of_mean(values: Array) -> Term:
    """Returns the variance of the mean of independent values; none is known of a single one."""
    if values.size < 2:
        return Term(0.0, np.inf)
    return Term(_rounded(float(values.var(ddof=1)) / values.size), values.size - 1.0)


def by_groups(rows: Sequence[Sequence[tuple[float, SeedSums]]], *, is_paired: bool) -> Grouped:
    """Returns the delete-one jackknife over clusters of a weighted sum of scores on domains.

    Args:
        rows: weights and sums, an entry a domain.
        is_paired: whether seed s of all rows is one; else those of one row are not those of another.
    """
    rows = [list(chain.from_iterable(rows))] if is_paired else rows
    domains = [domain for row in rows for _, domain in row]
    names, place = np.unique(np.concatenate([one.clusters for one in domains]), return_inverse=True)
    places = iter(np.split(place, np.cumsum([len(one.clusters) for one in domains])[:-1]))
    sums, weights = np.zeros((2, len(names)))
    shared = 0.0
    for row in rows:
        by_seed = np.zeros((max(len(one.influence) for _, one in row), len(names)))
        for weight, one in row:
            where = next(places)
            by_seed[:, where] += weight * one.influence  # of one seed alone it is that of every one
            weights[where] += abs(weight) * one.weights
        sums += by_seed.mean(axis=0)
        shared += float(np.sum(by_seed.var(axis=0))) / max(1, len(by_seed) - 1)
    squares = float(np.sum(weights**2))
    effective = float(np.sum(weights) ** 2 / squares) if squares else 0.0
    if len(names) < 2 or not np.isfinite(sums).all():
        return Grouped(Term(0.0, np.inf), 0.0, effective)
    drawn = (len(names) - 1) / len(names)
    variance = drawn * float(np.sum(sums**2))
    freedom = squares**2 / float(np.sum(weights**4)) - 1  # of squares that vary as weights do
    term = Term(_rounded(variance), max(1.0, freedom))
    return Grouped(term, _rounded(drawn * shared), effective)


def _rounded(variance: float) -> float:
    """Returns 0 for what only rounds."""
    return 0.0 if variance < 1e-24 else variance
