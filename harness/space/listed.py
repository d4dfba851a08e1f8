"""Spaces of tables: one that a card declares, and one that holds some rows of a larger space alone."""

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.files import canonical_json
from harness.space.choices import Architecture, Choice, SearchSpace, WrappedSpace
from harness.task.signature import Signature

SHOWN = 40
"""Options of a choice that are listed for a language model."""


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
    """Choices that a table's card declares, all active always; the default has the first option of each.

    There are no networks: what an architecture scores, and what it costs, is known by the table alone.
    """

    def __init__(
        self, name: str, choices: Mapping[str, Sequence[Any]], costs: Mapping[str, Mapping[Architecture, int]]
    ) -> None:
        """Makes the space; `costs` may hold `parameters` and `macs` of architectures."""
        self.name = name
        self.signature = Signature(kind="image", classes=2)
        self.choices = tuple(
            Choice(name=key, options=tuple(options), meaning=key) for key, options in choices.items()
        )
        self._costs = costs

    def default(self) -> Architecture:
        return (0,) * len(self.choices)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True,) * len(self.choices)

    def size(self) -> int:
        return math.prod(len(choice.options) for choice in self.choices)

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return {
            choice.name: choice.options[gene] for choice, gene in zip(self.choices, architecture, strict=True)
        }

    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        names = [choice.name for choice in self.choices]
        if not isinstance(value, Mapping) or set(value) != set(names):
            raise HarnessError(f"Space {self.name} wants exactly {', '.join(names)}, not {value!r}.")
        genes = []
        for choice in self.choices:
            if value[choice.name] not in choice.options:
                raise HarnessError(f"{choice.name} of {self.name} has no option {value[choice.name]!r}.")
            genes.append(choice.options.index(value[choice.name]))
        return tuple(genes)

    def json_schema(self) -> dict[str, Any]:
        properties = {choice.name: {"enum": list(choice.options)} for choice in self.choices}
        return {
            "type": "object",
            "properties": properties,
            "required": sorted(properties),
            "additionalProperties": False,
        }

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

    def build(self, *_: Any) -> Any:
        raise HarnessError(f"Space {self.name} is known by its table alone; it has no networks to build.")

    supernet = route = slice = build  # type: ignore[assignment]

    def card(self) -> str:
        lines = []
        for choice in self.choices:
            shown = ", ".join(map(repr, choice.options[:SHOWN]))
            more = f" and {len(choice.options) - SHOWN} more" if len(choice.options) > SHOWN else ""
            lines.append(f"{choice.name}: {shown}{more}")
        example = canonical_json(self.to_json(self.default()))
        listed = "\n".join(lines)
        return f"Architectures of one option for each choice:\n{listed}\nJSON form, by an example: {example}"
