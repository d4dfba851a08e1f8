"""Samplers of optuna as searchers. Truth: the claims that every searcher must keep, and optuna itself."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import filled
import pytest
from command import harness
from spaces import named

from harness import catalog
from harness.checks.searcher import searcher_claims
from harness.errors import HarnessError
from harness.identity.content import code_of
from harness.search.loop import Limit, SearchContext, SearchResult, run_search


@pytest.mark.parametrize("name", ["NSGAIISampler", "QMCSampler"])
def test_a_sampler_keeps_what_every_searcher_promises(name: str) -> None:
    found = [*searcher_claims(catalog.load("searcher", f"optuna:{name}"))]
    assert len(found) > 15
    assert [claim for claim in found if not claim[1]] == []


def test_the_sampler_is_the_one_that_is_named_with_the_options_of_the_suite() -> None:
    import optuna

    entry = catalog.load("searcher", "optuna:NSGAIISampler")
    assert entry.options["population_size"] == optuna.samplers.NSGAIISampler()._population_size
    space = named("nasbench201:micro")
    context = SearchContext(space=space, seed=3, budget=30, options={**entry.options, "population_size": 7})
    searcher = entry.build(context)
    assert type(searcher.study.sampler) is optuna.samplers.NSGAIISampler
    assert searcher.study.sampler._population_size == 7
    run_search(searcher, context, lambda one: -float(sum(one)))
    generations = {trial.system_attrs.get("NSGAIISampler:generation") for trial in searcher.study.trials}
    assert len(generations) > 2, "what is told makes a next population"


def of_two(
    name: str, cost: str, score: Callable[..., float], most: float = 8_000_000, **more: Any
) -> tuple[Any, SearchResult]:
    entry = catalog.load("searcher", f"optuna:{name}")
    options = entry.options | {"cost": cost} | more
    limit = Limit(cost="macs", value=most)
    space = named("nasbench201:micro")
    context = SearchContext(space=space, seed=1, budget=60, options=options, limit=limit)
    return space, run_search(entry.build(context), context, score)


@pytest.mark.parametrize(
    "name", ["GPSampler", "NSGAIISampler", "NSGAIIISampler", "RandomSampler", "TPESampler"]
)
def test_a_search_of_two_objectives_leaves_a_front_and_takes_the_best_within_the_limit(name: str) -> None:
    space, result = of_two(name, "macs", lambda one: float(sum(one)))
    points = [(one.score, one.macs) for one in result.history]
    beaten = {
        (score, macs)
        for score, macs in points
        for other, cost in points
        if other >= score and cost <= macs and (other, cost) != (score, macs)
    }
    front = [(one["score"], one["macs"]) for one in result.report["front"]]
    assert sorted(front) == sorted(set(points) - beaten)
    within = [one for one in result.history if one.macs <= 8_000_000]
    assert len(within) < len(result.history)
    assert result.best is not None
    assert result.best.score == max(one.score for one in within)
    shown = space.from_json(result.report["front"][0]["architecture"])
    assert space.macs(shown) == front[0][1]


def test_the_cost_leads_the_sampler_where_scores_are_all_alike() -> None:
    def later(cost: str) -> float:
        _, result = of_two("NSGAIISampler", cost, lambda one: 0.5, most=1e12, population_size=10)
        return mean(one.macs for one in result.history[30:])

    assert later("macs") < 0.7 * later("none")


def test_names_are_checked_and_the_entry_is_a_part_of_what_a_search_is() -> None:
    with pytest.raises(HarnessError, match="did you mean GPSampler"):
        catalog.load("searcher", "optuna:GPSamplr")
    entry = catalog.load("searcher", "optuna:NSGAIISampler")
    options = entry.options | {"cost": "limited"}
    context = SearchContext(space=named("nasbench201:micro"), seed=0, budget=1, options=options)
    with pytest.raises(HarnessError, match="cost is 'limited', and the suite limits none"):
        entry.build(context)
    with pytest.raises(HarnessError, match="'ridge' has no members"):
        catalog.load("searcher", "ridge:x")
    refused = harness("describe", "searcher", "GPSampler")
    assert "did you mean optuna:GPSampler?" in refused.stderr
    refused = harness("describe", "baseline", "resnet18")
    assert "did you mean timm:resnet18?" in refused.stderr
    unit = filled.unit("search", {"task": "toy_patterns", "searcher": "optuna:RandomSampler"})
    assert "searcher optuna" in code_of(unit.kind, unit.spec)


def test_a_sampler_is_a_row_of_a_suite(tmp_path: Path) -> None:
    changes = ['searchers=["random_search", "optuna:NSGAIISampler"]', "claim=optuna:NSGAIISampler"]
    options = 'search.options={"optuna:NSGAIISampler" = { population_size = 4 }}'
    words = [word for change in (*changes, options) for word in ("--set", change)]
    done = harness("eval", "toy_lookup", "--out", tmp_path / "run", *words)
    assert done.returncode == 0, done.stderr
    board = json.loads((tmp_path / "run" / "board.json").read_text())
    assert "optuna:NSGAIISampler" in json.dumps(board)
    assert "optuna:NSGAIISampler" in harness("leaderboard", tmp_path / "run").stdout
