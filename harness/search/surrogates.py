"""Surrogate models over architectures, and the candidates that a searcher has them predict.

The models know architectures by kernels only: what two architectures share is the number of active choices in
which they agree, and that number gives the pairwise one-hot kernel, the Hamming kernel and the distance at
once. So nothing here grows with the number of features, and a space of fifty choices costs what six do.
"""

import math
import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.search.archive import Evaluation, SearchArchive, listed
from harness.space.choices import SearchSpace
from harness.space.form import Architecture

Floats = NDArray[np.float64]
Codes = NDArray[np.int16]
Scale = Callable[[Floats], Floats]
"""From scores to what a model is fitted to, in the same order of good and bad."""


def codes_of(space: SearchSpace, architectures: Sequence[Architecture]) -> Codes:
    """Returns option indices, -1 where a choice is inactive, shape (architectures, choices)."""
    genes = np.asarray(architectures, dtype=np.int16).reshape(len(architectures), len(space.choices))
    used = np.asarray([space.active(one) for one in architectures], dtype=bool).reshape(genes.shape)
    return np.where(used, genes, np.int16(-1))


def parities(bits: Floats, pairs: Sequence[tuple[int, int]]) -> Floats:
    """Returns the Fourier basis of degree 1 and 2 over `bits` in {-1, 1}: the bits, then their `pairs`."""
    first, second = np.asarray(pairs, dtype=np.intp).reshape(-1, 2).T
    return np.concatenate([bits, bits[:, first] * bits[:, second]], axis=1)


def matches(first: Codes, second: Codes) -> NDArray[np.int64]:
    """Returns in how many active choices two architectures agree, shape (first, second)."""
    total = np.zeros((len(first), len(second)), dtype=np.int64)
    for index in range(first.shape[1]):
        column = np.where(second[:, index] < 0, np.int16(-2), second[:, index])
        total += first[:, index, None] == column[None, :]
    return total


def pairwise_kernel(agreeing: NDArray[np.int64]) -> Floats:
    """Returns the inner products of one-hot codes with all their pairwise products across choices.

    Two architectures that agree in m choices share m single columns and m (m - 1) / 2 pair columns.
    """
    counts = agreeing.astype(np.float64)
    return counts * (counts + 1) / 2


def tallies(space: SearchSpace, codes: Codes) -> Floats:
    """Returns how often each option is taken, choices with the same options counted together.

    Shape (architectures, options of distinct kinds). In a tally, what an operation does on one edge or in one
    layer says something about the others; one-hot columns know nothing of an option before it was seen there.
    """
    kinds: dict[tuple[object, ...], list[int]] = {}
    for index, choice in enumerate(space.choices):
        kinds.setdefault(choice.options, []).append(index)
    blocks = [
        (codes[:, places, None] == np.arange(len(options))).sum(axis=1) for options, places in kinds.items()
    ]
    return np.concatenate(blocks, axis=1).astype(np.float64)


def ridge(kernel: Floats, targets: Floats, penalty: float) -> tuple[Floats, float]:
    """Returns dual weights, shape (observations,), and the mean of the targets.

    The prediction is `cross_kernel @ weights + mean`: what resembles no observation is predicted average.
    The dual form needs no features, and it equals the primal one for any penalty above 0.

    Raises:
        ValueError: the penalty is not above 0.
    """
    if not penalty > 0:
        raise ValueError(f"The penalty must be above 0, not {penalty}.")
    mean = float(targets.mean())
    weights = np.linalg.solve(kernel + penalty * np.eye(len(targets)), targets - mean)
    return np.asarray(weights, dtype=np.float64), mean


def filled(evaluations: Sequence[Evaluation]) -> Floats:
    """Returns the fitness of each evaluation; what failed or is over the limit counts as the worst seen."""
    known = [one.fitness for one in evaluations if math.isfinite(one.fitness)]
    worst = min(known, default=0.0)
    return np.asarray([one.fitness if math.isfinite(one.fitness) else worst for one in evaluations])


def ranks(values: Floats) -> Floats:
    """Returns the share of the other values that are smaller, ties counting half, each in [0, 1].

    Accuracies have a long lower tail; in ranks a few broken networks do not decide the fit.
    """
    smaller = (values[None, :] < values[:, None]).sum(axis=1)
    equal = (values[None, :] == values[:, None]).sum(axis=1) - 1
    return np.asarray((smaller + equal / 2) / max(len(values) - 1, 1))


