"""Any sampler of optuna by its name, `optuna:GPSampler`; `optuna` alone is its default, TPE.

The options of a member are the numbers, texts and truth values among the arguments of the sampler, with its
own defaults. Samplers that cannot be made without further arguments, such as a grid, are no members.
"""

import inspect
from functools import partial
from typing import Any

from harness import SearchContext, Searcher, SearcherEntry
from harness.errors import UnknownNameError
from harness.search.samplers import NONE, REASKS, SamplerSearcher

LEFT_OUT = ("BruteForceSampler", "CmaEsSampler")
"""The first ends studies by itself, the second draws choices without an order at random."""

OF_SEVERAL = ("GPSampler", "NSGAIISampler", "NSGAIIISampler", "RandomSampler", "TPESampler")
"""Samplers of several objectives: a search has two with the option `cost`."""
COSTS = (NONE, "parameters", "macs", "limited")


def _samplers() -> dict[str, Any]:
    from optuna import samplers

    found = {name: getattr(samplers, name) for name in samplers.__all__ if name not in LEFT_OUT}
    return {
        name: one
        for name, one in found.items()
        if inspect.isclass(one)
        and issubclass(one, samplers.BaseSampler)
        and not inspect.isabstract(one)
        and all(each.default is not each.empty for each in inspect.signature(one).parameters.values())
    }


def _members() -> list[str]:
    return sorted(_samplers())


def _named(name: str) -> SearcherEntry:
    samplers = _samplers()
    if name not in samplers:
        raise UnknownNameError("sampler of optuna", name, samplers)
    arguments = inspect.signature(samplers[name]).parameters.values()
    options = {
        one.name: one.default
        for one in arguments
        if isinstance(one.default, int | float | str) and not one.name.startswith("warn_")
    }
    costs = {"cost": NONE} if name in OF_SEVERAL else {}
    return SearcherEntry(
        summary=f"{name} of optuna{', of two objectives with a cost' if costs else ''}.",
        build=partial(_build, name),
        family="model",
        options=options | {"reasks": REASKS} | costs,
        allowed={"cost": COSTS} if costs else {},
    )


def _build(name: str, context: SearchContext) -> Searcher:
    sampler = _samplers()[name]
    takes = inspect.signature(sampler).parameters
    given = {key: value for key, value in context.options.items() if key in takes}
    return SamplerSearcher(context, lambda seed: sampler(seed=seed, **given))


SEARCHER = SearcherEntry(
    summary="A sampler of optuna, optuna:SAMPLER such as GPSampler or NSGAIISampler; alone its default, TPE.",
    build=partial(_build, "TPESampler"),
    family="model",
    options={"reasks": REASKS},
    named=_named,
    members=_members,
)
