"""Pairwise ridge: random architectures first, then always the best predicted one that was not evaluated."""

import random
from collections.abc import Sequence
from typing import Any

from harness import Architecture, Evaluation, SearchContext, SearcherEntry


class PairwiseRidge:
    """Fits ridge regression on one-hot choices and their pairwise products, and takes the best predicted.

    It predicts every architecture of a small space; of a large one the draws made at its start and the
    neighbours of the best so far.

    Source: the degree-2 expansion of CoNAS (arXiv 1906.02869) with ridge in place of the sparse fit.
    """

    def __init__(self, context: SearchContext) -> None:
        from harness.search.surrogates import Pool, RidgeSurrogate

        options = context.options
        self.first = int(options["first"])
        self.per_fit = int(options["per_fit"])
        self.surrogate = RidgeSurrogate(context.space, penalty=float(options["penalty"]))
        self.ranked = bool(options["ranked"])
        self.pool = Pool(context.space, random.Random(context.seed), draws=int(options["candidates"]))
        self.queue: list[Architecture] = []
        self.counters = {"fits": 0, "random": 0}

    def ask(self, count: int) -> list[Architecture]:
        drawn = len(self.pool.taken)
        if drawn < self.first or not self.surrogate.evaluations:
            return self._random(min(count, max(self.first - drawn, 1)))
        if not self.queue:
            self.queue = self._best_predicted()
        batch, self.queue = self.queue[:count], self.queue[count:]
        return [self.pool.take(one) for one in batch] or self._random(1)

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        self.surrogate.tell(evaluations)

    def report(self) -> dict[str, Any]:
        return {"counters": self.counters}

    def _random(self, count: int) -> list[Architecture]:
        batch: list[Architecture] = []
        while len(batch) < count and (fresh := self.pool.fresh()) is not None:
            batch.append(self.pool.take(fresh))
        self.counters["random"] += len(batch)
        return batch

    def _best_predicted(self) -> list[Architecture]:
        import numpy as np

        from harness.search.surrogates import codes_of, highest, ranks

        self.counters["fits"] += 1
        scale = ranks if self.ranked else np.asarray
        architectures, codes = self.pool.candidates()
        predicted = self.surrogate.predict_again(codes, scale)
        if not self.pool.is_whole:
            best = max(self.surrogate.evaluations, key=lambda one: one.fitness)
            near = tuple(self.pool.space.neighbours(best.architecture))
            architectures = (*architectures, *near)
            predicted = np.concatenate(
                [predicted, self.surrogate.predict(codes_of(self.pool.space, near), scale)]
            )
        # As many as were taken may stand before the first new one, and a neighbour may have been drawn too.
        order = highest(predicted, len(self.pool.taken) + 2 * self.per_fit)
        return self.pool.new(architectures[index] for index in order)[: self.per_fit]


SEARCHER = SearcherEntry(
    summary="Pairwise one-hot ridge regression: 20 at random, then the best predicted, refitted each time.",
    build=PairwiseRidge,
    options={"first": 20, "penalty": 1.0, "ranked": True, "per_fit": 1, "candidates": 2000},
)
