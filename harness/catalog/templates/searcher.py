"""Changes one choice of the best architecture so far, after a few random ones."""

import random

from harness import Searcher, SearcherEntry


class Climber(Searcher):
    """Proposes neighbours of the best; random architectures first, and where no neighbour is new."""

    def __init__(self, context):
        self.context = context
        self.draw = random.Random(context.seed)  # all chance comes from the seed of the search

    def ask(self, count):
        """Returns at most `count` legal architectures that are not in the archive."""
        archive, space = self.context.archive, self.context.space
        if len(archive.evaluations) >= self.context.options["first"]:
            near = space.neighbours(archive.best.architecture)
            self.draw.shuffle(near)
            if found := archive.take(near, 1):
                return found
        return archive.fresh(self.draw)


SEARCHER = SearcherEntry(
    summary="One-choice changes of the best architecture.",
    build=Climber,
    family="local",
    options={"first": 5},  # a suite changes it under [search.options.NAME]
)
