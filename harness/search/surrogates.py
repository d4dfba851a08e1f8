"""Surrogate models over architectures, and the pool of architectures that a searcher may still propose.

The models know architectures by kernels only: what two architectures share is the number of active choices in
which they agree, and that number gives the pairwise one-hot kernel, the Hamming kernel and the distance at
once. So nothing here grows with the number of features, and a space of fifty choices costs what six do.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.search.loop import Evaluation
from harness.space.choices import Architecture, SearchSpace

Floats = NDArray[np.float64]
Codes = NDArray[np.int16]
Scale = Callable[[Floats], Floats]
"""From scores to what a model is fitted to, in the same order of good and bad."""

ENUMERABLE = 20_000
"""Canonical architectures up to which a space is listed rather than sampled."""
PATIENCE = 2000


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
    """Pairwise ridge regression on what was evaluated so far; cheap to extend by one evaluation and to refit.

    Attributes:
        evaluations: what it is fitted to, in order.
        sharing: weight of the tallies' inner product beside the pairwise kernel; 0 for none.
    """

    def __init__(self, space: SearchSpace, *, penalty: float, sharing: float = 0.0) -> None:
        self.sharing = sharing
        self.evaluations: list[Evaluation] = []
        self._space = space
        self._penalty = penalty
        self._codes = codes_of(space, ())
        self._fixed: Codes | None = None
        self._cross = np.empty((0, 0), np.float32)
        self._filled = 0

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        """Adds observations."""
        self.evaluations += evaluations
        codes = codes_of(self._space, [one.architecture for one in evaluations])
        self._codes = np.concatenate([self._codes, codes])

    def predict(self, codes: Codes, scale: Scale) -> Floats:
        """Returns predictions on the given scale of the scores for architectures by their codes."""
        weights, mean = self._fit(scale)
        return np.asarray(self._kernel(codes, self._codes) @ weights + mean)

    def predict_again(self, codes: Codes, scale: Scale) -> NDArray[np.float32]:
        """Returns what `predict` does in single precision, computing only what is new since the last call.

        It is for one large array that is predicted after each evaluation.
        """
        if self._fixed is not codes:
            self._fixed, self._filled, self._cross = codes, 0, np.empty((len(codes), 0), np.float32, "F")
        count = len(self._codes)
        if self._cross.shape[1] < count:
            wider = np.empty((len(codes), 2 * count), np.float32, "F")
            wider[:, : self._filled] = self._cross[:, : self._filled]
            self._cross = wider
        self._cross[:, self._filled : count] = self._kernel(codes, self._codes[self._filled :])
        self._filled = count
        weights, mean = self._fit(scale)
        return self._cross[:, :count] @ weights.astype(np.float32) + mean

    def _kernel(self, first: Codes, second: Codes) -> Floats:
        kernel = pairwise_kernel(matches(first, second))
        if self.sharing:
            kernel += self.sharing * (tallies(self._space, first) @ tallies(self._space, second).T)
        return kernel

    def _fit(self, scale: Scale) -> tuple[Floats, float]:
        return ridge(self._kernel(self._codes, self._codes), scale(filled(self.evaluations)), self._penalty)


@lru_cache(maxsize=4)
def all_legal(space: SearchSpace) -> tuple[tuple[Architecture, ...], Codes] | None:
    """Returns every legal architecture with its codes, or None where a space is too large to be listed.

    Listed once per space, as a study runs hundreds of searches in the same one.
    """
    # A space far too large is not even begun; inactive choices make the product an upper bound only.
    if math.prod(len(choice.options) for choice in space.choices) > ENUMERABLE**2:
        return None
    listed = tuple(islice(space.enumerate(), ENUMERABLE + 1))
    if len(listed) > ENUMERABLE:
        return None
    legal = tuple(one for one in listed if space.in_window(one))
    return legal, codes_of(space, legal)


class Pool:
    """The legal architectures that a searcher may still propose: all of a small space, draws of a large one.

    Attributes:
        space: where they come from.
        draw: the searcher's random stream.
        taken: what was proposed, in order.
    """

    def __init__(self, space: SearchSpace, draw: random.Random, *, draws: int) -> None:
        self.space = space
        self.draw = draw
        self.taken: dict[Architecture, None] = {}
        self._draws = draws
        self._listed = all_legal(space)
        self._drawn: tuple[tuple[Architecture, ...], Codes] | None = None

    def take(self, architecture: Architecture) -> Architecture:
        """Returns the architecture, which is a candidate no longer."""
        self.taken[architecture] = None
        return architecture

    def fresh(self) -> Architecture | None:
        """Returns a random architecture that was not taken; None where there is, or seems to be, none."""
        if self._listed is not None and 2 * len(self.taken) >= len(self._listed[0]):
            left = [one for one in self._listed[0] if one not in self.taken]
            return self.draw.choice(left) if left else None
        for _ in range(PATIENCE):
            found = self._listed_or_sampled()
            if found not in self.taken:
                return found
        return None

    def candidates(self) -> tuple[tuple[Architecture, ...], Codes]:
        """Returns the architectures to predict, some of them taken, and their codes.

        They are the whole space, or draws made once in a search: drawing them anew for each fit would cost
        more than the fit.
        """
        if self._listed is not None:
            return self._listed
        if self._drawn is None:
            drawn = tuple(dict.fromkeys(self.space.sample(self.draw) for _ in range(self._draws)))
            self._drawn = drawn, codes_of(self.space, drawn)
        return self._drawn

    @property
    def is_whole(self) -> bool:
        """Whether the candidates are the whole space."""
        return self._listed is not None

    def new(self, architectures: Iterable[Architecture]) -> list[Architecture]:
        """Returns those that were not taken, in their order and without duplicates."""
        return [one for one in dict.fromkeys(architectures) if one not in self.taken]

    def _listed_or_sampled(self) -> Architecture:
        return self.space.sample(self.draw) if self._listed is None else self.draw.choice(self._listed[0])


def highest(values: NDArray[np.floating[Any]], count: int) -> list[int]:
    """Returns the indices of the `count` highest values, best first, ties in the order of their indices."""
    if count < len(values):
        # Everything that ties with the last one taken must take part, or the choice among ties is numpy's.
        last = np.partition(values, len(values) - count)[len(values) - count]
        among = np.flatnonzero(values >= last)
    else:
        among = np.arange(len(values))
    return [int(one) for one in among[np.argsort(-values[among], kind="stable")][:count]]
