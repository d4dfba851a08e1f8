"""Which architectures make up a pool."""

import random
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.seeds import generator, stream
from harness.space.choices import SearchSpace

MISSES = 1000
"""Draws in a row that give nothing new, after which a space is taken to have no more."""
SWEEPS = 20
"""Rounds in which each row of a balanced design may be exchanged."""


def drawn(space: SearchSpace, count: int, name: str) -> list[dict[str, Any]]:
    """Returns so many different architectures at random, the default first, in their JSON form.

    Raises:
        HarnessError: the space has not so many that keep to its size.
    """
    draw = random.Random(stream(0, "diversity", name))
    found = {space.default(): None}
    missed = 0
    while len(found) < count and missed < MISSES:
        before = len(found)
        found.setdefault(space.sample(draw))
        missed = 0 if len(found) > before else missed + 1
    if len(found) >= count:
        return [space.to_json(one) for one in found]
    raise HarnessError(
        f"{space.name} gives {len(found)} different architectures of about the size of its default, and arm "
        f"{name!r} wants {count}; ask for fewer, or raise parameter_tolerance."
    )


def balanced(space: SearchSpace, count: int, key: str, families: Sequence[str]) -> list[dict[str, Any]]:
    """Returns architectures of the default's shape whose families are balanced, in their JSON form.

    Args:
        space: whose default has the shape.
        count: how many, at least as many as families.
        key: of the JSON form, that lists the family of each layer.
        families: that a layer may have.
    """
    shape = space.to_json(space.default())
    rows = balanced_rows(len(families), len(shape[key]), count)
    return [{**shape, key: [families[place] for place in row]} for row in rows.tolist()]


def pure(space: SearchSpace, count: int, key: str, families: Sequence[str]) -> list[dict[str, Any]]:
    """Returns an architecture of the default's shape for each of the first families; see `balanced`."""
    shape = space.to_json(space.default())
    return [{**shape, key: [family] * len(shape[key])} for family in families[:count]]


def balanced_rows(families: int, layers: int, count: int) -> NDArray[np.int64]:
    """Returns the family of each layer of so many networks, shape (count, layers), sorted.

    Of networks with 1, 2, ... different families there are about as many each, and of one family all that
    there are at most. Inside each of these, every family stands about as often in every place: rows are
    exchanged, one at a time, while that lowers the squared distance from equal counts, over all networks and
    over those of each number of families. So the number of families is hardly correlated with any family.

    Raises:
        HarnessError: there are not so many.
    """
    every = np.array(list(product(range(families), repeat=layers)))
    kinds = np.array([len(set(row)) for row in every.tolist()])
    shares = _shares({kind: int((kinds == kind).sum()) for kind in np.unique(kinds).tolist()}, count)
    draw = generator(0, "diversity", "balanced", str(families), str(layers), str(count))
    marks = np.eye(families)[every]  # (all, layers, families)
    chosen = {kind: draw.permutation(np.flatnonzero(kinds == kind))[:share] for kind, share in shares.items()}
    for _ in range(SWEEPS):
        before = {kind: rows.copy() for kind, rows in chosen.items()}
        for kind, rows in chosen.items():
            pool = np.flatnonzero(kinds == kind)
            for place in range(len(rows)):
                rest = np.delete(rows, place)
                others = sum(marks[one].sum(axis=0) for name, one in chosen.items() if name != kind)
                free = np.setdiff1d(pool, rest)
                own = marks[rest].sum(axis=0) + marks[free]
                rows[place] = free[np.argmin(_unevenness(own) + _unevenness(own + others))]
        if all((before[kind] == rows).all() for kind, rows in chosen.items()):
            break
    return np.asarray(every[np.sort(np.concatenate(list(chosen.values())))])


def _unevenness(counts: NDArray[Any]) -> NDArray[Any]:
    """Returns the squared distance from equal counts of families in every place, and over all of them."""
    by_place = ((counts - counts.mean(axis=-1, keepdims=True)) ** 2).sum(axis=(-1, -2))
    whole = counts.sum(axis=-2)
    return np.asarray(by_place + ((whole - whole.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1))


def _shares(there: Mapping[int, int], count: int) -> dict[int, int]:
    """Returns how many networks have each number of families; what one cannot have, the others share."""
    if count > sum(there.values()):
        raise HarnessError(f"There are {sum(there.values())} such networks, and {count} are wanted.")
    found: dict[int, int] = {}
    left = count
    for place, (kind, most) in enumerate(sorted(there.items(), key=lambda one: one[1])):
        found[kind] = min(most, -(-left // (len(there) - place)) if left else 0)
        left -= found[kind]
    return dict(sorted(found.items()))
