"""Zero-cost ranking by parameters: the largest architectures of a random pool."""

from functools import partial

from harness import SearcherEntry
from harness.search.zero_cost import ZeroCostRanking

SEARCHER = SearcherEntry(
    summary="Spends the budget on the largest of a random pool.",
    build=partial(ZeroCostRanking, proxy="parameters"),
    options={"pool": 1000},
    allowed={"pool": (1, 1_000_000)},
)
