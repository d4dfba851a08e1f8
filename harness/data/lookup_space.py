"""A space that holds the rows of a table alone, for tables that list some of a space's architectures."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.space import Architecture, SearchSpace

if TYPE_CHECKING:
    from torch import nn


class ListedSpace(SearchSpace):
    """The listed architectures of another space, within its window.

    Where no listed architecture is one choice away, the nearest ones are neighbours, so that a local search
    is not lost among few rows.
    """

    def __init__(self, space: SearchSpace, listed: Iterable[Architecture]) -> None:
        """Makes the space of those of `listed` that are legal in `space`."""
        self.space = space
        self.name = space.name
        self.signature = space.signature
        self.choices = space.choices
        self.window = space.window
        self._listed = dict.fromkeys(sorted(one for one in listed if space.legal(one)))
        self._order = list(self._listed)

    def default(self) -> Architecture:
        return self.space.default()

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return self.space.active(architecture)

    def canonical(self, architecture: Sequence[int]) -> Architecture:
        return self.space.canonical(architecture)

    def in_window(self, architecture: Architecture) -> bool:
        return architecture in self._listed

    def size(self) -> int:
        return len(self._order)

    def enumerate(self) -> Iterator[Architecture]:
        yield from self._order

    def complete(
        self, fixed: Mapping[int, int], draw: random.Random, *, tries: int = 2000
    ) -> Architecture | None:
        fitting = [one for one in self._order if all(one[index] == gene for index, gene in fixed.items())]
        return draw.choice(fitting) if fitting else None

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        apart: dict[int, list[Architecture]] = {}
        for one in self._order:
            distance = sum(mine != other for mine, other in zip(one, architecture, strict=True))
            apart.setdefault(distance, []).append(one)
        apart.pop(0, None)
        return apart[min(apart)] if apart else []

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return self.space.to_json(architecture)

    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        return self.space.from_json(value)

    def json_schema(self) -> dict[str, Any]:
        return self.space.json_schema()

    def parameters(self, architecture: Architecture) -> int:
        return self.space.parameters(architecture)

    def macs(self, architecture: Architecture) -> int:
        return self.space.macs(architecture)

    def build(self, architecture: Architecture) -> "nn.Module":
        return self.space.build(architecture)

    def supernet(self) -> "nn.Module":
        return self.space.supernet()

    def route(self, architecture: Architecture) -> Any:
        return self.space.route(architecture)

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        return self.space.slice(supernet, architecture)

    def card(self) -> str:
        return f"{self.space.card()}\nOnly {self.size()} of them can be evaluated."
