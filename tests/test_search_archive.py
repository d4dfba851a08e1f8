"""The history that the engine lends. Truth: a list, enumeration, and a set that cannot be walked."""

import random
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spaces import cells, evaluated, named

from harness.search.archive import SearchArchive, listed
from harness.search.loop import SearchContext, Searcher, run_search
from harness.space.choices import SearchSpace
from harness.space.form import Architecture

Draw = Callable[[SearchArchive, random.Random], list[Architecture]]
DRAWS: dict[str, Draw] = {
    "sample": SearchArchive.sample,
    "fresh": SearchArchive.fresh,
    "pick": SearchArchive.pick,
}


def small() -> SearchSpace:
    return named("hybrid:micro-attention", tolerance=0.05)


@given(st.lists(st.integers(0, 9), max_size=30), st.lists(st.integers(0, 9), max_size=9), st.integers(0, 9))
def test_it_takes_the_first_new_proposals_and_draws_no_more(
    proposed: list[int], claimed: list[int], wanted: int
) -> None:
    archive = SearchArchive(cells())
    for one in claimed:
        archive.claim((one,))
    proposals = iter([(one,) for one in proposed])
    new = [one for one in dict.fromkeys(proposed) if one not in claimed][:wanted]
    assert archive.take(proposals, wanted) == [(one,) for one in new]
    if wanted == 0:
        assert len(list(proposals)) == len(proposed)
    elif len(new) == wanted:
        assert len(list(proposals)) == len(proposed) - proposed.index(new[-1]) - 1
    assert archive.claimed == {(one,) for one in (*claimed, *new)}


@given(st.integers(1, 20))
def test_it_gives_up_after_as_many_misses_as_it_may_have(misses: int) -> None:
    archive = SearchArchive(cells())
    archive.claim((0,))
    drawn = count()
    assert archive.take(((0,) for _ in iter(lambda: next(drawn), None)), misses=misses) == []
    assert next(drawn) == misses


@given(st.lists(st.none() | st.sampled_from([0.25, 0.5, 0.75]), min_size=1, max_size=8))
def test_the_best_is_the_first_of_the_highest_fitness(scores: list[float | None]) -> None:
    archive = SearchArchive(cells())
    for place, score in enumerate(scores):
        archive.add(evaluated((place,), score))
    assert archive.best == max(archive.evaluations, key=lambda one: one.fitness)
    assert [archive.of[place,].score for place in range(len(scores))] == scores


@pytest.mark.parametrize("name", DRAWS)
def test_draws_give_a_small_space_out_to_its_last_architecture(name: str) -> None:
    space = small()
    archive, draw = SearchArchive(space), random.Random(0)
    found = list(iter(lambda: tuple(DRAWS[name](archive, draw)), ()))
    assert len(found) == len(set(found))
    assert {one for (one,) in found} == {one for one in space.enumerate() if space.legal(one)}


@pytest.mark.parametrize("name", ["fresh", "pick"])
def test_a_space_without_a_legal_architecture_is_exhausted_at_once(name: str) -> None:
    assert DRAWS[name](SearchArchive(cells((1, 2))), random.Random(0)) == []


class Closed(set[Architecture]):
    """A history whose members can be looked up and not walked through."""

    def __iter__(self) -> Iterator[Architecture]:
        raise AssertionError("walked through the history")


@pytest.mark.parametrize("name", DRAWS)
def test_the_last_of_a_small_space_are_found_without_a_walk_through_the_history(name: str) -> None:
    archive, draw = SearchArchive(small()), random.Random(0)
    everything = listed(archive.space) or ()
    archive.claimed = Closed()
    for one in everything[:-4]:
        archive.add(evaluated(one, 0.5))
    archive.evaluations = None
    first = DRAWS[name](archive, draw)
    other = next(archive.new(everything))
    archive.claim(other)  # by another way than a draw
    drawn = list(islice(iter(lambda: tuple(DRAWS[name](archive, draw)), ()), 2))
    assert {*first, other, *(one for (one,) in drawn)} == set(everything[-4:])


def test_the_engine_fills_the_archive_that_its_searcher_reads() -> None:
    class Reader(Searcher):
        def __init__(self, context: SearchContext) -> None:
            self.archive, self.read = context.archive, list[Any]()

        def ask(self, count: int) -> list[Architecture]:
            self.read.append((self.archive.best, len(self.archive.evaluations)))
            return self.archive.fresh(random.Random(0), 2)

    context = SearchContext(space=cells(), seed=0, budget=6)
    reader = Reader(context)
    result = run_search(reader, context, lambda one: float(sum(one)))
    assert reader.read[0] == (None, 0)
    assert [length for _, length in reader.read] == [0, 2, 4]
    assert reader.read[1][0] == max(result.history[:2], key=lambda one: one.fitness)
    assert result.history == tuple(context.archive.evaluations)


def test_a_repair_is_the_nearest_of_all_that_is_legal_and_new() -> None:
    space, draw = small(), random.Random(1)
    everything = listed(space)
    assert everything is not None
    archive = SearchArchive(space)
    for _ in range(40):
        genes = space.canonical([draw.randrange(len(choice.options)) for choice in space.choices])
        if space.in_window(genes):
            continue
        found = archive.nearest(genes, draw)
        assert found is not None
        repaired, distance = found
        assert repaired in everything
        assert repaired not in archive.claimed
        singles = {one for one in space.changes(genes) if space.in_window(one)} - archive.claimed
        assert not singles or repaired in singles
        assert distance == sum(a != b for a, b in zip(repaired, genes, strict=True)) > 0
        if singles:
            size = space.parameters(genes)
            assert abs(space.parameters(repaired) - size) == min(
                abs(space.parameters(one) - size) for one in singles
            )
        archive.claim(repaired)


def test_nothing_is_repaired_where_all_that_is_legal_is_claimed() -> None:
    space, draw = small(), random.Random(1)
    archive = SearchArchive(space)
    last, *others = listed(space) or ()
    for one in others:
        archive.claim(one)
    outside = space.canonical([0] * len(space.choices))
    assert not space.in_window(outside)
    assert archive.nearest(outside, draw, besides=[last]) is None
    found = archive.nearest(outside, draw)
    assert found is None or found[0] == last
