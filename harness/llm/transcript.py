"""Append-only transcripts: what was answered once is not asked again, and a search replays with no model."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.files import Journal, canonical_json


class Transcript:
    """A journal of exchanges in the order in which a search makes them.

    A request that differs from the kept one ends the replay; in a run that may ask the model, what is kept
    from there on is forgotten and asked again.
    """

    def __init__(self, path: Path | None, *, replay: bool = False, owner: str = "") -> None:
        """Reads what a file of that owner holds; None keeps the exchanges in memory alone."""
        self.replay = replay
        self.position = 0
        self.journal = Journal(path, owner, ("request", "reply"))

    def answer(self, request: Mapping[str, Any], ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Returns the kept reply to `request`, or asks and keeps it."""
        plain = _writable(request)
        kept = self.journal.entries
        if self.position < len(kept) and kept[self.position]["request"] == plain:
            reply: dict[str, Any] = kept[self.position]["reply"]
        elif self.replay:
            path, number = self.journal.path, self.position + 1
            raise HarnessError(f"The transcript {path} lacks request {number}: {self._difference(plain)}")
        else:
            reply = _writable(ask())
            self.journal.cut(self.position)
            self.journal.append(request=plain, reply=reply)
        self.position += 1
        return reply

    def _difference(self, request: Mapping[str, Any]) -> str:
        if self.position >= len(self.journal.entries):
            return "it ends before it."
        old = self.journal.entries[self.position]["request"]
        for key in sorted({*old, *request}):
            if old.get(key) != request.get(key):
                return _first_difference(key, old.get(key), request.get(key))
        return "it differs."


def _writable(value: Mapping[str, Any]) -> dict[str, Any]:
    """Returns plain JSON that a file can hold; half a surrogate pair in a model's text becomes `?`."""
    plain: dict[str, Any] = json.loads(canonical_json(value).encode("utf-8", "replace"))
    return plain


def _first_difference(place: str, old: Any, new: Any) -> str:
    """Returns where two JSON values part, with the text around it."""
    if isinstance(old, list) and isinstance(new, list):
        for index, (one, other) in enumerate(zip(old, new, strict=False)):
            if one != other:
                return _first_difference(f"{place}[{index}]", one, other)
        return f"{place} had {len(old)} items and has {len(new)}."
    before, after = (value if isinstance(value, str) else canonical_json(value) for value in (old, new))
    pairs = zip(before, after, strict=False)
    start = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(before), len(after)))
    part = slice(max(0, start - 40), start + 80)
    return f"{place} was ...{before[part]!r}... and is ...{after[part]!r}..."
