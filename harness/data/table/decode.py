"""From a row of a table to the architecture it is of, as the table's card says."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.data.table.card import TableCard
from harness.errors import HarnessError
from harness.guard.text import parse_json, shown
from harness.space.choices import SearchSpace
from harness.space.form import Architecture

EDGES = 6
OPTIONS = 5
NASLIB_EDGES = (0, 1, 3, 2, 4, 5)
"""Place in NASLib's order, (0,1) (0,2) (0,3) (1,2) (1,3) (2,3), of each edge in gene order."""
NASLIB_OPTIONS = (1, 0, 3, 2, 4)
"""Option of each of NASLib's operations: skip_connect, none, nor_conv_3x3, nor_conv_1x1, avg_pool_3x3."""

Decoder = Callable[[Sequence[str]], Architecture]
"""Texts of the columns of `columns_of`, in their order -> architecture."""


def columns_of(card: TableCard) -> list[str]:
    """Returns the columns that say which architecture a row is of."""
    return list(card.columns.values()) if card.encoding == "choices" else [card.column]


def decoder(card: TableCard, space: SearchSpace) -> Decoder:
    """Returns what reads a row's texts, and raises a HarnessError or a ValueError for wrong ones.

    Raises:
        HarnessError: the card names choices that the space has not.
    """
    options = [{str(option): gene for gene, option in enumerate(choice.options)} for choice in space.choices]

    def genes(texts: Sequence[str]) -> Architecture:
        for choice, known, text in zip(space.choices, options, texts, strict=True):
            if text not in known:
                raise HarnessError(f"{choice.name} has no option {text!r}; it has {', '.join(known)}.")
        return space.canonical([known[text] for known, text in zip(options, texts, strict=True)])

    if card.encoding == "choices":
        places = _places(card, space)
        return lambda texts: genes(_spread(places, texts))
    if card.encoding == "digits":
        meant = [_meant(card.digits, known) for known in options]
        return lambda texts: space.canonical(_digits(texts[0], meant, space))
    if card.encoding == "pattern":
        found = re.compile(card.pattern)
        if found.groups != len(space.choices):
            raise HarnessError(
                f"The pattern {card.pattern!r} has {found.groups} groups, and space {space.name} has "
                f"{len(space.choices)} choices; give one group for each."
            )
        return lambda texts: genes(_groups(found, texts[0]))
    if card.encoding in CELL_ENCODINGS:
        read = CELL_ENCODINGS[card.encoding]
        return lambda texts: space.canonical(read(parse_json(texts[0])))
    if card.encoding == "text":
        return lambda texts: space.from_json(texts[0])
    return lambda texts: space.from_json(_object(texts[0]))


def _object(text: str) -> dict[str, Any]:
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"{shown(text)} is no JSON object")
    return value


def _places(card: TableCard, space: SearchSpace) -> list[list[int]]:
    stems = [choice.name.partition("[")[0] for choice in space.choices]
    for name in card.columns:
        if name not in stems:
            there = ", ".join(dict.fromkeys(stems))
            raise HarnessError(f"Space {space.name} has no choice {name!r}; it has: {there}.")
    lacking = [stem for stem in stems if stem not in card.columns]
    if lacking:
        raise HarnessError(f"The card's `columns` name no column for {lacking[0]!r} of space {space.name}.")
    return [[index for index, stem in enumerate(stems) if stem == name] for name in card.columns]


def _spread(places: Sequence[Sequence[int]], texts: Sequence[str]) -> list[str]:
    """Returns one text per choice: a column of one choice is its option, one of many has a character each."""
    spread = [""] * sum(map(len, places))
    for indices, text in zip(places, texts, strict=True):
        if len(indices) > 1 and len(text) != len(indices):
            raise HarnessError(f"{text!r} is not {len(indices)} characters, one for each choice.")
        for index, one in zip(indices, [text] if len(indices) == 1 else text, strict=True):
            spread[index] = one
    return spread


def _meant(digits: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
    """Returns digit -> option of a choice.

    Where the card does not say what digits mean they are the options, if any of these is a digit itself, and
    numbers of options from 0 on if none is.
    """
    if digits:
        return {str(number): known[one] for number, one in enumerate(digits) if one in known}
    if any(len(one) == 1 and one.isdecimal() for one in known):
        return dict(known)
    return {str(number): number for number in range(len(known))}


def _digits(text: str, meant: Sequence[Mapping[str, int]], space: SearchSpace) -> list[int]:
    if len(text) != len(meant) or not (text.isascii() and text.isdecimal()):
        raise HarnessError(f"{text!r} is not {len(meant)} digits.")
    for choice, known, digit in zip(space.choices, meant, text, strict=True):
        if digit not in known:
            raise HarnessError(f"{text!r} has {digit} for {choice.name}, which may be {', '.join(known)}.")
    return [known[digit] for known, digit in zip(meant, text, strict=True)]


def _groups(pattern: re.Pattern[str], text: str) -> list[Any]:
    found = pattern.fullmatch(text)
    if found is None:
        raise HarnessError(f"{text!r} is not of the form {pattern.pattern}.")
    return ["" if group is None else group for group in found.groups()]


def from_naslib(indices: Sequence[int]) -> Architecture:
    """Returns the cell of NASLib's six operation indices."""
    right = isinstance(indices, Sequence) and len(indices) == EDGES
    if not right or any(index not in range(OPTIONS) for index in indices):
        raise HarnessError(f"{indices!r} is not six operations, each a number from 0 to 4.")
    return tuple(NASLIB_OPTIONS[indices[place]] for place in NASLIB_EDGES)


def from_one_hot(bits: Sequence[int]) -> Architecture:
    """Returns the cell of 30 zeros and ones, five per edge in gene order."""
    flat = list(bits) if isinstance(bits, Sequence) and not isinstance(bits, str) else []
    groups = [flat[start : start + OPTIONS] for start in range(0, len(flat), OPTIONS)]
    is_binary = all(bit in (0, 1) for bit in flat)
    if not is_binary or len(groups) != EDGES or any(sorted(one) != [0, 0, 0, 0, 1] for one in groups):
        raise HarnessError(f"{bits!r} is not {EDGES} groups of {OPTIONS} bits with one 1 each.")
    return tuple(group.index(1) for group in groups)


CELL_ENCODINGS: Mapping[str, Callable[[Sequence[int]], Architecture]] = {
    "naslib": from_naslib,
    "one_hot": from_one_hot,
}
"""Forms in which others publish a cell of NAS-Bench-201 as a JSON list, read as genes of `nasbench201`."""
