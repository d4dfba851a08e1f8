"""Random search: the control that every searcher must beat."""

import random

from harness import Architecture, SearchContext, Searcher, SearcherEntry


class RandomSearch(Searcher):
    """Draws legal architectures without replacement; done after many draws without a new one."""

    def __init__(self, context: SearchContext) -> None:
        self.archive = context.archive
        self.draw = random.Random(context.seed)

    def ask(self, count: int) -> list[Architecture]:
        return self.archive.sample(self.draw, count)


SEARCHER = SearcherEntry(
    summary="Uniform draws from the space, without replacement.", build=RandomSearch, family="random"
)
