"""The searcher behind zero-cost rankings: it spends the budget on the best of a pool by proxy."""

import math
from functools import partial
from itertools import islice

from harness.search.loop import SearchContext, SearcherEntry, SeededSearcher
from harness.space.form import Architecture


class ZeroCostRanking(SeededSearcher):
    """Evaluates a random pool in the order of its proxy, best first, then draws at random.

    The pool comes from the scores in the context; without them it is drawn from the space and ranked by
    parameters. Options: `pool`, the most architectures that are ranked.
    """

    def __init__(self, context: SearchContext, proxy: str) -> None:
        """Draws and ranks the pool."""
        if context.proxies is None and proxy != "parameters":
            raise ValueError(f"The ranking by {proxy} needs its scores in the context.")
        super().__init__(context)
        pool = context.options["pool"]
        if context.proxies is None:
            drawn = self.archive.fresh(self.draw, pool)
            scores = [float(self.space.parameters(one)) for one in drawn]
        else:
            known = sorted(one for one in context.proxies if self.space.legal(one))
            drawn = self.archive.take(self.draw.sample(known, min(pool, len(known))), pool)
            scores = [context.proxies[one] for one in drawn]
        self.counters["failed_proxies"] = sum(not math.isfinite(score) for score in scores)
        finite = [score if math.isfinite(score) else -math.inf for score in scores]
        # The pool stands in random order and the sort is stable: ties are broken at random.
        ranked = sorted(zip(finite, drawn, strict=True), key=lambda pair: -pair[0])
        self.ranked = iter([architecture for _, architecture in ranked])
        self.counters.update(pool=len(ranked), after_the_pool=0)

    def ask(self, count: int) -> list[Architecture]:
        """Returns the next in rank; random architectures once the pool is spent."""
        batch = list(islice(self.ranked, count))
        drawn = self.archive.fresh(self.draw, count - len(batch))
        self.counters["after_the_pool"] += len(drawn)
        return batch + drawn


def ranking(proxy: str, told: str) -> SearcherEntry:
    """Returns the entry of the ranking by a proxy, told in words."""
    return SearcherEntry(
        summary=f"Spends the budget on the {told}.",
        build=partial(ZeroCostRanking, proxy=proxy),
        options={"pool": 1000},
        allowed={"pool": (1, 1_000_000)},
        family="zero cost",
        proxy=None if proxy == "parameters" else proxy,
    )
