"""Zero-cost ranking by NASWOT: the architectures of a pool that tell random inputs apart best."""

from harness.search.zero_cost import ranking

SEARCHER = ranking("naswot", "best of a random pool by NASWOT")
