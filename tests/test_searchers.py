"""Every searcher keeps the protocol. Truth: a toy space small enough to enumerate."""

import random
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from harness import catalog
from harness.checks import scripted_client
from harness.search import SearchContext, SearcherEntry, SearchResult, run_search
from harness.space import Architecture, Choice, SearchSpace
from harness.task import Signature

SEARCHERS = catalog.names("searcher")


class ToySpace(SearchSpace):
    """Five numbers of 0 to 3; the last is idle where the first is 0; parameters are their sum."""

    def __init__(self, window: tuple[int, int] | None = None, options: int = 4) -> None:
        self.name = "toy"
        self.signature = Signature(kind="image", classes=2)
        self.window = window
        self.choices = tuple(
            Choice(name=f"x[{index}]", options=tuple(range(options)), meaning="a number")
            for index in range(5)
        )

    def default(self) -> Architecture:
        return (1, 1, 1, 1, 1)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True, True, True, True, architecture[0] > 0)

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return {"x": list(architecture)}

    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        from harness.errors import HarnessError

        if set(value) != {"x"} or len(value["x"]) != 5 or not set(value["x"]) <= {0, 1, 2, 3}:
            raise HarnessError("not in the toy space")
        return self.canonical(value["x"])

    def json_schema(self) -> dict[str, Any]:
        return {"type": "object"}

    def parameters(self, architecture: Architecture) -> int:
        return sum(architecture)

    def macs(self, architecture: Architecture) -> int:
        return sum(architecture)

    def build(self, architecture: Architecture) -> nn.Module:
        return nn.Identity()

    def supernet(self) -> nn.Module:
        return nn.Identity()

    def route(self, architecture: Architecture) -> Any:
        return architecture

    def slice(self, supernet: nn.Module, architecture: Architecture) -> nn.Module:
        return nn.Identity()

    def card(self) -> str:
        return 'Five numbers, {"x": [0, 1, 2, 3, 0]}'


def searched(
    name: str, space: SearchSpace, *, budget: int, seed: int = 0, failing: bool = False
) -> SearchResult:
    entry: SearcherEntry = catalog.load("searcher", name)
    client = scripted_client() if entry.needs_llm else None
    context = SearchContext(space=space, seed=seed, budget=budget, options=entry.options, client=client)

    def score(architecture: Architecture) -> float | None:
        if failing and sum(architecture) % 2:
            return None if sum(architecture) % 3 else float("nan")
        return -sum((gene - 2) ** 2 for gene in architecture)

    return run_search(entry.build(context), space, score, budget=budget)


@pytest.mark.parametrize("name", SEARCHERS)
@pytest.mark.parametrize("window", [None, (6, 9)])
def test_it_spends_exactly_its_budget_on_new_legal_points(name: str, window: tuple[int, int] | None) -> None:
    space = ToySpace(window)
    result = searched(name, space, budget=30)
    points = [one.architecture for one in result.history]
    assert len(points) == len(set(points)) == 30
    assert all(space.legal(point) for point in points)
    assert result.stopped == "budget"


@pytest.mark.parametrize("name", SEARCHERS)
def test_the_same_seed_takes_the_same_path_and_another_seed_another(name: str) -> None:
    first, again, other = (searched(name, ToySpace(), budget=25, seed=seed) for seed in (1, 1, 2))
    assert first.history == again.history
    assert first.history != other.history


@pytest.mark.parametrize("name", SEARCHERS)
def test_failed_and_infinite_scores_do_not_stop_it(name: str) -> None:
    result = searched(name, ToySpace(), budget=30, failing=True)
    assert len(result.history) == 30
    assert any(one.score is None for one in result.history)
    assert result.best is not None


@pytest.mark.parametrize("name", SEARCHERS)
def test_a_small_space_is_exhausted_and_the_search_says_so(name: str) -> None:
    space = ToySpace(window=(0, 2), options=2)
    everything = [one for one in space.enumerate() if space.legal(one)]
    result = searched(name, space, budget=500)
    assert result.stopped == "exhausted"
    assert {one.architecture for one in result.history} == set(everything)


def test_an_illegal_proposal_is_an_error_of_the_searcher() -> None:
    class Stubborn:
        def ask(self, count: int) -> list[Architecture]:
            return [(3, 3, 3, 3, 3)]

        def tell(self, evaluations: Any) -> None: ...

        def report(self) -> dict[str, Any]:
            return {}

    with pytest.raises(ValueError, match="illegal"):
        run_search(Stubborn(), ToySpace((0, 9)), lambda one: 1.0, budget=2)


def test_local_search_beats_random_search_on_a_smooth_landscape() -> None:
    local = [searched("local_search", ToySpace(), budget=40, seed=seed).best for seed in range(20)]
    blind = [searched("random_search", ToySpace(), budget=40, seed=seed).best for seed in range(20)]
    assert sum(one.score or 0 for one in local if one) > sum(one.score or 0 for one in blind if one)


def test_no_searcher_touches_the_global_generators() -> None:
    random.seed(7)
    torch.manual_seed(7)
    before, torch_before = random.getstate(), torch.random.get_rng_state()
    for name in SEARCHERS:
        searched(name, ToySpace(), budget=12)
    assert random.getstate() == before
    assert torch.equal(torch.random.get_rng_state(), torch_before)
