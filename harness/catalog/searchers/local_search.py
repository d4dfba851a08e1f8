"""Local search: first improvement among the neighbours in random order, with random restarts."""

import math
from collections.abc import Iterable, Sequence

from harness import Architecture, Evaluation, SearchContext, SearcherEntry
from harness.errors import UnknownNameError
from harness.search.loop import SeededSearcher

STARTS = ("random", "default")


class LocalSearch(SeededSearcher):
    """Moves to the first better neighbour; restarts at random where no unvisited neighbour is left.

    Source: White et al. 2021 (arXiv 2005.02960), in its first-improvement form. Options: `start`, the first
    architecture: `random`, or `default` for the space's own (random where that one is not legal).
    """

    def __init__(self, context: SearchContext) -> None:
        start = context.options["start"]
        if start not in STARTS:
            raise UnknownNameError("start of local search", str(start), STARTS)
        super().__init__(context)
        default = [context.space.default()] if start == "default" else []
        self.first = filter(context.space.legal, default)
        self.neighbours: Iterable[Architecture] = ()
        self.best = -math.inf
        self.is_restarting = True
        self.counters.update(restarts=0, moves=0)

    def ask(self, count: int) -> list[Architecture]:
        """Returns one architecture, as each step depends on the one before."""
        if near := self.archive.take(self.neighbours):
            return near
        start = self.archive.take(self.first) or self.archive.fresh(self.draw)
        self.is_restarting = True
        self.counters["restarts"] += len(start)
        return start

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        for evaluation in evaluations:
            if self.is_restarting or evaluation.fitness > self.best:
                self.counters["moves"] += not self.is_restarting
                self.is_restarting = False
                self.best = evaluation.fitness
                near = self.space.neighbours(evaluation.architecture)
                self.draw.shuffle(near)
                self.neighbours = reversed(near)


SEARCHER = SearcherEntry(
    summary="First improvement among neighbours in random order, random restarts.",
    build=LocalSearch,
    family="local",
    options={"start": "random"},
    allowed={"start": STARTS},
)
