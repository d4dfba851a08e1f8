"""A space with letters for names, to see whether a language model searches or remembers."""

import string
from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError
from harness.space.choices import SearchSpace, WrappedSpace
from harness.space.form import Architecture, Choice, object_schema


def letter(gene: int) -> str:
    """Returns A to Z for options 0 to 25, then AA, AB and so on; a small model reads each as one token."""
    first, last = divmod(gene, 26)
    return (letter(first - 1) if first else "") + string.ascii_uppercase[last]


class AnonymousSpace(WrappedSpace):
    """Another space under names that say nothing; its architectures are the same gene tuples.

    An architecture reads as one letter per choice, {"x": ["A", "C", ...]}; neither the space's name nor
    what an option is appears anywhere.
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.name = "space"
        self.choices = tuple(
            Choice(
                name=f"x{index}",
                options=tuple(letter(gene) for gene in range(len(choice.options))),
                meaning="a choice",
            )
            for index, choice in enumerate(space.choices)
        )

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return {"x": [letter(gene) for gene in architecture]}

    def from_json(self, value: Mapping[str, Any] | str) -> Architecture:
        names = value.get("x") if isinstance(value, Mapping) and set(value) == {"x"} else None
        if not isinstance(names, list) or len(names) != len(self.choices):
            raise HarnessError(f'The space wants {{"x": [{len(self.choices)} letters]}}, not {value!r}.')
        genes = []
        for choice, name in zip(self.choices, names, strict=True):
            if name not in choice.options:
                raise HarnessError(
                    f"{choice.name} is one of {', '.join(map(str, choice.options))}, not {name!r}."
                )
            genes.append(choice.options.index(name))
        return self.canonical(genes)

    def json_schema(self) -> dict[str, Any]:
        items = [{"enum": list(choice.options)} for choice in self.choices]
        size = len(items)
        letters = {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}
        return object_schema({"x": letters})

    def card(self) -> str:
        lines = [f"- {choice.name}: {' '.join(map(str, choice.options))}" for choice in self.choices]
        example = ", ".join(f'"{choice.options[-1]}"' for choice in self.choices)
        return (
            f"A list of {len(self.choices)} choices, in this order, each one of the letters beside it:\n"
            + "\n".join(lines)
            + f'\nJSON form, one letter per choice: {{"x": [{example}]}}\n'
            "What the letters mean is not told. Some choices may have no effect where others forbid it."
        )
