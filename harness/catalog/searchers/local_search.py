"""Local search: first improvement among the neighbours in random order, with random restarts."""

import math
import random
from collections.abc import Sequence
from typing import Any

from harness.search import Evaluation, SearchContext, SearcherEntry
from harness.space import Architecture

PATIENCE = 2000


class LocalSearch:
    """Moves to the first better neighbour; restarts at random where no unvisited neighbour is left.

    Source: White et al. 2021 (arXiv 2005.02960), in its first-improvement form.
    """

    def __init__(self, context: SearchContext) -> None:
        self.space = context.space
        self.draw = random.Random(context.seed)
        self.visited: set[Architecture] = set()
        self.neighbours: list[Architecture] = []
        self.best = -math.inf
        self.restarting = True
        self.restarts = 0

    def ask(self, count: int) -> list[Architecture]:
        """Returns one architecture, as each step depends on the one before."""
        while self.neighbours:
            neighbour = self.neighbours.pop()
            if neighbour not in self.visited:
                return self._visit(neighbour)
        self.restarting = True
        for _ in range(PATIENCE):
            architecture = self.space.sample(self.draw)
            if architecture not in self.visited:
                self.restarts += 1
                return self._visit(architecture)
        return []

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        for evaluation in evaluations:
            score = -math.inf if evaluation.score is None else evaluation.score
            if self.restarting or score > self.best:
                self.restarting = False
                self.best = score
                self.neighbours = self.space.neighbours(evaluation.architecture)
                self.draw.shuffle(self.neighbours)

    def report(self) -> dict[str, Any]:
        return {"counters": {"restarts": self.restarts}}

    def _visit(self, architecture: Architecture) -> list[Architecture]:
        self.visited.add(architecture)
        return [architecture]


SEARCHER = SearcherEntry(
    summary="First improvement among neighbours in random order, random restarts.", build=LocalSearch
)
