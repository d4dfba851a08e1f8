"""What searchers over populations share: unseen draws, one-choice steps and generations of the best."""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from harness.search.loop import Evaluation, SearchContext
from harness.space.choices import Architecture, SearchSpace

ENUMERABLE = 20_000
"""Spaces up to this size are known to be exhausted; larger ones are given up after `MISSES` draws."""
MISSES = 2000
DRAWS = 200_000
STEP_TRIES = 200

ALLOWED = {
    "population": (1, 100_000),
    "least_population": (1, 100_000),
    "least_generations": (1, 100_000),
    "top": (1, 100_000),
    "tries": (1, 100_000),
}
"""(Least, greatest) value of the options of `Generations`."""


class Unseen:
    """Random legal architectures without replacement, and the set of all that were claimed."""

    def __init__(self, space: SearchSpace, draw: random.Random) -> None:
        self.space = space
        self.draw = draw
        self.seen: set[Architecture] = set()
        self._left: list[Architecture] | None = None

    def claim(self, architecture: Architecture) -> bool:
        """Returns whether `architecture` is new, and makes it seen."""
        is_new = architecture not in self.seen
        self.seen.add(architecture)
        return is_new

    def sample(self) -> Architecture | None:
        """Returns a random legal architecture that is now claimed; None when none is left."""
        misses = 0
        while self._left is None and misses < MISSES:
            found = self.space.complete({}, self.draw, tries=DRAWS)
            if found is not None and self.claim(found):
                return found
            misses += 1
            if misses == MISSES // 20 or found is None:
                self._left = self._remaining()
                misses = misses if found is not None else MISSES
        while self._left:
            found = self._left.pop()
            if self.claim(found):
                return found
        return None

    def batch(self, count: int) -> list[Architecture]:
        """Returns at most `count` such architectures; fewer only when no more are left."""
        found: list[Architecture] = []
        while len(found) < count:
            architecture = self.sample()
            if architecture is None:
                break
            found.append(architecture)
        return found

    def _remaining(self) -> list[Architecture] | None:
        everything = list(islice(self.space.enumerate(), ENUMERABLE + 1))
        if len(everything) > ENUMERABLE:
            return None
        left = [one for one in everything if one not in self.seen and self.space.in_window(one)]
        self.draw.shuffle(left)
        return left


def step(space: SearchSpace, architecture: Architecture, draw: random.Random) -> Architecture | None:
    """Returns a random legal neighbour: first the choice is drawn, then its option; None when none was found.

    Where a parameter window forbids the change, a second one is drawn on top, as in `space.neighbours`.
    """
    for _ in range(STEP_TRIES):
        genes = _changed(space, architecture, draw)
        if genes is not None and space.window is not None and not space.in_window(genes):
            genes = _changed(space, genes, draw)
        if genes is not None and genes != architecture and space.in_window(genes):
            return genes
    return None


def _changed(space: SearchSpace, architecture: Architecture, draw: random.Random) -> Architecture | None:
    used = space.active(architecture)
    free = [index for index, choice in enumerate(space.choices) if used[index] and len(choice.options) > 1]
    if not free:
        return None
    index = draw.choice(free)
    gene = draw.randrange(len(space.choices[index].options) - 1)
    gene += gene >= architecture[index]
    return space.canonical((*architecture[:index], gene, *architecture[index + 1 :]))


class Generations:
    """Generations whose children are mutants and crossings of the best so far; the first one is random.

    Options: `population` (of a generation), `least_generations` and `least_population` (the population is
    smaller where the budget has no room for so many generations), `top` (parents), `tries` (draws for each
    child before a random architecture takes its place).
    """

    def __init__(
        self, context: SearchContext, rates: Sequence[float], *, is_paired_alike: bool = False
    ) -> None:
        """Makes the state before the first generation.

        Args:
            context: what is searched.
            rates: probability, per choice, that a mutant's gene is redrawn.
            is_paired_alike: whether the parents of a crossing should have the same active choices.
        """
        options = context.options
        self.space = context.space
        self.draw = random.Random(context.seed)
        self.unseen = Unseen(context.space, self.draw)
        room = max(options["least_population"], context.budget // options["least_generations"])
        self.population = min(options["population"], room)
        self.top = options["top"]
        self.tries = options["tries"]
        self.rates = tuple(rates)
        self.is_paired_alike = is_paired_alike
        self.waiting: list[Architecture] = []
        self.best: list[Evaluation] = []
        self.counts: Counter[str] = Counter()

    def ask(self, count: int) -> list[Architecture]:
        """Returns the next of this generation, whose results make the next one."""
        if not self.waiting:
            self.waiting = self._generation()
        batch, self.waiting = self.waiting[:count], self.waiting[count:]
        return batch

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        told = [one for one in evaluations if one.fitness > -math.inf]
        self.best = sorted(self.best + told, key=lambda one: -one.fitness)[: self.top + self.population]

    def report(self) -> dict[str, Any]:
        names = ("generations", "mutants", "crossings", "random")
        return {
            "counters": {name: self.counts[name] for name in names},
            "settings": {"population_used": self.population},
        }

    def _generation(self) -> list[Architecture]:
        self.counts["generations"] += 1
        parents = [one.architecture for one in self.best[: self.top]]
        children: list[Architecture] = []
        if parents:
            half = self.population // 2
            mutants = self._children(half, lambda: self._mutant(self.draw.choice(parents)))
            crossings = self._children(self.population - half, lambda: self._crossing(parents))
            self.counts.update(mutants=len(mutants), crossings=len(crossings))
            children = mutants + crossings
        drawn = self.unseen.batch(self.population - len(children))
        self.counts["random"] += len(drawn)
        return children + drawn

    def _children(self, wanted: int, make: Callable[[], Architecture]) -> list[Architecture]:
        found: list[Architecture] = []
        for _ in range(self.tries * wanted):
            if len(found) == wanted:
                break
            child = make()
            if self.space.in_window(child) and self.unseen.claim(child):
                found.append(child)
        return found

    def _mutant(self, parent: Architecture) -> Architecture:
        # An inactive gene holds nothing to inherit, so it is drawn in case the mutant activates it.
        inherited = zip(parent, self.space.active(parent), self.rates, self.space.choices, strict=True)
        return self.space.canonical(
            [
                gene if used and self.draw.random() >= rate else self.draw.randrange(len(choice.options))
                for gene, used, rate, choice in inherited
            ]
        )

    def _crossing(self, parents: Sequence[Architecture]) -> Architecture:
        first = self.draw.choice(parents)
        second = self.draw.choice(parents)
        used = self.space.active(first)
        others = self.space.active(second)
        if self.is_paired_alike and others != used:
            alike = [one for one in parents if self.space.active(one) == used]
            second, others = self.draw.choice(alike), used
        genes = []
        for index, choice in enumerate(self.space.choices):
            held = [one[index] for one, on in ((first, used[index]), (second, others[index])) if on]
            genes.append(self.draw.choice(held) if held else self.draw.randrange(len(choice.options)))
        return self.space.canonical(genes)
