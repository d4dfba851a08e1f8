"""Zero-cost ranking by NASWOT: the architectures of a pool that tell random inputs apart best."""

from functools import partial

from harness import SearcherEntry
from harness.search.zero_cost import ZeroCostRanking

SEARCHER = SearcherEntry(
    summary="Spends the budget on the best of a random pool by NASWOT.",
    build=partial(ZeroCostRanking, proxy="naswot"),
    options={"pool": 1000},
    allowed={"pool": (1, 1_000_000)},
    proxy="naswot",
)
