"""Zero-cost ranking by parameters: the largest architectures of a random pool."""

from harness.search.zero_cost import ranking

SEARCHER = ranking("parameters", "largest of a random pool")
