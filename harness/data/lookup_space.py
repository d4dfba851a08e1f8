"""A space that holds the rows of a table alone, for tables that list some of a space's architectures."""

import random
from collections.abc import Iterable, Iterator, Mapping

from harness.space import Architecture, SearchSpace, WrappedSpace


class ListedSpace(WrappedSpace):
    """The listed architectures of another space, within its window.

    Where no listed architecture is one choice away, the nearest ones are neighbours, so that a local search
    is not lost among few rows.
    """

    def __init__(self, space: SearchSpace, listed: Iterable[Architecture]) -> None:
        """Makes the space of those of `listed` that are legal in `space`."""
        super().__init__(space)
        self._listed = dict.fromkeys(sorted(one for one in listed if space.legal(one)))
        self._order = list(self._listed)

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

    def card(self) -> str:
        return f"{self.space.card()}\nOnly {self.size()} of them can be evaluated."
