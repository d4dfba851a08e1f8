"""Populations and rankings. Truth: enumeration, the space's own neighbours, and rules worked out by hand."""

import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from spaces import cells, context, evaluated, made, named

from harness import catalog
from harness.catalog.searchers.autoformer_evolution import is_global
from harness.search.evolution import step
from harness.search.loop import run_search
from harness.space.choices import SearchSpace
from harness.space.form import Architecture

GENERATIONS = ("spos_evolution", "autoformer_evolution")


def hybrid(tolerance: float | None = 0.05) -> SearchSpace:
    return named("hybrid:micro", tolerance=tolerance)


def told(searcher: Any, asked: list[Architecture], score: Callable[[Architecture], float | None]) -> None:
    evaluations = [evaluated(one, score(one)) for one in asked]
    for evaluation in evaluations:
        searcher.archive.add(evaluation)
    searcher.tell(evaluations)


def differing(first: Architecture, second: Architecture) -> int:
    return sum(one != two for one, two in zip(first, second, strict=True))


@pytest.mark.parametrize("space", [cells(), hybrid(), hybrid(None)], ids=["cells", "window", "no window"])
def test_a_step_lands_on_a_neighbour_of_the_space(space: SearchSpace) -> None:
    draw = random.Random(0)
    for _ in range(20):
        start = space.sample(draw)
        near = set(space.neighbours(start))
        assert all(step(space, start, draw) in near for _ in range(20))


def test_without_a_window_every_neighbour_is_equally_likely() -> None:
    space, draw = cells(), random.Random(0)
    times = Counter(step(space, space.default(), draw) for _ in range(24 * 400))
    assert set(times) == set(space.neighbours(space.default()))
    # 400 expected of each; six standard deviations of a binomial count are about 118.
    assert all(280 < number < 520 for number in times.values())


def test_a_step_from_an_architecture_without_a_neighbour_is_none() -> None:
    alone = cells((364_666, 364_666))
    assert step(alone, alone.default(), random.Random(0)) is None


def test_the_parent_is_the_best_of_the_sample() -> None:
    space = cells()
    searcher = made("regularised_evolution", space, population=10, sample=10)
    first = searcher.ask(10)
    best = first[6]
    told(searcher, first, lambda one: 1.0 if one == best else 0.1)
    (child,) = searcher.ask(10)
    assert differing(child, best) == 1


def test_the_best_dies_of_age() -> None:
    space = cells()
    searcher = made("regularised_evolution", space, population=4, sample=4)
    first = searcher.ask(4)
    told(searcher, first, lambda one: 1.0 if one == first[0] else 0.5)
    child: Architecture = ()
    for score in (0.1, 0.2, 0.3, 0.4):
        (child,) = searcher.ask(1)
        told(searcher, [child], lambda one, score=score: score)
    assert first[0] not in searcher.living
    assert differing(searcher.ask(1)[0], child) == 1


def test_a_repeated_child_costs_nothing_and_joins_with_its_known_score() -> None:
    given = context("regularised_evolution", cells(), budget=300)
    searcher = catalog.load("searcher", "regularised_evolution").build(given)
    result = run_search(searcher, given, lambda one: sum(gene == 3 for gene in one) / 6)
    counters = result.report["counters"]
    assert len(result.history) == 300
    assert counters["repeated"] > 50
    assert len(searcher.living) == 10
    assert len(set(searcher.living)) < 10 or counters["forced"] > 0


def test_when_every_neighbour_is_known_a_further_one_is_forced() -> None:
    space = cells()
    searcher = made("regularised_evolution", space, population=1, sample=1, repeats=3)
    (first,) = searcher.ask(1)
    told(searcher, [first], lambda one: 1.0)
    told(searcher, space.neighbours(first), lambda one: 0.5)
    searcher.living.append(first)
    (child,) = searcher.ask(1)
    assert differing(child, first) > 1


@pytest.mark.parametrize("name", GENERATIONS)
@pytest.mark.parametrize(
    ("budget", "population"), [(20, 8), (80, 8), (100, 10), (250, 25), (499, 49), (500, 50), (1000, 50)]
)
def test_the_population_shrinks_with_the_budget(name: str, budget: int, population: int) -> None:
    searcher = made(name, cells(), budget=budget)
    assert len(searcher.ask(1000)) == population


@pytest.mark.parametrize("name", GENERATIONS)
def test_a_generation_is_half_mutants_and_half_crossings(name: str) -> None:
    space = cells()
    searcher = made(name, space, budget=500)
    for _ in range(2):
        told(searcher, searcher.ask(50), lambda one: sum(one) / 24)
    assert searcher.report()["counters"] == {"generations": 2, "mutants": 25, "crossings": 25, "random": 50}


