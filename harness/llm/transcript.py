"""Append-only transcripts: what was answered once is not asked again, and a search replays with no model."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.files import canonical_json, content_hash, write_atomically


class Transcript:
    """Exchanges in the order in which a search makes them, one JSON line each.

    A line that a kill cut short, or that is not as it was written, is dropped with what follows it. A request
    that differs from the kept one ends the replay; in a run that may ask the model, what is kept from there
    on is forgotten and asked again.
    """

    def __init__(self, path: Path | None, *, replay: bool = False, owner: str = "") -> None:
        """Reads what a file holds.

        Args:
            path: the file; None keeps the exchanges in memory alone.
            replay: let what is kept alone answer.
            owner: whose exchanges these are, so that another's file in their place is not believed.
        """
        self.path = path
        self.replay = replay
        self.owner = owner
        self.position = 0
        self.kept: list[dict[str, Any]] = []
        self._bytes: int | None = None
        if path is not None and path.exists():
            self.kept = self._whole_lines(path.read_bytes())

    def answer(self, request: Mapping[str, Any], ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Returns the kept reply to `request`, or asks and keeps it.

        Raises:
            HarnessError: a replay lacks this request.
        """
        plain = _writable(request)
        if self.position < len(self.kept):
            entry = self.kept[self.position]
            if entry["request"] == plain:
                self.position += 1
                reply: dict[str, Any] = entry["reply"]
                return reply
        if self.replay:
            raise HarnessError(
                f"The transcript {self.path} lacks request {self.position + 1}: {self._difference(plain)}"
            )
        reply = _writable(ask())
        if self.position < len(self.kept):
            del self.kept[self.position :]
            self._bytes = None
        self.kept.append({"request": plain, "reply": reply})
        self.position += 1
        self._write()
        return reply

    def _line(self, index: int) -> bytes:
        """Returns an exchange as the file has it, with a checksum that covers whose it is and its place."""
        entry = self.kept[index]
        checksum = content_hash([self.owner, index, entry["request"], entry["reply"]])
        return (canonical_json({**entry, "checksum": checksum}) + "\n").encode()

    def _whole_lines(self, data: bytes) -> list[dict[str, Any]]:
        """Returns the exchanges before the first line that is not as it was written."""
        kept: list[dict[str, Any]] = []
        for line in data.split(b"\n")[:-1]:  # not splitlines: model text may hold U+2028 and the like
            try:
                entry = json.loads(line)
                checksum = entry.pop("checksum")
                wanted = content_hash([self.owner, len(kept), entry["request"], entry["reply"]])
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
                break
            if checksum != wanted or set(entry) != {"request", "reply"}:
                break
            if not all(isinstance(part, dict) for part in entry.values()):
                break
            kept.append(entry)
        return kept

    def _difference(self, request: Mapping[str, Any]) -> str:
        if self.position >= len(self.kept):
            return "it ends before it."
        old = self.kept[self.position]["request"]
        for key in sorted({*old, *request}):
            if old.get(key) != request.get(key):
                return _first_difference(key, old.get(key), request.get(key))
        return "it differs."

    def _write(self) -> None:
        """Appends the last exchange; where the file holds other lines, writes it anew first."""
        if self.path is None:
            return
        line = self._line(len(self.kept) - 1)
        try:
            if self._bytes is None or not self.path.exists() or self.path.stat().st_size != self._bytes:
                before = b"".join(map(self._line, range(len(self.kept) - 1)))
                if not self.path.exists() or self.path.read_bytes() != before:
                    write_atomically(self.path, before)
                self._bytes = len(before)
            with self.path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            self._bytes += len(line)
        except OSError as error:
            raise HarnessError(
                f"Cannot write {self.path}: {error.strerror}; free space and run again."
            ) from error


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
