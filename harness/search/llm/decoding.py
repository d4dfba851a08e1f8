"""Decodes architectures choice by choice with a model too small to write them freely.

Options are coded as letters, and the model's log-probabilities over the letters that still lead to something
legal and new are sampled from. The prompt shows the best architectures so far, best last.
"""

import math
import random
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError
from harness.llm.client import Client, Usage
from harness.search.archive import Evaluation
from harness.search.llm.anonymous import letter
from harness.space.choices import SearchSpace
from harness.space.form import Architecture

POOL = 2000
TRIES = 64
IDLE = 20
"""Completions that are looked at to see whether a choice has any effect."""
NOTHING = " -"
MOST_OPTIONS = 26
"""Capital letters, each a token of its own."""


def legend(space: SearchSpace) -> str:
    """Returns what each letter means, one choice a line; layers of one choice share a line."""
    lines: dict[str, None] = {}
    for choice in space.choices:
        stem = choice.name.partition("[")[0]
        meanings = {letter(gene): option for gene, option in enumerate(choice.options)}
        told = " ".join(f"{name}={option}" for name, option in meanings.items() if option != name)
        if told:
            lines[f"{stem}: {told}"] = None
    return "\n".join(lines)


def coded(space: SearchSpace, architecture: Architecture, order: Sequence[int]) -> str:
    """Returns the letters of the choices in `order`, ` B C - A`, with a dash where one has no effect."""
    used = space.active(architecture)
    return "".join(f" {letter(architecture[index])}" if used[index] else NOTHING for index in order)


def decoding_prompt(
    space: SearchSpace, strategy: str, history: Sequence[Evaluation], *, examples: int, order: Sequence[int]
) -> str:
    """Returns the text after which the letters of a new, better architecture should follow."""
    scored = [(one.score, one) for one in history if one.score is not None]
    best = sorted(scored, key=lambda pair: pair[0])[-examples:] if examples else []
    lines = [coded(space, one.architecture, order) for _, one in best]
    head = [part for part in (legend(space), strategy) if part]
    return "\n".join(["Designs as letters, best last.", *head, *lines]) + "\n"


def pool_of(space: SearchSpace, seed: int) -> list[Architecture]:
    """Returns random architectures, whose beginnings are known to lead to something legal.

    Raises:
        HarnessError: a choice has more options than there are letters.
    """
    most = max(len(choice.options) for choice in space.choices)
    if most > MOST_OPTIONS:
        raise HarnessError(
            f"The embedded model rates at most {MOST_OPTIONS} options of a choice and {space.name} has "
            f"{most}; use an endpoint."
        )
    draw = random.Random(seed)
    return sorted({space.sample(draw) for _ in range(POOL)})


@dataclass(kw_only=True)
class ChoiceDecoder:
    """Draws a batch of unvisited, legal architectures; never stalls while there is one that can be found.

    Attributes:
        client: rates letters; asked once for each text, as a batch shares its beginnings, and the first time
            cold, so that a batch depends on nothing before it.
        space: that is searched.
        pool: of the space.
        visited: what is not to be drawn.
        draw: where chance comes from.
        temperature: of the ratings.
        order: in which choices are decoded, to be changed from batch to batch: a model that copies its last
            example to the end would else vary nothing but the last choices.
    """

    client: Client
    space: SearchSpace
    pool: Sequence[Architecture]
    visited: Container[Architecture]
    draw: random.Random
    temperature: float
    order: Sequence[int]

    def __post_init__(self) -> None:
        self._found: list[Architecture] = []
        self._tally: Counter[str] = Counter()
        self._known: dict[str, list[float]] = {}

    def decode(self, prompt: str, count: int) -> dict[str, Any]:
        """Returns `count` new architectures, fewer where no more can be found, as a transcript keeps them.

        Beside them stand the letters asked of the model, its tokens, and the draws it had no part in.
        """
        for _ in range(count):
            architecture = self._one(prompt)
            if architecture is None:
                self._tally["fallback"] += 1
                architecture = self._any()
            if architecture is None:
                break
            self._found.append(architecture)
        return {
            "architectures": self._found,
            "letters": self._tally["letters"],
            "fallbacks": self._tally["fallback"],
            "usage": [self._tally[name] for name in Usage._fields],
        }

    def _is_new(self, architecture: Architecture) -> bool:
        return architecture not in self.visited and architecture not in self._found

    def _one(self, text: str) -> Architecture | None:
        fitting = list(filter(self._is_new, self.pool))
        fixed: dict[int, int] = {}
        for index in self.order:
            open_genes = self._open(index, fixed, fitting)
            if not open_genes:
                return None
            gene = open_genes[0]
            is_idle = not any(self.space.active(one)[index] for one in fitting[:IDLE])
            if len(open_genes) > 1:
                logs = self._logs(text, len(self.space.choices[index].options))
                gene = open_genes[_sampled([logs[one] for one in open_genes], self.temperature, self.draw)]
            fixed[index] = gene
            text += NOTHING if is_idle else f" {letter(gene)}"
            fitting = [one for one in fitting if one[index] == gene]
        found = tuple(fixed[index] for index in range(len(self.order)))
        return found if self.space.legal(found) and self._is_new(found) else None

    def _open(self, index: int, fixed: dict[int, int], fitting: list[Architecture]) -> list[int]:
        """Returns the options that still lead to something new; adds what it finds to `fitting`."""
        found = []
        for gene in range(len(self.space.choices[index].options)):
            if not any(one[index] == gene for one in fitting):
                other = self.space.complete({**fixed, index: gene}, self.draw, tries=TRIES)
                if other is None or not self._is_new(other):
                    continue
                fitting.append(other)
            found.append(gene)
        return found

    def _any(self) -> Architecture | None:
        left = list(filter(self._is_new, self.pool))
        if left:
            return self.draw.choice(left)
        drawn = (self.space.sample(self.draw) for _ in range(POOL))
        return next(filter(self._is_new, drawn), None)

    def _logs(self, text: str, options: int) -> list[float]:
        if text not in self._known:
            letters = [letter(gene) for gene in range(options)]
            ratings = self.client.letters(text, letters, cold=not self._known)
            self._tally.update(letters=1, **ratings.usage._asdict())
            self._known[text] = ratings.logs
        return self._known[text]


def _sampled(logs: Sequence[float], temperature: float, draw: random.Random) -> int:
    top = max(logs)
    weights = [math.exp((log - top) / temperature) for log in logs]
    return draw.choices(range(len(logs)), weights=weights)[0]
