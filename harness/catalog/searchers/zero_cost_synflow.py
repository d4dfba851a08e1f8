"""Zero-cost ranking by synflow: the architectures of a pool with the greatest synaptic flow."""

from functools import partial

from harness import SearcherEntry
from harness.search.zero_cost import ZeroCostRanking

SEARCHER = SearcherEntry(
    summary="Spends the budget on the best of a random pool by synflow.",
    build=partial(ZeroCostRanking, proxy="synflow"),
    options={"pool": 1000},
    allowed={"pool": (1, 1_000_000)},
    proxy="synflow",
)
