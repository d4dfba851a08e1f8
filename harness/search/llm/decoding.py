"""Decodes architectures choice by choice with a model too small to write them freely.

Options are coded as letters, and the model's log-probabilities over the letters that still lead to something
legal and new are sampled from. The prompt shows the best architectures so far, best last.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Container, Sequence
from typing import NamedTuple

from harness.errors import HarnessError
from harness.llm.client import Client, Usage
from harness.search.archive import Evaluation
from harness.search.llm.letters import letter
from harness.space.choices import SearchSpace
from harness.space.form import Architecture

POOL = 2000
TRIES = 64
IDLE = 20
"""Completions that are looked at to see whether a choice has any effect."""
NOTHING = " -"
MOST_OPTIONS = 26
"""Capital letters, each a token of its own."""


class Decoded(NamedTuple):
    """New architectures, letters asked of the model, and draws that the model had no part in."""

    architectures: list[Architecture]
    letters: int
    fallbacks: int
    usage: Usage


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


class ChoiceDecoder:
    """Draws unvisited, legal architectures; never stalls while there is one that can be found."""

    def __init__(self, space: SearchSpace, pool_seed: int) -> None:
        most = max(len(choice.options) for choice in space.choices)
        if most > MOST_OPTIONS:
            raise HarnessError(
                f"The embedded model rates at most {MOST_OPTIONS} options of a choice and {space.name} has "
                f"{most}; use an endpoint."
            )
        self.space = space
        draw = random.Random(pool_seed)
        self.pool = sorted({space.sample(draw) for _ in range(POOL)})

    def decode(
        self,
        client: Client,
        prompt: str,
        *,
        count: int,
        visited: Container[Architecture],
        draw: random.Random,
        temperature: float,
        order: Sequence[int],
    ) -> Decoded:
        """Returns `count` new architectures, fewer where no more can be found.

        Choices are decoded in `order`, which callers should change from batch to batch: a model that copies
        its last example to the end would else vary nothing but the last choices.
        """
        found: list[Architecture] = []

        def is_seen(architecture: Architecture) -> bool:
            return architecture in visited or architecture in found

        tally: Counter[str] = Counter()
        rated = _Rated(client, tally)
        for _ in range(count):
            architecture = self._one(rated, prompt, is_seen, draw, temperature, order)
            if architecture is None:
                tally["fallback"] += 1
                architecture = self._any(is_seen, draw)
            if architecture is None:
                break
            found.append(architecture)
        usage = Usage(**{name: tally[name] for name in Usage._fields})
        return Decoded(found, tally["letters"], tally["fallback"], usage)

    def _one(
        self,
        rated: "_Rated",
        prompt: str,
        is_seen: Callable[[Architecture], bool],
        draw: random.Random,
        temperature: float,
        order: Sequence[int],
    ) -> Architecture | None:
        fitting = [one for one in self.pool if not is_seen(one)]
        fixed: dict[int, int] = {}
        text = prompt
        for index in order:
            open_genes = self._open(index, fixed, fitting, is_seen, draw)
            if not open_genes:
                return None
            gene = open_genes[0]
            is_idle = not any(self.space.active(one)[index] for one in fitting[:IDLE])
            if len(open_genes) > 1:
                logs = rated.logs(text, len(self.space.choices[index].options))
                gene = open_genes[_sampled([logs[one] for one in open_genes], temperature, draw)]
            fixed[index] = gene
            text += NOTHING if is_idle else f" {letter(gene)}"
            fitting = [one for one in fitting if one[index] == gene]
        found = tuple(fixed[index] for index in range(len(order)))
        return found if self.space.legal(found) and not is_seen(found) else None

    def _open(
        self,
        index: int,
        fixed: dict[int, int],
        fitting: list[Architecture],
        is_seen: Callable[[Architecture], bool],
        draw: random.Random,
    ) -> list[int]:
        """Returns the options that still lead to something new; adds what it finds to `fitting`."""
        found = []
        for gene in range(len(self.space.choices[index].options)):
            if not any(one[index] == gene for one in fitting):
                other = self.space.complete({**fixed, index: gene}, draw, tries=TRIES)
                if other is None or is_seen(other):
                    continue
                fitting.append(other)
            found.append(gene)
        return found

    def _any(self, is_seen: Callable[[Architecture], bool], draw: random.Random) -> Architecture | None:
        left = [one for one in self.pool if not is_seen(one)]
        if left:
            return draw.choice(left)
        for _ in range(POOL):
            architecture = self.space.sample(draw)
            if not is_seen(architecture):
                return architecture
        return None


class _Rated:
    """Asks for all letters of a choice, and once for each text: a batch shares its beginnings.

    The first question of a batch is a cold one, so that a batch depends on nothing before it.
    """

    def __init__(self, client: Client, tally: Counter[str]) -> None:
        self.client = client
        self.tally = tally
        self.known: dict[str, list[float]] = {}

    def logs(self, text: str, options: int) -> list[float]:
        if text not in self.known:
            letters = [letter(gene) for gene in range(options)]
            ratings = self.client.letters(text, letters, cold=not self.known)
            self.tally["letters"] += 1
            self.tally.update(ratings.usage._asdict())
            self.known[text] = ratings.logs
        return self.known[text]


def _sampled(logs: Sequence[float], temperature: float, draw: random.Random) -> int:
    top = max(logs)
    weights = [math.exp((log - top) / temperature) for log in logs]
    return draw.choices(range(len(logs)), weights=weights)[0]
