"""What searchers over populations share: one-choice steps, and generations of the best."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from harness.search.archive import Evaluation
from harness.search.loop import SearchContext, SeededSearcher
from harness.space.choices import SearchSpace
from harness.space.form import Architecture

STEP_TRIES = 200

OPTIONS = {"population": 50, "least_population": 8, "least_generations": 10, "top": 10, "tries": 100}
"""Options of `Generations` as both published searches have them."""
ALLOWED = dict.fromkeys(OPTIONS, (1, 100_000))
"""(Least, greatest) value of each."""


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


class Generations(SeededSearcher):
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
            rates: probability, per choice, that a mutant's gene is redrawn.
            is_paired_alike: whether the parents of a crossing should have the same active choices.
        """
        super().__init__(context)
        options = context.options
        room = max(options["least_population"], context.budget // options["least_generations"])
        self.population = min(options["population"], room)
        self.top = options["top"]
        self.tries = options["tries"]
        self.rates = tuple(rates)
        self.is_paired_alike = is_paired_alike
        self.waiting: list[Architecture] = []
        self.best: list[Evaluation] = []
        self.counters.update(generations=0, mutants=0, crossings=0, random=0)

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
        return {**super().report(), "settings": {"population_used": self.population}}

    def _generation(self) -> list[Architecture]:
        self.counters["generations"] += 1
        parents = [one.architecture for one in self.best[: self.top]]
        children: list[Architecture] = []
        if parents:
            half = self.population // 2
            mutants = self._children(half, lambda: self._mutant(self.draw.choice(parents)))
            crossings = self._children(self.population - half, lambda: self._crossing(parents))
            self.counters.update(mutants=len(mutants), crossings=len(crossings))
            children = mutants + crossings
        drawn = self.archive.fresh(self.draw, self.population - len(children))
        self.counters["random"] += len(drawn)
        return children + drawn

    def _children(self, wanted: int, make: Callable[[], Architecture]) -> list[Architecture]:
        made = (make() for _ in range(self.tries * wanted))
        return self.archive.take(filter(self.space.in_window, made), wanted)

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
