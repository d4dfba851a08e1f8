"""Decodes architectures choice by choice with a model too small to write them freely.

Options are coded as letters, and the model's log-probabilities over the letters that still lead to something
legal and new are sampled from. The prompt shows the best architectures so far, best last.
"""

import math
import random
import string
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from harness.llm.client import Client, Usage
from harness.search import Evaluation
from harness.space import Architecture, SearchSpace

POOL = 2000
TRIES = 64


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
        coded = " ".join(
            f"{letter}={option}"
            for letter, option in zip(string.ascii_uppercase, choice.options, strict=False)
        )
        lines[f"{stem}: {coded}"] = None
    return "\n".join(lines)


def coded(space: SearchSpace, architecture: Architecture) -> str:
    """Returns the letters of the active choices, ` B C A`."""
    used = space.active(architecture)
    return "".join(
        f" {string.ascii_uppercase[gene]}" for gene, active in zip(architecture, used, strict=True) if active
    )


def decoding_prompt(
    space: SearchSpace, strategy: str, history: Sequence[Evaluation], *, examples: int
) -> str:
    """Returns the text after which the letters of a new, better architecture should follow."""
    scored = [(one.score, one) for one in history if one.score is not None]
    best = sorted(scored, key=lambda pair: pair[0])[-examples:]
    lines = [f"{score:.4f}:{coded(space, one.architecture)}" for score, one in best]
    return (
        "Neural network designs as letters, sorted by score, higher is better.\n"
        f"{legend(space)}\n{strategy}\n" + "\n".join(lines) + "\nbest:"
    )


class ChoiceDecoder:
    """Draws unvisited, legal architectures; never stalls while there is one that can be found."""

    def __init__(self, space: SearchSpace, pool_seed: int) -> None:
        self.space = space
        draw = random.Random(pool_seed)
        self.pool = sorted({space.sample(draw) for _ in range(POOL)})

    def decode(
        self,
        client: Client,
        prompt: str,
        *,
        count: int,
        visited: set[Architecture],
        draw: random.Random,
        temperature: float,
    ) -> Decoded:
        """Returns `count` new architectures, fewer where no more can be found."""
        seen = set(visited)
        found: list[Architecture] = []
        tally: Counter[str] = Counter()
        for _ in range(count):
            architecture = self._one(client, prompt, seen, draw, temperature, tally)
            if architecture is None:
                tally["fallback"] += 1
                architecture = self._any(seen, draw)
            if architecture is None:
                break
            seen.add(architecture)
            found.append(architecture)
        usage = Usage(**{name: tally[name] for name in Usage._fields})
        return Decoded(found, tally["letters"], tally["fallback"], usage)

    def _one(
        self,
        client: Client,
        prompt: str,
        seen: set[Architecture],
        draw: random.Random,
        temperature: float,
        tally: Counter[str],
    ) -> Architecture | None:
        space = self.space
        fitting = [one for one in self.pool if one not in seen]
        prefix: Architecture = ()
        text = prompt
        for index, choice in enumerate(space.choices):
            padded = prefix + (0,) * (len(space.choices) - index)
            if not space.active(padded)[index]:
                prefix = (*prefix, 0)
                continue
            open_genes = []
            for gene in range(len(choice.options)):
                longer = (*prefix, gene)
                if any(one[: index + 1] == longer for one in fitting):
                    open_genes.append(gene)
                    continue
                other = space.complete(longer, draw, tries=TRIES)
                if other is not None and other not in seen:
                    fitting.append(other)
                    open_genes.append(gene)
            if not open_genes:
                return None
            if len(open_genes) == 1:
                gene = open_genes[0]
            else:
                letters = [string.ascii_uppercase[one] for one in open_genes]
                cold = tally["letters"] == 0
                ratings = client.letters(text, letters, cold=cold)
                tally["letters"] += 1
                tally.update(ratings.usage._asdict())
                gene = open_genes[_sampled(ratings.logs, temperature, draw)]
            prefix = (*prefix, gene)
            text += f" {string.ascii_uppercase[gene]}"
            fitting = [one for one in fitting if one[: index + 1] == prefix]
        return prefix if space.legal(prefix) and prefix not in seen else None

    def _any(self, seen: set[Architecture], draw: random.Random) -> Architecture | None:
        left = [one for one in self.pool if one not in seen]
        if left:
            return draw.choice(left)
        for _ in range(POOL):
            architecture = self.space.sample(draw)
            if architecture not in seen:
                return architecture
        return None


def _sampled(logs: Sequence[float], temperature: float, draw: random.Random) -> int:
    """Returns an index drawn from the softmax of `logs` at `temperature`."""
    top = max(logs)
    weights = [math.exp((log - top) / temperature) for log in logs]
    return draw.choices(range(len(logs)), weights=weights)[0]