def closeness(values: Floats, softening: float) -> Floats:
    """Returns minus the log of the gap to the best, in medians of the gaps plus `softening`.

    It spreads the few best apart and presses the bad together, whatever the unit of the score.
    """
    gaps = values.max() - values
    # Where at least half tie with the best, their median gap is no unit.
    unit = np.median(gaps) or gaps.max() or 1.0
    return np.asarray(-np.log(gaps / unit + softening))


class RidgeSurrogate:
    """Pairwise ridge regression on an archive; cheap to extend by one evaluation and to refit.

    Attributes:
        archive: what it is fitted to.
        sharing: weight of the tallies' inner product beside the pairwise kernel; 0 for none.
    """

    def __init__(self, archive: SearchArchive, *, penalty: float, sharing: float = 0.0) -> None:
        self.archive = archive
        self.sharing = sharing
        self._penalty = penalty
        self._told = codes_of(archive.space, ())
        self._fixed: Codes | None = None
        self._cross = np.empty((0, 0), np.float32)
        self._filled = 0

    def predict(self, codes: Codes, scale: Scale) -> Floats:
        """Returns predictions on the given scale of the scores for architectures by their codes."""
        weights, mean = self._fit(scale)
        return np.asarray(self._kernel(codes, self._observed()) @ weights + mean)

    def predict_again(self, codes: Codes, scale: Scale) -> NDArray[np.float32]:
        """Returns what `predict` does in single precision, computing only what is new since the last call.

        It is for one large array that is predicted after each evaluation.
        """
        if self._fixed is not codes:
            self._fixed, self._filled, self._cross = codes, 0, np.empty((len(codes), 0), np.float32, "F")
        observed = self._observed()
        count = len(observed)
        if self._cross.shape[1] < count:
            wider = np.empty((len(codes), 2 * count), np.float32, "F")
            wider[:, : self._filled] = self._cross[:, : self._filled]
            self._cross = wider
        self._cross[:, self._filled : count] = self._kernel(codes, observed[self._filled :])
        self._filled = count
        weights, mean = self._fit(scale)
        return self._cross[:, :count] @ weights.astype(np.float32) + mean

    def _kernel(self, first: Codes, second: Codes) -> Floats:
        kernel = pairwise_kernel(matches(first, second))
        if self.sharing:
            kernel += self.sharing * (
                tallies(self.archive.space, first) @ tallies(self.archive.space, second).T
            )
        return kernel

    def _observed(self) -> Codes:
        new = [one.architecture for one in self.archive.evaluations[len(self._told) :]]
        if new:
            self._told = np.concatenate([self._told, codes_of(self.archive.space, new)])
        return self._told

    def _fit(self, scale: Scale) -> tuple[Floats, float]:
        observed = self._observed()
        kernel = self._kernel(observed, observed)
        return ridge(kernel, scale(filled(self.archive.evaluations)), self._penalty)


class Candidates(NamedTuple):
    """Architectures to predict.

    Attributes:
        architectures: legal; some of them are evaluated already.
        codes: theirs, as `codes_of` gives them.
        is_whole: whether they are the whole space.
    """

    architectures: tuple[Architecture, ...]
    codes: Codes
    is_whole: bool


def candidates(space: SearchSpace, draw: random.Random, count: int) -> Candidates:
    """Returns the whole of a small space, or `count` draws of a large one."""
    whole = _whole(space)
    if whole is not None:
        return whole
    drawn = tuple(dict.fromkeys(space.sample(draw) for _ in range(count)))
    return Candidates(drawn, codes_of(space, drawn), False)


@lru_cache(maxsize=4)
def _whole(space: SearchSpace) -> Candidates | None:
    everything = listed(space)
    return None if everything is None else Candidates(everything, codes_of(space, everything), True)


def highest(values: NDArray[np.floating[Any]], count: int) -> list[int]:
    """Returns the indices of the `count` highest values, best first, ties in the order of their indices."""
    if count < len(values):
        # Everything that ties with the last one taken must take part, or the choice among ties is numpy's.
        last = np.partition(values, len(values) - count)[len(values) - count]
        among = np.flatnonzero(values >= last)
    else:
        among = np.arange(len(values))
    return [int(one) for one in among[np.argsort(-values[among], kind="stable")][:count]]
