"""The evolution of SPOS's second stage: half mutants, half crossings of the ten best so far."""

from harness import SearchContext, SearcherEntry
from harness.search.evolution import ALLOWED, OPTIONS, Generations


def build(context: SearchContext) -> Generations:
    """Returns the evolution of Guo et al. 2020 (arXiv 1904.00420), algorithm 1.

    Its 20 generations of 50 are a budget of 1,000. Options: those of `Generations` and `mutation`, the
    probability that a gene is redrawn.
    """
    return Generations(context, [context.options["mutation"]] * len(context.space.choices))


SEARCHER = SearcherEntry(
    summary="SPOS evolution: generations of mutants and crossings of the best.",
    build=build,
    family="evolution",
    options={**OPTIONS, "mutation": 0.1},
    allowed={**ALLOWED, "mutation": (0.0, 1.0)},
    is_anytime=False,
)
