"""The searcher behind zero-cost rankings: it spends the budget on the best of a pool by proxy."""

import math
import random
from itertools import islice
from typing import Any

from harness.search.loop import SearchContext, Searcher
from harness.space.form import Architecture


class ZeroCostRanking(Searcher):
    """Evaluates a random pool in the order of its proxy, best first, then draws at random.

    The pool comes from the scores in the context; without them it is drawn from the space and ranked by
    parameters. Options: `pool`, the most architectures that are ranked.
    """

    def __init__(self, context: SearchContext, proxy: str) -> None:
        """Draws and ranks the pool.

        Raises:
            ValueError: the context holds no scores of a proxy other than `parameters`.
        """
        if context.proxies is None and proxy != "parameters":
            raise ValueError(f"The ranking by {proxy} needs its scores in the context.")
        space, pool = context.space, context.options["pool"]
        self.archive = context.archive
        self.draw = random.Random(context.seed)
        if context.proxies is None:
            drawn = self.archive.fresh(self.draw, pool)
            scores = [float(space.parameters(one)) for one in drawn]
        else:
            known = sorted(one for one in context.proxies if space.legal(one))
            drawn = self.archive.take(self.draw.sample(known, min(pool, len(known))), pool)
            scores = [context.proxies[one] for one in drawn]
        self.failed = sum(not math.isfinite(score) for score in scores)
        # The pool stands in random order and the sort is stable: ties are broken at random.
        ranked = sorted(zip(scores, drawn, strict=True), key=lambda pair: -_finite(pair[0]))
        self.ranked = iter([architecture for _, architecture in ranked])
        self.pool = len(ranked)
        self.fresh = 0

    def ask(self, count: int) -> list[Architecture]:
        """Returns the next in rank; random architectures once the pool is spent."""
        batch = list(islice(self.ranked, count))
        drawn = self.archive.fresh(self.draw, count - len(batch))
        self.fresh += len(drawn)
        return batch + drawn

    def report(self) -> dict[str, Any]:
        counters = {"pool": self.pool, "failed_proxies": self.failed, "after_the_pool": self.fresh}
        return {"counters": counters}


def _finite(score: float) -> float:
    return score if math.isfinite(score) else -math.inf
