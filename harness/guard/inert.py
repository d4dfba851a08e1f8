"""Names and texts of others made harmless, by one function for each format they are shown in."""

import html as _html
import re
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any, Final, TextIO, TypeVar, cast

T = TypeVar("T")
JOINERS: Final = "\u200c\u200d"
"""Parts of words in Persian and of emoji; they hide nothing."""
STRONG, ACCENT, PLAIN = MARKS = "\ufdd0", "\ufdd1", "\ufdd2"
"""Turn on bold letters and the one colour, and both off, on a terminal that shows them; nothing elsewhere.

They are characters that Unicode keeps for the inside of a program; a text of others that has one shows it."""
_STYLES: Final = {STRONG: "\x1b[1m", ACCENT: "\x1b[1;36m", PLAIN: "\x1b[0m"}
_MARKED: Final = re.compile(f"([{''.join(MARKS)}])")
_ACTING: Final = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that act on a terminal or on the order of a line, or that are half of one."""
_MARKDOWN: Final = re.compile(r"[\\`*_|~$\[\]]")
_INTERVAL: Final = re.compile(r"(\[[-−+0-9., %]*\])(?![(\[:])")
_BLOCK: Final = re.compile(r"^(#|[-+=>]|[0-9]+(?=[.)]( |$)))")
_FORMULA: Final = re.compile(r"^[=+\-@\t\r\n＝＋－＠]")
_TEX: Final = {
    "\\": r"\textbackslash{}",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "✗": r"$\times$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "¶": r"\P{}",
    "§": r"\S{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "`": r"\textasciigrave{}",
} | {letter: f"\\{letter}" for letter in "&%$#_{}"}


def visible(text: str) -> str:
    """Returns the text with what acts unseen, but tabs and line ends, written as `\\u001b`.

    That is escape sequences, carriage returns, marks that turn the order of letters around, and halves of
    characters; inside of JSON the written form means the same.
    """
    if text.isprintable():
        return text
    acting = {ord(letter): shown for letter in set(text) if (shown := _shown(letter)) != letter}
    return text.translate(acting) if acting else text


def line(text: str) -> str:
    """Returns the text for one line of a terminal: visible, and its line ends and tabs as spaces."""
    return visible(" ".join(text.split()) if not text.isprintable() else text)


def html(text: str) -> str:
    """Returns the text for an element or an attribute in double quotes."""
    return _html.escape(visible(text))


def markdown(text: str) -> str:
    """Returns the text on one line, with nothing left that Markdown or HTML would act on within a line."""
    plain = _html.escape(line(" ".join(text.split())), quote=False)
    parts = _INTERVAL.split(plain)
    return "".join(
        part if index % 2 else _MARKDOWN.sub(lambda found: f"\\{found[0]}", part)
        for index, part in enumerate(parts)
    )


def markdown_block(text: str) -> str:
    """Returns the text for the start of a line, where a heading, a list, a rule or a fence could begin."""

    def escaped(found: re.Match[str]) -> str:
        return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"

    return _BLOCK.sub(escaped, markdown(text))


def tex(text: str) -> str:
    """Returns the text on one line with every character of LaTeX as a letter.

    A bracket or a star at its start stands in braces: the end of the row above would take it for its own.
    """
    plain = line(" ".join(text.split()))
    head = f"{{{plain[0]}}}" if plain[:1] in ("[", "*") else ""
    return head + "".join(_TEX.get(one, one) for one in plain[bool(head) :])


def cell(value: T) -> T | str:
    """Returns a value for CSV: text that a spreadsheet would take for a formula begins with an apostrophe."""
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if _FORMULA.match(value) else shown


def shield_streams(*, styled: bool = False) -> None:
    """Lets nothing but visible text through the standard streams of this process, from now on.

    Args:
        styled: whether a terminal shows bold letters and a colour where `MARKS` say so.
    """
    sys.stdout, sys.stderr = (cast(TextIO, Shield(one, styled=styled)) for one in (sys.stdout, sys.stderr))


def unshielded(stream: TextIO) -> TextIO:
    """Returns the stream below the shield, for what draws with escape sequences of its own."""
    return stream.below if isinstance(stream, Shield) else stream


class Shield:
    """A text stream that writes what is `visible`; all else is as the stream below it says."""

    def __init__(self, below: TextIO, *, styled: bool = False) -> None:
        self.below = unshielded(below)
        self._styles = _STYLES if styled and self.below.isatty() else {}

    def write(self, text: str) -> int:
        """Writes the text, and returns how many characters it has."""
        if not isinstance(text, str):
            raise TypeError(f"A text stream takes text, not {type(text).__name__}.")
        parts = _MARKED.split(text)
        self.below.write(
            "".join(self._styles.get(part, "") if part in MARKS else visible(part) for part in parts)
        )
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes each text."""
        for text in lines:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)


def _shown(letter: str) -> str:
    acts = letter in MARKS or unicodedata.category(letter) in _ACTING
    if not acts or letter in "\n\t" or letter in JOINERS:
        return letter
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
