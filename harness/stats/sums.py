"""Per-sample scores added up by group and class, and the ratio that they give."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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


def aligned(sums: Sequence[GroupSums]) -> tuple[NDArray[np.int64], Array, Array]:
    """Returns the union of groups, shape (groups,), and numerators and denominators over it.

    Both have shape (models, groups, classes), over the union of classes.
    """
    groups = np.unique(np.concatenate([one.groups for one in sums]))
    classes = np.unique(np.concatenate([one.classes for one in sums]))
    numerators = np.zeros((len(sums), len(groups), len(classes)))
    denominators = np.zeros_like(numerators)
    for index, one in enumerate(sums):
        place = np.ix_(np.searchsorted(groups, one.groups), np.searchsorted(classes, one.classes))
        numerators[index][place] = one.numerators
        denominators[index][place] = one.denominators
    return groups, numerators, denominators


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


def _sums(index: NDArray[np.int64], values: Array, size: int) -> Array:
    return np.asarray(np.bincount(index, weights=values, minlength=size), dtype=np.float64)
