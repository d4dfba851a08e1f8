"""The history of a search, which the engine fills and lends to its searcher, and draws of what is new."""

import math
import random
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain, islice
from typing import Final

from harness.space.choices import SearchSpace
from harness.space.form import Architecture

LISTED: Final = 20_000
"""Spaces up to this size are listed, and so known to be exhausted; of larger ones draws are given up."""
PATIENCE: Final = 2000
"""Draws in a row without a new architecture after which a search is over."""
LISTING: Final = PATIENCE // 20
"""Such draws after which `SearchArchive.fresh` lists what is left."""
DRAWN: Final = 20
"""Draws for each number of choices that a repair keeps."""
TRIES: Final = 200_000
"""Random genes of which none is legal after which a space seems empty."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One evaluated architecture.

    Attributes:
        architecture: canonical and legal.
        score: higher is better; None when the evaluation failed or was not finite.
        parameters: trainable parameters; None where nobody knows them.
        macs: multiply-accumulates of one sample; None where nobody knows them.
        iteration: the ask, from 0, that proposed it.
        limited: the cost that a limit is of; None without a limit.
        over_limit: whether that keeps it from being the incumbent.
    """

    architecture: Architecture
    score: float | None
    parameters: int | None
    macs: int | None
    iteration: int
    limited: float | None = None
    over_limit: bool = False

    @property
    def fitness(self) -> float:
        """The score, or minus infinity for what failed or is over the limit."""
        return -math.inf if self.score is None or self.over_limit else self.score


