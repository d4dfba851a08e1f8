"""Local search steered by a surrogate: the change that is predicted best is evaluated first.

The project's own searcher, designed on the CIFAR-100 column of NAS-Bench-201 alone. A space's default
architecture and a few of its neighbours are a better start than as many random ones. What matters then is the
order among good architectures, so the fit sees scores by their gap to the best; and an option that was never
seen in one place is judged by what it did in others, by counts of options beside the one-hot columns. Every
sixth proposal is the best predicted of the whole space, by ranks, as a way out where the start misled.
"""

from collections.abc import Iterable
from functools import cache, partial

import numpy as np

from harness import Architecture, SearchContext, SearcherEntry, generator
from harness.search.loop import SeededSearcher
from harness.search.surrogates import RidgeSurrogate, candidates, closeness, codes_of, ranks

CYCLE = ("one_choice", "one_choice", "two_choices", "one_choice", "one_choice", "anywhere")


class SurrogateLocalSearch(SeededSearcher):
    """Descends by the best predicted one-choice changes, then adds two-choice changes and points anywhere.

    It starts with the space's default architecture and `neighbours` random neighbours of it, and keeps to
    one-choice changes of the best until none of them is new. The surrogate, refitted after each evaluation,
    is ridge regression on one-hot choices, their pairwise products and counts of options. Two-choice changes
    are the neighbours of the `widened` best predicted neighbours. Where the search has a limit, what exceeds
    it is proposed only at the start or when no other candidate is left.
    """

    def __init__(self, context: SearchContext) -> None:
        super().__init__(context)
        options = context.options
        self.limit = context.limit
        self.neighbours = int(options["neighbours"])
        self.widened = int(options["widened"])
        self.ties = generator(context.seed, "ties")
        self.candidates = cache(partial(candidates, self.space, self.draw, int(options["candidates"])))
        self.surrogate = RidgeSurrogate(
            self.archive, penalty=float(options["penalty"]), sharing=float(options["sharing"])
        )
        self.near_best = partial(closeness, softening=float(options["softening"]))
        self.is_descending = True  # until the first local optimum, only one-choice changes
        self.known: dict[Architecture, list[Architecture]] = {}
        self.counters.update(start=0, one_choice=0, two_choices=0, anywhere=0, random=0)

    def ask(self, count: int) -> list[Architecture]:
        """Returns one architecture, as each step depends on the one before."""
        done = len(self.archive.evaluations)
        kind, found = "one_choice", None
        if done <= self.neighbours:
            kind, found = "start", self._start()
        elif self.is_descending:
            found = self._one()
            self.is_descending = found is not None
        if found is None and not self.is_descending:
            kind = CYCLE[done % len(CYCLE)]
            found = {"one_choice": self._one, "two_choices": self._two, "anywhere": self._anywhere}[kind]()
        if found is None and done:
            kind, found = "anywhere", self._anywhere()
        batch = self.archive.take([found]) if found is not None else self.archive.pick(self.draw)
        self.counters["random" if found is None else kind] += len(batch)
        return batch

    def _start(self) -> Architecture | None:
        default = self.space.canonical(self.space.default())
        if not self.archive.claimed:
            return default if self.space.legal(default) else None
        near = list(self.archive.new(self.space.neighbours(default)))
        self.draw.shuffle(near)
        return next(iter(sorted(near, key=self._is_over)), None)

    def _one(self) -> Architecture | None:
        return self._first(self._predicted(self._near(self._best())))

    def _two(self) -> Architecture | None:
        near = self._predicted(self._near(self._best()))
        far = [two for one in near[: self.widened] for two in self._near(one)]
        return self._first(self._predicted([*near, *far]))

    def _anywhere(self) -> Architecture | None:
        architectures, codes, _ = self.candidates()
        predicted = self.surrogate.predict_again(codes, ranks)
        shuffled = self.ties.permutation(len(codes))
        order = shuffled[np.argsort(-predicted[shuffled], kind="stable")]
        return self._first(architectures[index] for index in order)

    def _near(self, architecture: Architecture) -> list[Architecture]:
        # An incumbent stands for many steps, and a parameter window makes its neighbours slow to list.
        if architecture not in self.known:
            self.known[architecture] = self.space.neighbours(architecture)
        return self.known[architecture]

    def _best(self) -> Architecture:
        assert self.archive.best is not None
        return self.archive.best.architecture

    def _predicted(self, architectures: Iterable[Architecture]) -> list[Architecture]:
        """Returns them without duplicates, the best predicted first."""
        unique = list(dict.fromkeys(architectures))
        # Early predictions tie, and the order in which a space lists its options must not decide then.
        self.draw.shuffle(unique)
        predicted = self.surrogate.predict(codes_of(self.space, unique), self.near_best)
        return [unique[index] for index in np.argsort(-predicted, kind="stable")]

    def _first(self, architectures: Iterable[Architecture]) -> Architecture | None:
        """Returns the first that was not proposed and keeps to the limit."""
        return next((one for one in self.archive.new(architectures) if not self._is_over(one)), None)

    def _is_over(self, architecture: Architecture) -> bool:
        if self.limit is None:
            return False
        return self.limit.of(self.space, architecture) > self.limit.value


SEARCHER = SearcherEntry(
    summary="Local search from the default architecture, the order of changes set by a pairwise surrogate.",
    build=SurrogateLocalSearch,
    family="model",
    options={
        "neighbours": 3,
        "widened": 24,
        "penalty": 1.0,
        "sharing": 1.0,
        "softening": 0.05,
        "candidates": 2000,
    },
)
