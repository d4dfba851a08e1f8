"""Regularised evolution: tournaments in a population whose oldest member dies."""

from collections import deque
from collections.abc import Sequence

from harness import Architecture, Evaluation, SearchContext, SearcherEntry
from harness.search.evolution import step
from harness.search.loop import SeededSearcher

OPTIONS = {"population": 10, "sample": 5, "repeats": 10, "walk": 10}


class RegularisedEvolution(SeededSearcher):
    """Mutates the best of a sample of the living in one choice; each child replaces the oldest.

    Source: Real et al. 2019 (arXiv 1802.01548), algorithm 1. Ours: a child that is already evaluated costs
    nothing and enters the population with its known score. Options: `population`, `sample` (of a tournament),
    `repeats` (such children in a row before a new one is forced), `walk` (further changes of the last child
    until it is new; then a random architecture is drawn).
    """

    def __init__(self, context: SearchContext) -> None:
        super().__init__(context)
        options = context.options
        self.population: int = options["population"]
        self.sample: int = options["sample"]
        self.repeats: int = options["repeats"]
        self.walk: int = options["walk"]
        self.living: deque[Architecture] = deque(maxlen=self.population)
        self.counters.update(repeated=0, forced=0, random=0)

    def ask(self, count: int) -> list[Architecture]:
        """Returns the rest of the first population, later one child, as it depends on all before."""
        claimed = len(self.archive.claimed)
        if claimed < self.population:
            return self._random(min(count, self.population - claimed))
        for _ in range(self.repeats):
            drawn = self.draw.sample(self.living, min(self.sample, len(self.living)))
            parent = max(drawn, key=lambda one: self.archive.of[one].fitness)
            child = step(self.space, parent, self.draw)
            if child is None:
                break
            if self.archive.claim(child):
                return [child]
            self.counters["repeated"] += 1
            self.living.append(child)
        self.counters["forced"] += 1
        return self._forced() or self._random(1)

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        self.living.extend(evaluation.architecture for evaluation in evaluations)

    def _forced(self) -> list[Architecture]:
        child: Architecture | None = self.living[-1]
        for _ in range(self.walk):
            child = step(self.space, child, self.draw) if child is not None else None
            if child is not None and self.archive.claim(child):
                return [child]
        return []

    def _random(self, count: int) -> list[Architecture]:
        drawn = self.archive.fresh(self.draw, count)
        self.counters["random"] += len(drawn)
        return drawn


SEARCHER = SearcherEntry(
    summary="Regularised evolution: tournaments in an ageing population.",
    build=RegularisedEvolution,
    family="evolution",
    options=OPTIONS,
    allowed=dict.fromkeys(OPTIONS, (1, 10000)),
)
