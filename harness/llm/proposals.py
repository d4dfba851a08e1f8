"""Reads architectures out of what a model wrote: text is data, and every loss is counted with a reason."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import islice
from typing import Any, NamedTuple

from harness.errors import HarnessError
from harness.space import Architecture, SearchSpace

LONGEST_TEXT = 200_000
MOST_PROPOSALS = 200
MOST_STARTS = 20


class Proposals(NamedTuple):
    """What a reply held: objects found, canonical architectures of the space, and losses by reason."""

    proposed: int
    architectures: list[Architecture]
    dropped: Counter[str]


def read_proposals(text: str, space: SearchSpace) -> Proposals:
    """Returns the architectures in a model's reply; never raises for what the text holds."""
    dropped: Counter[str] = Counter()
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT]
        dropped["text cut at its length limit"] += 1
    objects = _objects(_outside_reasoning(text))
    if not objects:
        dropped["no JSON object" if text.strip() else "empty reply"] += 1
    if len(objects) > MOST_PROPOSALS:
        dropped["beyond the most proposals of a reply"] += len(objects) - MOST_PROPOSALS
        objects = objects[:MOST_PROPOSALS]
    found = []
    options = {
        option: None for choice in space.choices for option in choice.options if isinstance(option, str)
    }
    for value in objects:
        try:
            found.append(space.from_json(_plain(value, list(options))))
        except HarnessError:
            dropped["not in the space"] += 1
        except (TypeError, ValueError, KeyError, OverflowError):
            dropped["wrong types"] += 1
    return Proposals(len(objects), found, dropped)


def _outside_reasoning(text: str) -> str:
    return text.rpartition("</think>")[2]


def _objects(text: str) -> list[dict[str, Any]]:
    """Returns the innermost objects of the first JSON value with any, or of all the text if broken."""
    for match in islice(re.finditer(r"[\[{]", text), MOST_STARTS):
        value = _parse(text[match.start() :])
        if value is None:
            break
        if leaves := list(_leaves(value)):
            return leaves
    found: list[dict[str, Any]] = []
    for match in re.finditer(r"\{[^{}]*\}", text):
        value = _parse(match.group())
        if isinstance(value, dict):
            found.append(value)
    return found


def _leaves(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        inner: list[Any] = [item for item in value.values() if isinstance(item, dict)]
        inner += [
            item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)
        ]
        if inner:
            for item in inner:
                yield from _leaves(item)
        else:
            yield value


def _parse(text: str) -> Any:
    """Returns the first JSON value of `text`, mended where it is nearly JSON, or None."""
    decoder = json.JSONDecoder()
    for candidate in (text, _mended(text)):
        try:
            return decoder.raw_decode(candidate)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _mended(text: str) -> str:
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = "\n".join(
        re.sub(r"(//|#)[^\"]*\Z", " ", line) if len(line) < 2000 else line for line in text.split("\n")
    )
    if '"' not in text:
        text = text.replace("'", '"')
    return re.sub(r",(\s*[\]}])", r"\1", text)


def _plain(value: Any, words: list[str]) -> Any:
    """Returns the value with numbers read from strings and unambiguous near-misses spelled right."""
    if isinstance(value, dict):
        return {str(key): _plain(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, words) for item in value]
    if isinstance(value, str) and value not in words:
        if re.fullmatch(r"\s*-?\d{1,9}(\.\d{1,9})?\s*", value):
            return float(value) if "." in value else int(value)
        near = get_close_matches(value.strip().lower(), words, n=2, cutoff=0.75)
        if len(near) == 1:
            return near[0]
    return value
