"""Spaces of tables: one that a card declares, and one that holds some rows of a larger space alone."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.space.choices import SearchSpace, WrappedSpace
from harness.space.form import Architecture, Choice
from harness.task.signature import Signature


class ListedSpace(WrappedSpace):
    """The listed architectures of another space, within its window.

    Where no listed architecture is one choice away, the nearest ones are neighbours, so that a local search
    is not lost among few rows. The default is the other space's where it is listed, and the nearest to it
    otherwise.
    """

    def __init__(self, space: SearchSpace, listed: Iterable[Architecture]) -> None:
        """Makes the space of those of `listed` that are legal in `space`."""
        super().__init__(space)
        self._listed = dict.fromkeys(sorted(one for one in listed if space.legal(one)))
        self._order = list(self._listed)

    def default(self) -> Architecture:
        plain = self.space.default()
        if plain in self._listed:
            return plain
        return self._order[int(np.argmin(self._distances(plain)))]

    def in_window(self, architecture: Architecture) -> bool:
        return architecture in self._listed

    def size(self) -> int:
        return len(self._order)

    def enumerate(self) -> Iterator[Architecture]:
        yield from self._order

    def complete(
        self, fixed: Mapping[int, int], draw: random.Random, *, tries: int = 2000
    ) -> Architecture | None:
        fitting = self._order
        if fixed:
            genes = self._genes
            kept = np.all([genes[:, index] == gene for index, gene in fixed.items()], axis=0)
            fitting = [self._order[index] for index in np.flatnonzero(kept)]
        return draw.choice(fitting) if fitting else None

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        distances = self._distances(architecture)
        distances[distances == 0] = len(self.choices) + 1
        nearest = distances.min(initial=len(self.choices) + 1)
        if nearest > len(self.choices):
            return []
        return [self._order[index] for index in np.flatnonzero(distances == nearest)]

    def card(self) -> str:
        return f"{self.space.card()}\nOnly {self.size()} of them can be evaluated."

    @cached_property
    def _genes(self) -> NDArray[np.int64]:
        return np.asarray(self._order, dtype=np.int64).reshape(len(self._order), len(self.choices))

    def _distances(self, architecture: Architecture) -> NDArray[np.int64]:
        return np.asarray((self._genes != np.asarray(architecture)).sum(axis=1))


class DeclaredSpace(SearchSpace):
    """Choices that a table's card declares; the default has the first option of each.

    There are no networks: what an architecture scores, and what it costs, is known by the table alone.
    """

    def __init__(
        self, name: str, choices: Mapping[str, Sequence[Any]], costs: Mapping[str, Mapping[Architecture, int]]
    ) -> None:
        """Makes the space; `costs` may hold `parameters` and `macs` of architectures."""
        empty = [key for key, options in choices.items() if not options]
        if empty:
            raise HarnessError(f"Choice {empty[0]!r} of table {name} has no options; give rows, or options.")
        super().__init__(
            name,
            Signature(kind="image", classes=2),
            None,
            parts=[Choice(name=key, options=tuple(options), meaning=key) for key, options in choices.items()],
            default={key: options[0] for key, options in choices.items()},
            about="Architectures of one option for each choice.",
        )
        self._costs = costs

    def costs(self, architecture: Architecture) -> tuple[int | None, int | None]:
        parameters, macs = (self._costs.get(name, {}).get(architecture) for name in ("parameters", "macs"))
        return parameters, macs

    def parameters(self, architecture: Architecture) -> int:
        return self._known("parameters", self.costs(architecture)[0])

    def macs(self, architecture: Architecture) -> int:
        return self._known("macs", self.costs(architecture)[1])

    def _known(self, what: str, value: int | None) -> int:
        if value is None:
            raise HarnessError(
                f"Nobody published the {what} of this architecture of {self.name}; the card's `costs` may."
            )
        return value
