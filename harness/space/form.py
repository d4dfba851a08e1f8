"""A space's declaration, and what follows from it alone: genes, activity, JSON, schema, text and size."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from operator import itemgetter
from typing import Any, NoReturn

from harness.errors import HarnessError

Architecture = tuple[int, ...]
"""One option index per choice; inactive choices are 0 in the canonical form."""

Option = int | float | str

SHOWN = 40
"""Options of a choice that are listed for people and language models."""

MOST_KEPT = 10_000
"""Combinations of lengths whose activity is remembered."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One decision, and one gene.

    Attributes:
        name: unique within the space, e.g. `depth`, or `mixers[2]` for an item of a list.
        options: what may be chosen, in order.
        meaning: one line for people and language models.
    """

    name: str
    options: tuple[Option, ...]
    meaning: str


@dataclass(frozen=True, kw_only=True)
class ChoiceList:
    """Decisions of one kind, which the JSON form holds as one list.

    A list of one option is fixed: it stands in the JSON form and has no genes.

    Attributes:
        name: of each decision before its index, `mixers` of `mixers[2]`.
        options: what may be chosen for each item, in order.
        meaning: one line with `{}` for the index, or one line for each item.
        length: how many items there are, or the name of an earlier part that says so. That part may be a
            choice of whole numbers: the JSON list is as long as it says. Or it is a list of them, each of
            which says how many items of one group have an effect: the JSON list holds all items, and those
            without an effect are not read and written as the first option.
        key: in the JSON form; the name where it is empty.
        labels: what stands for each index in the names of choices; 0, 1, ... where there are none.
    """

    name: str
    options: tuple[Option, ...]
    meaning: str | tuple[str, ...]
    length: int | str
    key: str = ""
    labels: tuple[str, ...] = ()


class _Slot:
    """Where a declared part stands among the genes.

    Attributes:
        part: the choice or list.
        key: in the JSON form.
        by: what says how many items of a list there are; None where their number is fixed.
        cut_by: the same where the JSON list is as long as that says.
        lengths: options of `by`.
        group: the longest of them.
        count: items of a list, the longest; None for a choice.
        genes: its genes, by index.
    """

    def __init__(self, part: Choice | ChoiceList, start: int, by: "_Slot | None") -> None:
        self.part = part
        self.key = part.name
        self.by = by
        self.cut_by = by if by is not None and by.count is None else None
        self.lengths = [int(option) for option in by.part.options] if by else []
        self.group = max(self.lengths, default=0)
        self.count: int | None = None
        self.genes = range(start, start + 1)
        if isinstance(part, ChoiceList):
            self.key = part.key or part.name
            self.count = self.group * ((by and by.count) or 1) if by else int(part.length)
            self.genes = range(start, start + self.count * (len(part.options) > 1))
            self.places = {option: gene for gene, option in enumerate(part.options)}

    def choices(self) -> list[Choice]:
        """Returns one choice for each gene."""
        part = self.part
        if isinstance(part, Choice):
            return [part]
        meaning = part.meaning
        return [
            Choice(
                name=f"{part.name}[{part.labels[index] if part.labels else index}]",
                options=part.options,
                meaning=meaning.format(index) if isinstance(meaning, str) else meaning[index],
            )
            for index in range(len(self.genes))
        ]

    def used(self, genes: Sequence[int]) -> list[bool]:
        """Returns, per item, whether it has an effect."""
        if self.by is None:
            return [True] * (1 if self.count is None else self.count)
        lengths = [self.lengths[genes[index]] for index in self.by.genes]
        return [position < length for length in lengths for position in range(self.group)]

    def reader(self) -> Callable[[Sequence[int]], Any]:
        """Returns what reads the part's JSON value out of canonical genes."""
        options, start, count, lengths = self.part.options, self.genes.start, self.count, self.lengths
        if count is None:
            return lambda genes: options[genes[start]]
        if self.cut_by is None:
            if not self.genes:
                return lambda _: [options[0]] * count
            end = start + count
            return lambda genes: [options[gene] for gene in genes[start:end]]
        by = self.cut_by.genes.start
        if not self.genes:
            return lambda genes: [options[0]] * lengths[genes[by]]
        return lambda genes: [options[gene] for gene in genes[start : start + lengths[genes[by]]]]

    def told(self) -> str:
        """Returns one line for people and language models."""
        meaning = self.part.meaning
        if self.count is not None:
            each = meaning.format("0, 1, ...") if isinstance(meaning, str) else ", ".join(meaning)
            count = f"exactly {self.cut_by.key} items" if self.cut_by else f"{self.count}"
            if self.by and not self.cut_by:
                count += (
                    f", {self.group} for each item of {self.by.key}, of which as many as it says have an "
                )
                count += f"effect; write {self.part.options[0]} for the others"
            meaning = f"{each}; a list of {count}"
        return f"{self.key} ({meaning}): {_shown(self.part.options)}"


