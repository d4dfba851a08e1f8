"""Zero-cost ranking by synflow: the architectures of a pool with the greatest synaptic flow."""

from harness.search.zero_cost import ranking

SEARCHER = ranking("synflow", "best of a random pool by synflow")