class SearchArchive:
    """What one search has claimed and evaluated, and draws of what it has not.

    A searcher claims an architecture by drawing it here or by laying it by for a later ask, and what is
    claimed is not drawn again; what is evaluated is claimed. Nothing here costs more as the history grows.
    The draws are as a published search needs them: `sample` with repeats until it gives up, `fresh` certain
    to find the last of a small space, `pick` uniform over architectures rather than genes.

    Attributes:
        space: that is searched.
        claimed: every architecture that is not to be proposed anew.
        evaluations: in the order in which they were spent.
        of: architecture -> its evaluation.
        best: the first evaluation of the highest fitness, which is minus infinity while none is within the
            limit and finite; None before the first evaluation.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.claimed: set[Architecture] = set()
        self.evaluations: list[Evaluation] = []
        self.of: dict[Architecture, Evaluation] = {}
        self.best: Evaluation | None = None
        self._shuffled: Iterator[Architecture] | None = None  # what was left when `fresh` listed it
        self._places: dict[Architecture, int] = {}
        self._rest: list[int] | None = None  # places of what is left, ascending, once `pick` chooses from it

    def add(self, evaluation: Evaluation) -> None:
        """Takes an evaluation into the history; the engine does this."""
        self.claim(evaluation.architecture)
        self.evaluations.append(evaluation)
        self.of[evaluation.architecture] = evaluation
        if self.best is None or evaluation.fitness > self.best.fitness:
            self.best = evaluation

    def claim(self, architecture: Architecture) -> bool:
        """Returns whether a legal architecture is new, and claims it."""
        if architecture in self.claimed:
            return False
        self.claimed.add(architecture)
        if self._rest is not None:
            del self._rest[bisect_left(self._rest, self._places[architecture])]
        return True

    def new(self, architectures: Iterable[Architecture]) -> Iterator[Architecture]:
        """Yields those that are not claimed, in their order; it claims none."""
        return (architecture for architecture in architectures if architecture not in self.claimed)

    def take(
        self, proposals: Iterable[Architecture], count: int = 1, *, misses: int | None = None
    ) -> list[Architecture]:
        """Claims and returns the first `count` new ones of `proposals`, and draws no more than it needs.

        Args:
            proposals: legal architectures, perhaps without end.
            misses: claimed ones among them after which it returns fewer; None for any number.
        """
        found: list[Architecture] = []
        left = iter(proposals)
        while len(found) < count and misses != 0:
            architecture = next(left, None)
            if architecture is None:
                break
            if self.claim(architecture):
                found.append(architecture)
            elif misses is not None:
                misses -= 1
        return found

    def sample(self, draw: random.Random, count: int = 1) -> list[Architecture]:
        """Claims and returns random architectures as the space draws them; fewer after many repeats."""
        return self.take(iter(partial(self.space.sample, draw), None), count, misses=PATIENCE)

    def fresh(self, draw: random.Random, count: int = 1) -> list[Architecture]:
        """Does what `sample` does, and after some repeats gives out what is left of a small space, shuffled.

        It returns fewer only when no more are left, or seem to be left of a large space.
        """
        return _several(count, partial(self._fresh, draw))

    def pick(self, draw: random.Random, count: int = 1) -> list[Architecture]:
        """Claims and returns architectures, each uniform over what is left of a small space.

        Of a larger space it returns what `sample` does, where genes are uniform rather than architectures.
        It returns fewer as `fresh` does.
        """
        return _several(count, partial(self._pick, draw))

    def nearest(
        self, architecture: Architecture, draw: random.Random, besides: Collection[Architecture] = ()
    ) -> tuple[Architecture, int] | None:
        """Returns a legal architecture near an illegal one, and in how many choices they differ; claims none.

        It is the one of nearest size that differs in one choice or, failing that, in two; where there is
        none, a random one that keeps as many choices as can be found. None where nothing legal seems left.

        Args:
            architecture: canonical.
            draw: of what is farther than two choices.
            besides: what is not to be returned although nobody claimed it.
        """

        def found(near: Iterable[Architecture]) -> list[Architecture]:
            return [one for one in self.new(near) if one not in besides and self.space.in_window(one)]

        size = self.space.parameters(architecture)
        singles = list(dict.fromkeys(self.space.changes(architecture)))
        near = found(singles)
        if not near:
            near = found(dict.fromkeys(chain.from_iterable(map(self.space.changes, singles))))
        if not near:
            near = found(self._farther(architecture, draw))[:1]
        best = min(near, key=lambda one: (abs(self.space.parameters(one) - size), one), default=None)
        if best is None:
            return None
        return best, sum(a != b for a, b in zip(best, architecture, strict=True))

    def _farther(self, architecture: Architecture, draw: random.Random) -> Iterator[Architecture]:
        """Yields legal architectures that keep fewer and fewer choices, at last none."""
        count = len(architecture)
        for kept in range(count - 3, -1, -1):
            for _ in range(DRAWN if kept else PATIENCE):
                fixed = {index: architecture[index] for index in draw.sample(range(count), kept)}
                one = self.space.complete(fixed, draw, tries=1)
                if one is not None:
                    yield one

    def _pick(self, draw: random.Random) -> list[Architecture]:
        everything = listed(self.space)
        if everything is None:
            return self.sample(draw)
        if 2 * len(self.claimed) < len(everything):
            return self.take(iter(partial(draw.choice, everything), None), misses=PATIENCE)
        if self._rest is None:
            self._places = {architecture: place for place, architecture in enumerate(everything)}
            self._rest = [self._places[architecture] for architecture in self.new(everything)]
        return self.take([everything[draw.choice(self._rest)]] if self._rest else [])

    def _fresh(self, draw: random.Random) -> list[Architecture]:
        misses = 0
        while self._shuffled is None and misses < PATIENCE:
            found = self.space.complete({}, draw, tries=TRIES)
            if found is not None and self.claim(found):
                return [found]
            misses = misses + 1 if found is not None else PATIENCE
            everything = listed(self.space) if misses in (LISTING, PATIENCE) else None
            if everything is not None:
                left = list(self.new(everything))
                draw.shuffle(left)
                self._shuffled = reversed(left)
        return self.take(self._shuffled or ())


def _several(count: int, draw_one: Callable[[], list[Architecture]]) -> list[Architecture]:
    found: list[Architecture] = []
    while len(found) < count and (drawn := draw_one()):
        found += drawn
    return found


@lru_cache(maxsize=4)
def listed(space: SearchSpace) -> tuple[Architecture, ...] | None:
    """Returns every legal architecture in gene order, or None where a space is too large to be listed.

    Listed once per space, as a study runs hundreds of searches in the same one.
    """
    # A space far too large is not even begun; inactive choices make the product an upper bound only.
    if math.prod(len(choice.options) for choice in space.choices) > LISTED**2:
        return None
    everything = tuple(islice(space.enumerate(), LISTED + 1))
    if len(everything) > LISTED:
        return None
    return tuple(filter(space.in_window, everything))
