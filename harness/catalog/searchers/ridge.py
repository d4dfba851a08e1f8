"""Pairwise ridge: random architectures first, then always the best predicted one that was not evaluated."""

from functools import cache, partial
from itertools import islice

import numpy as np

from harness import Architecture, SearchContext, SearcherEntry
from harness.search.loop import SeededSearcher
from harness.search.surrogates import RidgeSurrogate, candidates, codes_of, highest, ranks


class PairwiseRidge(SeededSearcher):
    """Fits ridge regression on one-hot choices and their pairwise products, and takes the best predicted.

    It predicts every architecture of a small space; of a large one the draws made at its start and the
    neighbours of the best so far.

    Source: the degree-2 expansion of CoNAS (arXiv 1906.02869) with ridge in place of the sparse fit.
    """

    def __init__(self, context: SearchContext) -> None:
        super().__init__(context)
        options = context.options
        self.first = int(options["first"])
        self.per_fit = int(options["per_fit"])
        self.surrogate = RidgeSurrogate(self.archive, penalty=float(options["penalty"]))
        self.ranked = bool(options["ranked"])
        # Made at the first fit, and once: drawing them anew for each would cost more than the fit.
        self.candidates = cache(partial(candidates, context.space, self.draw, int(options["candidates"])))
        self.queue: list[Architecture] = []
        self.counters.update(fits=0, random=0)

    def ask(self, count: int) -> list[Architecture]:
        claimed = len(self.archive.claimed)
        if claimed < self.first or not self.archive.evaluations:
            return self._random(min(count, max(self.first - claimed, 1)))
        if not self.queue:
            self.queue = self._best_predicted()
        batch, self.queue = self.queue[:count], self.queue[count:]
        return self.archive.take(batch, count) or self._random(1)

    def _random(self, count: int) -> list[Architecture]:
        batch = self.archive.pick(self.draw, count)
        self.counters["random"] += len(batch)
        return batch

    def _best_predicted(self) -> list[Architecture]:
        self.counters["fits"] += 1
        scale = ranks if self.ranked else np.asarray
        architectures, codes, is_whole = self.candidates()
        predicted = self.surrogate.predict_again(codes, scale)
        if not is_whole and self.archive.best is not None:
            near = tuple(self.space.neighbours(self.archive.best.architecture))
            architectures = (*architectures, *near)
            predicted = np.concatenate([predicted, self.surrogate.predict(codes_of(self.space, near), scale)])
        # As many as were claimed may stand before the first new one, and a neighbour may have been drawn too.
        order = highest(predicted, len(self.archive.claimed) + 2 * self.per_fit)
        new = dict.fromkeys(self.archive.new(architectures[index] for index in order))
        return list(islice(new, self.per_fit))


SEARCHER = SearcherEntry(
    summary="Pairwise one-hot ridge regression: 20 at random, then the best predicted, refitted each time.",
    build=PairwiseRidge,
    family="model",
    options={"first": 20, "penalty": 1.0, "ranked": True, "per_fit": 1, "candidates": 2000},
)
