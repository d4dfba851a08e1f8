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


def union(sums: Sequence[GroupSums]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns all groups and all classes of several models, sorted."""
    groups = np.unique(np.concatenate([one.groups for one in sums]))
    return groups, np.unique(np.concatenate([one.classes for one in sums]))


def laid_out(
    sums: Sequence[GroupSums], groups: NDArray[np.int64], classes: NDArray[np.int64]
) -> tuple[Array, Array]:
    """Returns numerators and denominators over these groups and classes, shape (models, groups, classes).

    Denominators that are the same whole numbers for all models, as of the same samples, are stored once.
    """
    numerators = np.zeros((len(sums), len(groups), len(classes)))
    places = [
        np.ix_(np.searchsorted(groups, one.groups), np.searchsorted(classes, one.classes)) for one in sums
    ]
    for index, (one, place) in enumerate(zip(sums, places, strict=True)):
        numerators[index][place] = one.numerators
    first = sums[0].denominators
    is_shared = bool((first == np.rint(first)).all()) and all(
        np.array_equal(getattr(one, name), getattr(sums[0], name))
        for one in sums
        for name in ("groups", "classes", "denominators")
    )
    denominators = np.zeros((1 if is_shared else len(sums), *numerators.shape[1:]))
    for index in range(len(denominators)):
        denominators[index][places[index]] = sums[index].denominators
    return numerators, np.broadcast_to(denominators, numerators.shape)


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