def test_a_crossing_takes_every_gene_from_one_of_the_best() -> None:
    space = cells()
    searcher = made("spos_evolution", space, budget=500, top=2, mutation=0.0)
    first = searcher.ask(50)
    best = max(
        ([one, two] for one in first for two in first), key=lambda pair: (differing(*pair), sum(pair[0]))
    )
    told(searcher, first, lambda one: 1.0 if one in best else 0.0)
    children = searcher.ask(50)
    counters = searcher.report()["counters"]
    assert counters["mutants"] == 0  # without mutation a mutant repeats its parent
    assert counters["crossings"] == 25
    genes = list(zip(*best, strict=True))
    assert all(gene in pair for child in children[:25] for gene, pair in zip(child, genes, strict=True))


def test_what_failed_is_never_a_parent() -> None:
    space = cells()
    searcher = made("spos_evolution", space, budget=500, mutation=0.0)
    first = searcher.ask(50)
    told(searcher, first, lambda one: 0.5 if one == first[3] else None)
    searcher.ask(50)
    counters = searcher.report()["counters"]
    assert (counters["mutants"], counters["crossings"], counters["random"]) == (0, 0, 100)


def test_a_layer_that_a_mutant_adds_is_drawn_rather_than_zero() -> None:
    space = hybrid(None)
    depth = next(index for index, choice in enumerate(space.choices) if choice.name == "depth")
    last = max(index for index, choice in enumerate(space.choices) if choice.name.startswith("mixers"))
    shallow = space.canonical(tuple(0 if index == depth else 1 for index in range(len(space.choices))))
    searcher = made("autoformer_evolution", space, budget=500, top=1, global_mutation=1.0)
    first = searcher.ask(50)
    told(searcher, [shallow, *first[1:]], lambda one: 1.0 if one == shallow else 0.0)
    deep = [one for one in searcher.ask(25) if one[depth] == 2]
    assert len({one[last] for one in deep}) > 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("depth", "width", "resolution", "depth[2]", "embed_dim[0]")),
        *((name, False) for name in ("mlp_ratio[0]", "mixers[3]", "edge[0,1]")),
    ],
)
def test_a_choice_is_global_when_it_has_no_index_or_is_a_depth_or_width(name: str, expected: bool) -> None:
    assert is_global(name) is expected


def test_the_ranking_by_parameters_spends_the_largest_of_its_pool_first() -> None:
    space, searcher = cells(), made("zero_cost_parameters", cells(), pool=60)
    sizes = [space.parameters(one) for one in searcher.ask(80)]
    assert sizes[:60] == sorted(sizes[:60], reverse=True)
    assert sizes[60] > sizes[59]  # the pool is spent: a fresh random one
    assert searcher.report()["counters"]["after_the_pool"] == 20


def test_a_ranking_follows_its_scores_and_puts_failed_ones_last() -> None:
    a, b, c, d = (0,) * 6, (1,) * 6, (2,) * 6, (4,) * 6
    searcher = made("zero_cost_synflow", cells(), proxies={a: 1.0, b: -math.inf, c: 3.0, d: 2.0})
    assert searcher.ask(4) == [c, d, a, b]
    assert searcher.report()["counters"]["failed_proxies"] == 1


def test_a_ranking_draws_its_pool_from_the_scores_by_its_seed_and_not_by_their_order() -> None:
    draw = random.Random(0)
    scores = {cells().sample(draw): draw.random() for _ in range(200)}
    back = dict(reversed(scores.items()))
    pools = [
        made("zero_cost_naswot", cells(), proxies=given, seed=seed, pool=20).ask(20)
        for seed, given in ((1, scores), (1, back), (2, scores))
    ]
    assert pools[0] == pools[1]
    assert set(pools[0]) != set(pools[2])
    assert all(set(pool) <= set(scores) for pool in pools)
    ties = dict.fromkeys(scores, 1.0)
    first, second = (
        made("zero_cost_synflow", cells(), proxies=given).ask(50)
        for given in (ties, dict(reversed(ties.items())))
    )
    assert first == second


def test_scores_of_illegal_architectures_are_left_out() -> None:
    searcher = made("zero_cost_synflow", cells((0, 100_000)), proxies={(3,) * 6: 9.0, (0,) * 6: 1.0})
    assert searcher.ask(1) == [(0,) * 6]


@pytest.mark.parametrize("name", ["zero_cost_synflow", "zero_cost_naswot"])
def test_a_ranking_without_scores_says_what_it_needs(name: str) -> None:
    with pytest.raises(ValueError, match="needs its scores in the context"):
        made(name, cells())
