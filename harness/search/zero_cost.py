"""The searcher behind zero-cost rankings: it spends the budget on the best of a pool by proxy."""

import math
import random
from collections.abc import Sequence
from typing import Any

from harness.search.evolution import Unseen
from harness.search.loop import Evaluation, SearchContext
from harness.space.choices import Architecture


class ZeroCostRanking:
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
        draw = random.Random(context.seed)
        self.unseen = Unseen(space, draw)
        if context.proxies is None:
            drawn = self.unseen.batch(pool)
            scores = [float(space.parameters(one)) for one in drawn]
        else:
            known = sorted(one for one in context.proxies if space.legal(one))
            drawn = draw.sample(known, min(pool, len(known)))
            self.unseen.seen.update(drawn)
            scores = [context.proxies[one] for one in drawn]
        self.failed = sum(not math.isfinite(score) for score in scores)
        # The pool stands in random order and the sort is stable: ties are broken at random.
        ranked = sorted(zip(scores, drawn, strict=True), key=lambda pair: -_finite(pair[0]))
        self.ranked = [architecture for _, architecture in ranked]
        self.spent = 0
        self.fresh = 0

    def ask(self, count: int) -> list[Architecture]:
        """Returns the next in rank; random architectures once the pool is spent."""
        batch = self.ranked[self.spent : self.spent + count]
        self.spent += len(batch)
        drawn = self.unseen.batch(count - len(batch))
        self.fresh += len(drawn)
        return batch + drawn

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        """Learns nothing."""

    def report(self) -> dict[str, Any]:
        counters = {"pool": len(self.ranked), "failed_proxies": self.failed, "after_the_pool": self.fresh}
        return {"counters": counters}


def _finite(score: float) -> float:
    return score if math.isfinite(score) else -math.inf
