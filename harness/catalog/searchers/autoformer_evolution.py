"""The evolution of AutoFormer's second stage: as SPOS's, with global choices that mutate more often."""

from harness import SearchContext, SearcherEntry
from harness.search.evolution import ALLOWED, OPTIONS, Generations

GLOBAL_NAMES = ("depth", "width", "embed_dim")


def build(context: SearchContext) -> Generations:
    """Returns the evolution of Chen et al. 2021 (arXiv 2107.00651), section 3.4 and its published settings.

    Options: those of `Generations`, `layer_mutation` and `global_mutation`, the probabilities that a gene of
    a layer and one of the whole network are redrawn. Parents of a crossing have the same active choices.
    """
    rates = [
        context.options["global_mutation" if is_global(choice.name) else "layer_mutation"]
        for choice in context.space.choices
    ]
    return Generations(context, rates, is_paired_alike=True)


def is_global(name: str) -> bool:
    """Returns whether a choice is of the whole network: it has no index, or is a depth or a width."""
    stem, bracket, _ = name.partition("[")
    return not bracket or stem in GLOBAL_NAMES


SEARCHER = SearcherEntry(
    summary="AutoFormer evolution: as SPOS's, with global choices that mutate more often.",
    build=build,
    family="evolution",
    options={**OPTIONS, "layer_mutation": 0.2, "global_mutation": 0.4},
    allowed={**ALLOWED, "layer_mutation": (0.0, 1.0), "global_mutation": (0.0, 1.0)},
    is_anytime=False,
)
