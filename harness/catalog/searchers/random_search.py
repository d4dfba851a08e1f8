"""Random search: the control that every searcher must beat."""

import random
from collections.abc import Sequence
from typing import Any

from harness import Architecture, Evaluation, SearchContext, SearcherEntry

PATIENCE = 2000


class RandomSearch:
    """Draws legal architectures without replacement; done after many draws without a new one."""

    def __init__(self, context: SearchContext) -> None:
        self.space = context.space
        self.draw = random.Random(context.seed)
        self.visited: set[Architecture] = set()

    def ask(self, count: int) -> list[Architecture]:
        batch: list[Architecture] = []
        misses = 0
        while len(batch) < count and misses < PATIENCE:
            architecture = self.space.sample(self.draw)
            if architecture in self.visited:
                misses += 1
            else:
                self.visited.add(architecture)
                batch.append(architecture)
        return batch

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        """Learns nothing."""

    def report(self) -> dict[str, Any]:
        return {}


SEARCHER = SearcherEntry(summary="Uniform draws from the space, without replacement.", build=RandomSearch)
