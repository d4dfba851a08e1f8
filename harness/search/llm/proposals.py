"""Reads architectures out of what a model wrote: text is data, and every loss is counted with a reason."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from harness.errors import HarnessError
from harness.search.llm.mending import Repeated, Words, json_values, mended
from harness.space.choices import SearchSpace
from harness.space.form import Architecture

LONGEST_TEXT = 200_000
MOST_PROPOSALS = 200
MOST_DEPTH = 30
MOST_WORDS = 2000
FOREIGN = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError)
"""What a space may raise for a value that is nothing like an architecture."""


class Proposals(NamedTuple):
    """What a reply held: proposals found, canonical architectures of the space, and losses by reason."""

    proposed: int
    architectures: list[Architecture]
    dropped: Counter[str]


def read_proposals(text: str, space: SearchSpace) -> Proposals:
    """Returns the architectures in a model's reply; never raises for what the text holds.

    A proposal is an object with the keys of the space's JSON form, whatever it is wrapped in; an object with
    none of them counts as one that is lost. A space with one list in its form is also read from the bare
    list, and one whose `from_json` takes text, such as the string of a benchmark, from that text.
    """
    dropped: Counter[str] = Counter()
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT]
        dropped["text cut at its length limit"] += 1
    text = outside_reasoning(text)
    exact = json_values(text)
    reader = _read(space, exact.values)
    if exact.is_broken:
        other = _read(space, json_values(mended(text)).values)
        reader = max(reader, other, key=lambda one: len(one.found))
    if not reader.proposed:
        reader.read_words(text)
    if not reader.proposed:
        dropped["no architecture in the text" if text.strip() else "empty reply"] += 1
    return Proposals(reader.proposed, reader.found, dropped + reader.dropped)


def outside_reasoning(text: str) -> str:
    """Returns what follows the `<think>` block of a reply; nothing where a cut reply never left it."""
    outside = text.rpartition("</think>")[2]
    return outside.partition("<think>")[0]


def _read(space: SearchSpace, values: Iterable[Any]) -> "_Reader":
    reader = _Reader(space)
    for value in values:
        reader.read(value)
    return reader


class _Reader:
    """Collects the proposals of one reply."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.dropped: Counter[str] = Counter()
        self.found: list[Architecture] = []
        self.proposed = 0
        shown = space.to_json(space.default())
        self.keys = Words([*(space.json_schema().get("properties") or shown)])
        only = next(iter(shown.values())) if len(shown) == 1 else None
        self.only_list = next(iter(shown)) if isinstance(only, list) else None
        self.length = len(only) if isinstance(only, list) else 0
        self.options = Words(
            [option for choice in space.choices for option in choice.options if isinstance(option, str)]
        )

    def read(self, value: Any) -> None:
        """Collects the proposals in a JSON value, outermost first and in their order."""
        stack: list[tuple[Any, int]] = [(value, 0)]
        while stack:
            if self.proposed >= MOST_PROPOSALS:
                self.dropped["beyond the most proposals of a reply"] += len(stack)
                return
            item, depth = stack.pop()
            if depth > MOST_DEPTH:
                self.dropped["nested too deep"] += 1
            elif isinstance(item, dict):
                stack += [(inner, depth + 1) for inner in reversed(self._object(item))]
            elif isinstance(item, list):
                stack += [(inner, depth + 1) for inner in reversed(self._list(item))]
            elif isinstance(item, str):
                self._string(item)

    def read_words(self, text: str) -> None:
        """Collects architectures written as plain words, for spaces that are read from text."""
        for word in text.split()[:MOST_WORDS]:
            if not word.isalnum():
                self._string(word.strip("`'\"*,;.()"))

    def _object(self, item: Mapping[str, Any]) -> list[Any]:
        """Returns what is left to look into: nothing where the object was a proposal."""
        known = {name: inner for key, inner in item.items() if (name := self.keys.near(key.strip()))}
        known |= {key: inner for key, inner in item.items() if key in self.keys}
        if isinstance(item, Repeated):
            if known:  # which value is meant nobody knows
                self._lose("a key given twice")
                return []
            return [inner for _, inner in item.pairs if isinstance(inner, (dict, list))]
        if known:
            architecture, reason = self._architecture(known)
            if architecture is not None:
                self._take(architecture)
                return []
            if not any(self._wraps(inner) for inner in item.values()):
                self._lose(reason)
                return []
        inside = [inner for inner in item.values() if isinstance(inner, (dict, list))]
        if inside:
            return inside
        before = self.proposed
        for inner in item.values():
            if isinstance(inner, str):
                self._string(inner)
        if self.proposed == before:
            self._lose("not in the space")
        return []

    def _wraps(self, value: Any) -> bool:
        """Returns whether `value` is an object with a key of the form, or a list with such objects."""
        items = value if isinstance(value, list) else [value]
        return any(self.keys.near(key) for item in items if isinstance(item, dict) for key in item)

    def _list(self, item: list[Any]) -> list[Any]:
        if self.only_list and item and not any(isinstance(inner, (dict, list)) for inner in item):
            architecture, reason = self._architecture({self.only_list: item})
            if architecture is not None:
                self._take(architecture)
                return []
            if len(item) == self.length:
                self._lose(reason)
                return []
        return item

    def _string(self, text: str) -> None:
        if not 2 <= len(text) <= 400 or self.proposed >= MOST_PROPOSALS:
            return
        for candidate in dict.fromkeys((text, self.options.mend(text))):
            architecture, _ = self._architecture(candidate)
            if architecture is not None:
                self._take(architecture)
                return

    def _architecture(self, value: Any) -> tuple[Architecture | None, str]:
        space = self.space
        plain: Any = value if isinstance(value, str) else self._plain(value, 0)
        try:
            genes = tuple(space.from_json(plain))
            if [type(gene) for gene in genes] != [int] * len(space.choices):
                return None, "not in the space"
            genes = space.canonical(genes)
            if space.from_json(space.to_json(genes)) != genes:
                return None, "not in the space"
        except HarnessError:
            return None, "not in the space"
        except FOREIGN:
            return None, "wrong types"
        return genes, ""

    def _plain(self, value: Any, depth: int) -> Any:
        """Returns the value with numbers read from strings and unambiguous near-misses spelled right."""
        if depth > MOST_DEPTH or isinstance(value, Repeated | bool):  # true is 1 to every comparison
            return None
        if isinstance(value, dict):
            return {key: self._plain(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._plain(inner, depth + 1) for inner in value]
        return self.options.read(value) if isinstance(value, str) else value

    def _take(self, architecture: Architecture) -> None:
        self.proposed += 1
        self.found.append(architecture)

    def _lose(self, reason: str) -> None:
        self.proposed += 1
        self.dropped[reason] += 1
