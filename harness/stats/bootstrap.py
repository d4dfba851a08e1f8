"""The cluster bootstrap of grouped ratios: whole groups (documents, fonts, concepts) are drawn again.

Replicates are returned as arrays, so that the difference between two methods uses the same resamples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats.intervals import Interval

Array = NDArray[np.float64]

_CELLS = 4_000_000
"""Largest number of weights held at once."""


@dataclass(frozen=True, kw_only=True)
class GroupSums:
    """Per-sample scores of one model on one domain, added up.

    Attributes:
        groups: sorted identities of the groups, shape (groups,).
        classes: sorted identities of the classes, shape (classes,).
        numerators: sums, shape (groups, classes).
        denominators: sums, shape (groups, classes).
    """

    groups: NDArray[np.int64]
    classes: NDArray[np.int64]
    numerators: Array
    denominators: Array


def group_sums(
    groups: NDArray[np.int64],
    classes: NDArray[np.int64],
    *,
    numerators: Array,
    denominators: Array,
) -> GroupSums:
    """Returns the sums of samples by group and class; all arrays have shape (samples,)."""
    group_ids, group_index = np.unique(groups, return_inverse=True)
    class_ids, class_index = np.unique(classes, return_inverse=True)
    shape = (len(group_ids), len(class_ids))
    flat = group_index * shape[1] + class_index
    cells = shape[0] * shape[1]
    return GroupSums(
        groups=group_ids,
        classes=class_ids,
        numerators=_sums(flat, numerators, cells).reshape(shape),
        denominators=_sums(flat, denominators, cells).reshape(shape),
    )


def aligned(sums: Sequence[GroupSums]) -> tuple[Array, Array]:
    """Returns numerators and denominators over the union of groups and classes.

    Both have shape (models, groups, classes).
    """
    groups = np.unique(np.concatenate([one.groups for one in sums]))
    classes = np.unique(np.concatenate([one.classes for one in sums]))
    numerators = np.zeros((len(sums), len(groups), len(classes)))
    denominators = np.zeros_like(numerators)
    for index, one in enumerate(sums):
        place = np.ix_(np.searchsorted(groups, one.groups), np.searchsorted(classes, one.classes))
        numerators[index][place] = one.numerators
        denominators[index][place] = one.denominators
    return numerators, denominators


def grouped_ratio(numerators: Array, denominators: Array) -> Array:
    """Returns the mean over classes of numerator / denominator, shape (...,) for inputs (..., classes).

    Classes with denominator 0 do not count; the value is NaN where no class is left.
    """
    present = denominators > 0
    ratios = np.divide(numerators, denominators, out=np.zeros_like(numerators), where=present)
    count = present.sum(axis=-1)
    empty: Array = np.full(count.shape, np.nan)
    np.divide(ratios.sum(axis=-1), count, out=empty, where=count > 0)
    return empty


def group_shares(numerators: Array, denominators: Array) -> Array:
    """Returns what each group adds to the grouped ratio, shape (models, groups); their sum is the ratio.

    Both arguments have shape (models, groups, classes).
    """
    totals = denominators.sum(axis=1, keepdims=True)
    present = totals > 0
    parts = np.divide(numerators, totals, out=np.zeros_like(numerators), where=present)
    return np.asarray(parts.sum(axis=-1) / np.maximum(1, present.sum(axis=-1)))


def bootstrap_ratios(
    numerators: Array, denominators: Array, *, generator: np.random.Generator, replicates: int
) -> Array:
    """Returns replicates of the grouped ratio of every model under the same resamples of the groups.

    Args:
        numerators: sums, shape (models, groups, classes).
        denominators: sums, shape (models, groups, classes).
        generator: where the resamples come from.
        replicates: how many.

    Returns:
        Ratios, shape (models, replicates).
    """
    models, groups, classes = numerators.shape
    table = np.concatenate([numerators, denominators]).transpose(1, 0, 2).reshape(groups, -1)
    parts = []
    step = max(1, _CELLS // groups)
    for start in range(0, replicates, step):
        weights = resample_weights(generator, min(step, replicates - start), groups)
        sums = (weights @ table).reshape(len(weights), 2, models, classes)
        parts.append(grouped_ratio(sums[:, 0], sums[:, 1]))
    return np.concatenate(parts).T


def bootstrap_stratified(
    scores: Array,
    statistic: Callable[[Array], Array],
    *,
    generator: np.random.Generator,
    replicates: int,
) -> Array:
    """Returns replicates of a statistic of runs that are drawn again within each domain.

    Args:
        scores: shape (runs, domains).
        statistic: takes scores, shape (replicates, runs, domains), and gives values, shape (replicates,).
        generator: where the resamples come from.
        replicates: how many.

    Returns:
        Values, shape (replicates,).

    Source: Agarwal et al. 2021 (arXiv 2108.13264), section 3.
    """
    runs, domains = scores.shape
    parts = []
    step = max(1, _CELLS // scores.size)
    for start in range(0, replicates, step):
        drawn = generator.integers(0, runs, size=(min(step, replicates - start), runs, domains))
        parts.append(statistic(scores[drawn, np.arange(domains)]))
    return np.concatenate(parts)


def resample_weights(generator: np.random.Generator, replicates: int, groups: int) -> Array:
    """Returns how often each group was drawn: multinomial counts, shape (replicates, groups)."""
    drawn = generator.integers(0, groups, size=(replicates, groups))
    drawn += np.arange(replicates)[:, None] * groups
    counts = np.bincount(drawn.ravel(), minlength=replicates * groups)
    return counts.reshape(replicates, groups).astype(np.float64)


def _sums(index: NDArray[np.int64], values: Array, size: int) -> Array:
    return np.asarray(np.bincount(index, weights=values, minlength=size), dtype=np.float64)


def percentile_interval(replicates: Array, *, level: float = 0.95) -> Interval:
    """Returns the percentile interval of replicates, shape (replicates,); NaN ones do not count."""
    low, high = np.nanquantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def two_sided_p(differences: Array) -> float:
    """Returns the bootstrap p-value of "the difference is 0", at least 2 / (replicates + 1)."""
    fewest = min(int(np.sum(differences <= 0)), int(np.sum(differences >= 0)))
    return min(1.0, 2 * (fewest + 1) / (len(differences) + 1))