class Form:
    """The genes and the JSON form of declared choices.

    Attributes:
        name: of the space, for messages.
        choices: all decisions, in gene order, which is the order of declaration.
        everything: what `active` returns where all choices always have an effect.
    """

    def __init__(self, name: str, parts: Sequence[Choice | ChoiceList]) -> None:
        """Lays out the genes.

        Raises:
            ValueError: a part has no options or another's key, or its length is no earlier part's to say.
        """
        self.name = name
        self._slots: dict[str, _Slot] = {}
        choices: list[Choice] = []
        for part in parts:
            by = None
            if isinstance(part, ChoiceList) and isinstance(part.length, str):
                by = self._slots.get(part.length)
                if by is None or by.by or not by.genes:
                    raise ValueError(f"the length of {part.name!r} is no earlier part of space {name}")
            if not part.options:
                raise ValueError(f"{part.name!r} has no options in space {name}")
            slot = _Slot(part, len(choices), by)
            if slot.key in self._slots:
                raise ValueError(f"{slot.key!r} is declared twice in space {name}")
            self._slots[slot.key] = slot
            choices += slot.choices()
        self.choices = tuple(choices)
        self.everything = (True,) * len(choices)
        lengths = {slot.by.key: slot.by.genes for slot in self._slots.values() if slot.by}
        indices = [index for genes in lengths.values() for index in genes]
        self._lengths = itemgetter(*indices) if indices else None
        self._used: dict[Any, tuple[bool, ...]] = {}
        self._readers = [(key, slot.reader()) for key, slot in self._slots.items()]

    def active(self, genes: Sequence[int]) -> tuple[bool, ...]:
        """Returns, per choice, whether it has any effect."""
        if self._lengths is None:
            return self.everything
        lengths = self._lengths(genes)
        used = self._used.get(lengths)
        if used is None:
            if len(self._used) > MOST_KEPT:
                self._used.clear()
            slots = [slot for slot in self._slots.values() if slot.genes]
            used = tuple(flag for slot in slots for flag in slot.used(genes))
            self._used[lengths] = used
        return used

    def values(self, genes: Sequence[int]) -> dict[str, Any]:
        """Returns the JSON form of canonical genes."""
        return {key: read(genes) for key, read in self._readers}

    def genes(self, value: Any) -> Architecture:
        """Returns the canonical genes of a JSON form.

        Raises:
            HarnessError: a key, length or option is not of this space.
        """
        self._check_keys(value)
        genes: list[int] = []
        for key, slot in self._slots.items():
            given = value[key]
            if slot.count is None:
                genes.append(self._gene(slot, given))
                continue
            count = slot.lengths[genes[slot.cut_by.genes.start]] if slot.cut_by else slot.count
            if not isinstance(given, list | tuple) or len(given) != count:
                self._reject_list(slot, given, count)
            if slot.by and not slot.cut_by:
                first, used = slot.part.options[0], slot.used(genes)
                given = [item if is_used else first for item, is_used in zip(given, used, strict=True)]
            try:
                found = [slot.places[item] for item in given]
                is_read = (bool in map(type, given)) == (bool in map(type, slot.places))
            except (KeyError, TypeError):
                is_read = False
            if not is_read:
                found = [self._gene(slot, item, f"[{index}]") for index, item in enumerate(given)]
            if slot.genes:
                genes += found + [0] * (slot.count - count)
        return tuple(genes)

    def spread(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a JSON form in which one value may stand for every item of a list."""
        whole = dict(value)
        for key, slot in self._slots.items():
            if slot.count is not None and not isinstance(whole.get(key, 0), list):
                count = int(whole[slot.cut_by.key]) if slot.cut_by else slot.count
                whole[key] = [whole[key] if key in whole else slot.part.options[0]] * count
        return whole

    def schema(self) -> dict[str, Any]:
        """Returns the JSON schema of one architecture."""
        properties: dict[str, Any] = {}
        for key, slot in sorted(self._slots.items()):
            options = list(slot.part.options)
            one = {"type": "boolean"} if _is_boolean(options) else {"enum": options}
            if slot.count is None:
                properties[key] = one
                continue
            least = min(slot.lengths) if slot.cut_by else slot.count
            properties[key] = {"type": "array", "items": one, "minItems": least, "maxItems": slot.count}
        return object_schema(properties)

    def size(self) -> int:
        """Returns how many canonical architectures there are."""
        total = 1
        for slot in self._slots.values():
            if slot.by is None:
                lists = [other for other in self._slots.values() if other.by is slot]
                ways = len(slot.part.options)
                if lists:
                    per_item = math.prod(len(other.part.options) for other in lists)
                    ways = sum(int(per_item**length) for length in lists[0].lengths)
                total *= ways if slot.count is None else ways**slot.count
        return total

    def groups(self) -> list[tuple[int, ...]]:
        """Returns the genes, by index, of each declared part that has any."""
        return [tuple(slot.genes) for slot in self._slots.values() if slot.genes]

    def text(self) -> str:
        """Returns one line on each part, for people and language models."""
        idle = [] if self._lengths else ["Every choice is always active."]
        return "\n".join([*(slot.told() for slot in self._slots.values()), *idle])

    def _check_keys(self, value: Any) -> None:
        if isinstance(value, dict) and value.keys() == self._slots.keys():
            return
        keys = list(self._slots)
        if not isinstance(value, Mapping):
            self._reject(f"is no {type(value).__name__}", f"an object with {', '.join(keys)}")
        for key in value:
            if key not in self._slots:
                near = get_close_matches(str(key), keys, n=1)
                self._reject(f"has the key {key!r}", near[0] if near else ", ".join(keys))
        missing = [key for key in keys if key not in value]
        if missing:
            self._reject(f"lacks {' and '.join(missing)}", ", ".join(keys))

    def _gene(self, slot: _Slot, value: Any, index: str = "") -> int:
        options = slot.part.options
        if value not in options or isinstance(value, bool) != isinstance(options[0], bool):
            names = [option for option in options[:SHOWN] if isinstance(option, str)]
            near = get_close_matches(value, names, n=1) if isinstance(value, str) else []
            hint = f" (did you mean {near[0]}?)" if near else ""
            wanted = _shown(options)
            one_of = "one of " if wanted.startswith("[") else ""
            self._reject(f"has {slot.key}{index} {value!r}", f"{one_of}{wanted}{hint}")
        return options.index(value)

    def _reject_list(self, slot: _Slot, given: Any, count: int) -> NoReturn:
        is_list = isinstance(given, list | tuple)
        has = f"{len(given)} items in {slot.key}" if is_list else f"{slot.key} {given!r}"
        kind = "names" if isinstance(slot.part.options[0], str) else "numbers"
        reason = f", as {slot.cut_by.key} is {count}" if slot.cut_by else ""
        self._reject(f"has {has}", f"a list of {count} {kind}{reason}")

    def _reject(self, has: str, wanted: str) -> NoReturn:
        raise HarnessError(f"An architecture of {self.name} {has}; give {wanted}.")


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the JSON schema of an object with these properties and no other."""
    closed = {"required": [*properties], "additionalProperties": False}
    return {"type": "object", "properties": dict(properties), **closed}


def _is_boolean(options: Sequence[Option]) -> bool:
    return all(isinstance(option, bool) for option in options)


def _shown(options: Sequence[Option]) -> str:
    """Returns the options as text: all, or the range where many numbers stand in equal steps."""
    if _is_boolean(options):
        return "true or false"
    first, last = options[0], options[-1]
    if len(options) >= 10 and isinstance(first, int) and isinstance(last, int):
        step = (last - first) // (len(options) - 1)
        if step and list(options) == list(range(first, last + step, step)):
            return f"{first} to {last} in steps of {step}"
    more = f" and {len(options) - SHOWN} more" if len(options) > SHOWN else ""
    return f"{[*options[:SHOWN]]}{more}"
