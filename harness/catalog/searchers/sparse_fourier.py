"""CoNAS: a sparse low-degree Fourier expansion of the score says which options to keep, stage by stage."""

import math
from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from harness import Architecture, SearchContext, SearcherEntry
from harness.search.loop import SeededSearcher
from harness.search.surrogates import codes_of, filled, parities, ranks

PATIENCE = 200
ASSIGNMENTS = 4096
"""Joint options of the terms' choices up to which the polynomial's optimum is exact; then by coordinates."""


class SparseFourier(SeededSearcher):
    """Random architectures, a Lasso on parities of their bits, and the best options of its largest terms.

    Each option of a choice is a bit in {-1, 1}, 1 where it is taken; the basis is these bits and their
    products across choices. After each stage the options that maximise the largest terms are kept, and the
    next stage is drawn among what is left; where nothing new is left, the next one is drawn at large.

    Source: Cho et al. 2019 (arXiv 1906.02869), algorithm 1, with scores of networks for those of a one-shot
    model. Theirs has one bit per edge and operation; the fit sees all stages here, not the last alone.
    """

    def __init__(self, context: SearchContext) -> None:
        super().__init__(context)
        options = context.options
        self.stage = int(options["stage"])
        self.terms = int(options["terms"])
        self.penalty = float(options["penalty"])
        self.left = int(options["first"])
        self.counters.update(stages=1, reopened=0)
        self.every = [range(len(choice.options)) for choice in self.space.choices]
        self.bits = [(index, gene) for index, genes in enumerate(self.every) for gene in _bits(genes)]
        self.pairs = [
            (first, second)
            for first, second in combinations(range(len(self.bits)), 2)
            if self.bits[first][0] != self.bits[second][0]
        ]
        self.kept: list[Sequence[int]] = [*self.every]

    def ask(self, count: int) -> list[Architecture]:
        if self.left == 0:
            self._restrict()
        batch: list[Architecture] = []
        while len(batch) < min(count, self.left) and (drawn := self._draw()):
            batch += drawn
        self.left -= len(batch)
        return batch

    def _draw(self) -> list[Architecture]:
        drawn = (
            self.space.canonical([self.draw.choice(genes) for genes in self.kept]) for _ in range(PATIENCE)
        )
        if found := self.archive.take(filter(self.space.in_window, drawn)):
            return found
        if list(map(len, self.kept)) != list(map(len, self.every)):
            self.counters["reopened"] += 1
            self.kept = [*self.every]
        return self.archive.pick(self.draw)

    def _restrict(self) -> None:
        """Keeps, of every choice in the largest terms, the options at which these are at their maximum."""
        self.left = self.stage
        self.counters["stages"] += 1
        terms = self._largest_terms()
        if not terms:
            return
        involved = sorted({self.bits[bit][0] for bits, _ in terms for bit in bits})
        best = self._maximum(terms, involved)
        top = self._value(terms, best)
        for index in involved:
            swapped = [{**best, index: gene} for gene in self.kept[index]]
            self.kept[index] = [
                one[index] for one in swapped if self._value(terms, one) >= top - 1e-9 * abs(top)
            ]

    def _largest_terms(self) -> list[tuple[tuple[int, ...], float]]:
        """Returns (bits, coefficient) of the largest terms that still vary among the kept options."""
        evaluations = self.archive.evaluations
        codes = codes_of(self.space, [one.architecture for one in evaluations])
        columns, genes = np.asarray(self.bits).T
        signs = np.where(codes[:, columns] == genes, 1.0, -1.0)
        coefficients = _lasso(parities(signs, self.pairs), ranks(filled(evaluations)), self.penalty)
        basis: list[tuple[int, ...]] = [*((bit,) for bit in range(len(self.bits))), *self.pairs]
        found: list[tuple[tuple[int, ...], float]] = []
        for place in np.argsort(-np.abs(coefficients), kind="stable"):
            bits = basis[place]
            if coefficients[place] == 0 or len(found) == self.terms:
                break
            if any(len(self.kept[self.bits[bit][0]]) > 1 for bit in bits):
                found.append((bits, float(coefficients[place])))
        return found

    def _value(self, terms: Sequence[tuple[tuple[int, ...], float]], genes: dict[int, int]) -> float:
        signs = {
            bit: 1 if genes[self.bits[bit][0]] == self.bits[bit][1] else -1
            for bits, _ in terms
            for bit in bits
        }
        return sum(weight * math.prod(signs[bit] for bit in bits) for bits, weight in terms)

    def _maximum(
        self, terms: Sequence[tuple[tuple[int, ...], float]], involved: Sequence[int]
    ) -> dict[int, int]:
        if math.prod(len(self.kept[index]) for index in involved) <= ASSIGNMENTS:
            every = product(*(self.kept[index] for index in involved))
            return max(
                (dict(zip(involved, genes, strict=True)) for genes in every),
                key=lambda one: self._value(terms, one),
            )
        best = {index: self.draw.choice(self.kept[index]) for index in involved}
        before = -math.inf
        while (now := self._value(terms, best)) > before:
            before = now
            for index in involved:
                swapped = [best, *({**best, index: gene} for gene in self.kept[index])]
                best = max(swapped, key=lambda one: self._value(terms, one))
        return best


def _bits(genes: range) -> range:
    """Returns the options that get a bit; one bit says all of a choice of two, and none of one."""
    return genes if len(genes) > 2 else genes[1:]


def _lasso(columns: NDArray[np.float64], targets: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso

    with warnings.catch_warnings():
        # Which terms are largest is settled long before the last digits of the coefficients.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = Lasso(alpha=penalty, max_iter=2000, random_state=0).fit(columns, targets)
    return model.coef_  # type: ignore[no-any-return]


SEARCHER = SearcherEntry(
    summary="CoNAS: stages of random draws, each among the options that a sparse Fourier fit keeps.",
    build=SparseFourier,
    family="model",
    options={"first": 20, "stage": 5, "terms": 20, "penalty": 0.01},
)
