"""Spaces by their names, supernets no tensor of which hides a mistake, and searches in one call."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from harness import catalog
from harness.search.archive import Evaluation
from harness.search.loop import Limit, SearchContext, SearchResult, run_search
from harness.space.choices import SearchSpace
from harness.space.form import Architecture
from harness.task.signature import Signature

Score = Callable[[Architecture], float | None]


def named(
    name: str,
    signature: Signature | None = None,
    *,
    tolerance: float | None = None,
    window: tuple[int, int] | None = None,
    **options: Any,
) -> SearchSpace:
    """Returns the space `family:preset`, within a share of its default's parameters where one is given."""
    name, _, preset = name.partition(":")
    family = catalog.load("space", name)
    plain: SearchSpace = family.space(preset or None, signature, window)
    if options:
        return type(plain)(preset, plain.signature, window, **options)  # type: ignore[call-arg, arg-type]
    return plain if tolerance is None else family.matched(preset, plain.signature, tolerance)


def cells(window: tuple[int, int] | None = None) -> SearchSpace:
    """Returns the space of most tests of searchers: six genes of five operations each."""
    return named("nasbench201:micro", window=window)


def inputs(signature: Signature, count: int = 2) -> Any:
    """Returns images in [-1, 1] or bytes, all of which differ, shape (count, ...)."""
    import torch

    if signature.kind != "image":
        return torch.arange(count * signature.context).reshape(count, -1) % 256
    shape = (count, signature.channels, signature.height, signature.width)
    return torch.linspace(-1, 1, math.prod(shape)).sin().reshape(shape)


def stirred(space: SearchSpace, by: float = 0.1) -> Any:
    """Returns a supernet no tensor of which is at a value that hides a mistake."""
    import torch

    module = space.networks.supernet()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * by)
    return module


def context(
    name: str,
    space: SearchSpace,
    *,
    seed: int = 0,
    budget: int = 100,
    limit: Limit | None = None,
    proxies: Mapping[Architecture, float] | None = None,
    client: Any = None,
    **options: Any,
) -> SearchContext:
    """Returns what a searcher of the catalog is built from, with some options other than by default."""
    return SearchContext(
        space=space,
        seed=seed,
        budget=budget,
        limit=limit,
        proxies=proxies,
        client=client,
        options={**catalog.load("searcher", name).options, **options},
    )


def made(name: str, space: SearchSpace, **settings: Any) -> Any:
    """Returns a searcher of the catalog; settings are those of its context."""
    return catalog.load("searcher", name).build(context(name, space, **settings))


def searched(name: str, space: SearchSpace, score: Score, **settings: Any) -> SearchResult:
    """Returns what a searcher of the catalog finds; settings are those of its context."""
    given = context(name, space, **settings)
    return run_search(catalog.load("searcher", name).build(given), given, score)


def evaluated(architecture: Architecture, score: float | None) -> Evaluation:
    """Returns an evaluation of made-up costs."""
    return Evaluation(architecture=architecture, score=score, parameters=1, macs=1, iteration=0)
