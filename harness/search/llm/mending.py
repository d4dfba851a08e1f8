"""Finds JSON in prose, and words in near-misses; in linear time, as a model may write anything."""

import json
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

MOST_WORK: Final = 400_000_000
"""Steps after which broken JSON is given up; about a tenth of a second."""
READING: Final = 40
LONGEST_VALUE: Final = 5000
LONGEST_WORD: Final = 40
CUTOFF: Final = 0.85
MOST_SPELLINGS: Final = 2000
"""Words that are compared with the known ones; the rest of a text that holds more is taken as it is."""
_OPEN: Final = re.compile(r"[\[{]")
_NUMBER: Final = re.compile(r"[+-]?\d{1,9}(\.\d{1,9})?")
_WORD: Final = re.compile(r"[A-Za-z]\w+")


class Repeated(dict[str, Any]):
    """An object that gives a key twice: the last value of each key, and all that stands there as `pairs`."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    return plain if len(plain) == len(pairs) else Repeated(pairs)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object)


class Found(NamedTuple):
    """The lists and objects of a text, outermost and in their order, and whether it opens one in vain."""

    values: list[Any]
    is_broken: bool


def json_values(text: str) -> Found:
    """Returns what is JSON in a text.

    What a broken value holds is found by itself: the whole items of a list that was cut short, say.
    """
    values: list[Any] = []
    is_broken = False
    position = 0
    work = MOST_WORK
    while work > 0 and (match := _OPEN.search(text, position)):
        start = match.start()
        try:
            value, position = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError) as error:  # among them numbers of thousands of digits
            is_broken = True
            position = start + 1
            stop = error.pos if isinstance(error, json.JSONDecodeError) else start + LONGEST_VALUE
            work -= READING * (stop - start) + stop  # an error counts the lines before it
        else:
            values.append(value)
    return Found(values, is_broken)


def mended(text: str) -> str:
    """Returns the text without comments and trailing commas, names and single quotes in double ones."""
    end = text.rfind("*/") + 2  # past it, every `/*` would search to the end in vain
    if end > 2:
        text = re.sub(r"/\*.*?\*/", " ", text[:end], flags=re.DOTALL) + text[end:]
    text = "\n".join(_without_comment(line) for line in text.split("\n"))
    text = re.sub(r"(?<=[\[{,:\s])'([^'\"\n\\]*)'(?=\s{0,9}[\]},:])", r'"\1"', text)
    text = re.sub(r"([{,]\s*)([A-Za-z_]\w{0,40})(?=\s{0,9}:)", r'\1"\2"', text)
    return re.sub(r",(\s*[\]}])", r"\1", text)


def _without_comment(line: str) -> str:
    """Returns the line without what follows `//` or `#` after its last double quote."""
    tail = line.rfind('"') + 1
    found = [at for at in (line.find("//", tail), line.find("#", tail)) if at >= 0]
    return line[: min(found)] if found else line


class Words:
    """Known words, and which of them a near-miss means."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(dict.fromkeys(words))
        self._plain = {word: _letters(word) for word in self.words}
        self._cache: dict[str, str | None] = {}

    def __contains__(self, word: str) -> bool:
        return word in self._plain

    def near(self, word: str) -> str | None:
        """Returns the one known word that `word` can mean, or None where there is none or more than one.

        Case and punctuation do not matter; four letters or more from the start of a part, or a slip of
        spelling, are enough where they fit one word alone; digits must be the same, as a 5x5 kernel is not
        a misspelt 3x3 one.
        """
        if word in self._plain:
            return word
        if len(word) > LONGEST_WORD:
            return None
        if word not in self._cache:
            if len(self._cache) >= MOST_SPELLINGS:
                return None
            self._cache[word] = self._search(_letters(word))
        return self._cache[word]

    def read(self, text: str) -> str | int | float:
        """Returns the number or the known word that a string means, or the string."""
        if text in self._plain or len(text) > LONGEST_WORD:
            return text
        stripped = text.strip()
        if _NUMBER.fullmatch(stripped):
            return float(stripped) if "." in stripped else int(stripped)
        return self.near(stripped) or text

    def mend(self, text: str) -> str:
        """Returns the text with every near-miss in it spelled right."""
        return _WORD.sub(lambda match: self.near(match.group()) or match.group(), text)

    def _search(self, plain: str) -> str | None:
        same = [word for word, letters in self._plain.items() if letters == plain]
        if same or len(plain) < 4:
            return same[0] if len(same) == 1 else None
        parts = [word for word in self.words if any(part.startswith(plain) for part in _tails(word))]
        if parts:
            return parts[0] if len(parts) == 1 else None
        digits = re.sub(r"\D", "", plain)
        close = [
            word
            for word, letters in self._plain.items()
            if re.sub(r"\D", "", letters) == digits
            and SequenceMatcher(None, plain, letters, autojunk=False).ratio() >= CUTOFF
        ]
        return close[0] if len(close) == 1 else None


def _tails(word: str) -> list[str]:
    """Returns `skipconnect` and `connect` for `skip_connect`."""
    tokens = [token for token in re.split(r"[\W_]+", word.lower()) if token]
    return ["".join(tokens[start:]) for start in range(len(tokens))]


def _letters(word: str) -> str:
    return re.sub(r"[\W_]", "", word.lower())
