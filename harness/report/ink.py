"""Colour and marker of every row, the same in all figures of a report.

The reference has the colour of text, floors that of captions, the claim the accent. Others have the hue of
their kind of method, and within it a marker each. Every colour has a contrast of at least 3 to the page,
light or dark.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.board.series import Series

HUES: Final[Mapping[str, tuple[str, str]]] = {
    "transformer": ("#00786f", "#4fd0c5"),
    "random": ("#8a5a13", "#d9a55b"),
    "evolution": ("#7b4fa3", "#c3a0e6"),
    "local": ("#b0387d", "#ee92c4"),
    "model": ("#3f7d20", "#93cf6f"),
    "language model": ("#c2410c", "#fb9a6a"),
    "zero cost": ("#6b6f00", "#c5ca4e"),
    "outside": ("#4d5f78", "#a9bbd6"),
    "reference": ("#1d2228", "#e4e7ea"),
    "claim": ("#0b63b0", "#6bb8ea"),
    "floor": ("#6a737c", "#98a2ac"),
}
"""Kind of method -> colour on the light and on the dark page."""
OTHERS: Final = ("transformer", "local", "evolution", "model", "language model", "random")
"""Hues of what is no row of a board, in the order of appearance."""
MARKERS: Final = (
    "M0-5.5A5.5 5.5 0 1 1 0 5.5A5.5 5.5 0 1 1 0-5.5Z",
    "M-5-5H5V5H-5Z",
    "M0-6.5L6.5 0L0 6.5L-6.5 0Z",
    "M0-6L6 5H-6Z",
    "M0 6L6-5H-6Z",
    "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
    "M-4.5-6L0-2L4.5-6L6-4.5L2 0L6 4.5L4.5 6L0 2L-4.5 6L-6 4.5L-2 0L-6-4.5Z",
    "M-6 0L5-6V6Z",
    "M6 0L-5-6V6Z",
    "M0-6.5L1.7-2H6.3L2.6.9L4 5.5L0 2.8L-4 5.5L-2.6.9L-6.3-2H-1.7Z",
)
"""Paths of about 12 pixels around (0, 0)."""
LEFT, RIGHT = 7, 8
"""Markers that point to what lies beyond an end."""
PLAIN: Final = {"reference": 2, "claim": 0, "floor": 1}
"""Markers of those that have a colour of their own."""


@dataclass(frozen=True)
class Ink:
    """How one row is drawn: the class of its elements, the key of its hue, and its marker."""

    css: str
    hue: str
    marker: int


class Inks:
    """The inks of a report."""

    def __init__(self, rows: Sequence[Series], names: Sequence[str]) -> None:
        """Gives every row of a board its ink, and then what figures show besides."""
        self._inks: dict[str, Ink] = {}
        used: Counter[str] = Counter()
        others = [Series(name) for name in names if name not in {row.name for row in rows}]
        for place, row in enumerate(dict.fromkeys([*rows, *others])):
            hue = row.part if row.part in PLAIN else row.family
            if hue not in HUES:
                hue = OTHERS[len(used) % len(OTHERS)]
            marker = PLAIN.get(hue, used[hue])
            used[hue] += 1
            self._inks.setdefault(row.name, Ink(f"s{place}", hue, marker % len(MARKERS)))

    def __getitem__(self, name: str) -> Ink:
        return self._inks[name]

    @property
    def names(self) -> tuple[str, ...]:
        """All that has an ink."""
        return tuple(self._inks)

    @property
    def css(self) -> str:
        """Rules for the classes, and the colours that they name."""
        light, dark = (
            "".join(f"--h{index}:{pair[theme]};" for index, pair in enumerate(HUES.values()))
            for theme in (0, 1)
        )
        order = list(HUES)
        rules = "".join(f".{ink.css}{{color:var(--h{order.index(ink.hue)})}}" for ink in self._inks.values())
        return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{rules}"

    @property
    def symbols(self) -> str:
        """The markers, to be used by `<use href="#mN">`."""
        shapes = "".join(f'<path id="m{index}" d="{path}"/>' for index, path in enumerate(MARKERS))
        return f'<svg width="0" height="0" aria-hidden="true" class="symbols"><defs>{shapes}</defs></svg>'
