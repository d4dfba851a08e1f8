"""Every searcher keeps the protocol. Truth: the kit, broken searchers that it must catch, a published table.

The means on NAS-Bench-201 are of an independent implementation of the same rules: 200 seeds, 100 evaluations.
"""

import random
from collections.abc import Callable, Iterator
from statistics import mean, stdev
from typing import Any

import numpy as np
import published
import pytest
import torch
from spaces import cells, searched

from harness import catalog
from harness.checks.searcher import searcher_claims
from harness.errors import UnknownNameError
from harness.llm.scripted import ScriptedClient
from harness.search.loop import SearchContext, Searcher, SearcherEntry, SearchResult, run_search
from harness.space.form import Architecture

SEARCHERS = catalog.names("searcher")
SEEDS = 100
COLUMNS = ("c10", "c100", "in16")


def found_by(name: str, score: Callable[[Architecture], float], **settings: Any) -> SearchResult:
    entry: SearcherEntry = catalog.load("searcher", name)
    client = ScriptedClient() if entry.needs_llm else None
    proxies = {cells().default(): 1.0} if entry.proxy else None
    return searched(name, cells(), score, client=client, proxies=proxies, **settings)


@pytest.mark.parametrize("name", SEARCHERS)
def test_it_keeps_every_promise_of_a_searcher(name: str) -> None:
    broken = [
        f"{claim}: {detail}"
        for claim, holds, detail in searcher_claims(catalog.load("searcher", name))
        if not holds
    ]
    assert not broken


class Careless:
    """Random search with one fault."""

    def __init__(self, context: SearchContext, fault: str) -> None:
        self.space, self.fault = context.space, fault
        self.draw = random.Random(0 if fault == "deaf to its seed" else context.seed)
        self.budget = context.budget
        self.seen: set[Architecture] = set()
        self.best = 0.0

    def ask(self, count: int) -> list[Architecture]:
        if self.fault == "gives up" and len(self.seen) > 5:
            return []
        wanted = count + 1 if self.fault == "greedy" else count
        return list(self.drawn(wanted))

    def drawn(self, count: int) -> Iterator[Architecture]:
        for _ in range(500):
            one = self.space.sample(self.draw)
            if self.fault == "over the window" and len(self.seen) > 15:
                one = (2, *self.space.default()[1:])
            if self.fault == "looks at the budget" and len(self.seen) == 1:
                self.draw.seed(self.budget)
            if one in self.seen and self.fault != "repeats":
                continue
            if count == 0:
                return
            count -= 1
            self.seen.add(one)
            yield one

    def tell(self, evaluations: Any) -> None:
        if self.fault == "needs a score":
            self.best += max(one.score for one in evaluations if one.score is not None)

    def report(self) -> dict[str, Any]:
        return {"best": float("nan")} if self.fault == "reports NaN" else {}


FAULTS = {
    "greedy": "unasked",
    "repeats": "repeated",
    "over the window": "illegal",
    "gives up": "spends exactly",
    "deaf to its seed": "another seed",
    "looks at the budget": "anytime",
    "needs a score": "raises nothing",
    "reports NaN": "record",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_kit_catches_a_searcher_that_is(fault: str) -> None:
    entry = SearcherEntry(summary="broken", build=lambda context: Careless(context, fault))
    broken = [claim for claim, holds, _ in searcher_claims(entry) if not holds]
    assert any(FAULTS[fault] in claim for claim in broken)


def test_the_kit_finds_nothing_wrong_with_plain_random_search() -> None:
    entry = SearcherEntry(summary="sound", build=lambda context: Careless(context, "none"))
    assert all(holds for _, holds, _ in searcher_claims(entry))


def test_an_illegal_proposal_is_an_error_of_the_searcher() -> None:
    class Stubborn(Searcher):
        def ask(self, count: int) -> list[Architecture]:
            return [(9,) * 6]

    with pytest.raises(ValueError, match="illegal"):
        run_search(Stubborn(), SearchContext(space=cells(), seed=0, budget=2), lambda one: 1.0)


def test_no_searcher_touches_the_global_generators() -> None:
    random.seed(7)
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    before = (random.getstate(), torch.random.get_rng_state(), np.random.get_state()[1].tolist())  # noqa: NPY002
    for name in SEARCHERS:
        found_by(name, lambda one: sum(one) / 100)
    assert random.getstate() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert np.random.get_state()[1].tolist() == before[2]  # noqa: NPY002


REFERENCE = [
    ("random_search", {}, (93.78, 71.47, 45.36)),
    ("regularised_evolution", {}, (94.18, 73.05, 46.27)),
    ("local_search", {}, (94.26, 73.32, 46.27)),
    ("local_search", {"start": "default"}, (94.37, 73.44, 46.42)),
]


@pytest.mark.parametrize(("name", "options", "expected"), REFERENCE)
def test_it_reaches_the_reference_on_nasbench201(
    name: str, options: dict[str, Any], expected: tuple[float, ...]
) -> None:
    rows = published.cells()
    for column, reference in zip(COLUMNS, expected, strict=True):
        found = []
        for seed in range(SEEDS):
            result = found_by(name, lambda one: float(rows[one][f"{column}_val"]) / 100, seed=seed, **options)  # noqa: B023
            found.append(float(rows[result.best.architecture][f"{column}_test"]))
        # Four standard errors of the difference of two means; .01 is how the reference is rounded.
        error = stdev(found) * (1 / SEEDS + 1 / 200) ** 0.5
        assert abs(mean(found) - reference) < 4 * error + 0.01


def test_local_search_can_start_from_the_default_and_refuses_what_it_does_not_know() -> None:
    first = found_by("local_search", lambda one: 1.0, seed=3, start="default").history[0]
    assert first.architecture == cells().default()
    with pytest.raises(UnknownNameError, match="did you mean default"):
        found_by("local_search", lambda one: 1.0, seed=3, start="defualt")


def test_local_search_stops_moving_only_at_a_local_optimum() -> None:
    result = found_by("local_search", lambda one: -sum(abs(gene - 2) for gene in one), seed=1)
    assert result.best.score == 0
    visited = {one.architecture for one in result.history}
    assert set(cells().neighbours(result.best.architecture)) <= visited
