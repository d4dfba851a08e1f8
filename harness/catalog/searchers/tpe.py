"""TPE as a library implements it: optuna's sampler behind the ask/tell protocol.

Source: Bergstra et al. 2011, as implemented by optuna; all settings not among the options are its own.
"""

from harness import SearchContext, Searcher, SearcherEntry
from harness.search.samplers import REASKS, SamplerSearcher


def _build(context: SearchContext) -> Searcher:
    import optuna

    options = context.options
    return SamplerSearcher(
        context,
        lambda seed: optuna.samplers.TPESampler(
            seed=seed,
            n_startup_trials=int(options["first"]),
            n_ei_candidates=int(options["candidates"]),
            multivariate=bool(options["multivariate"]),
        ),
    )


SEARCHER = SearcherEntry(
    summary="Tree-structured Parzen estimator, through optuna.",
    build=_build,
    family="model",
    options={"first": 10, "candidates": 24, "multivariate": True, "reasks": REASKS},
)
