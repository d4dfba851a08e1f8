"""What a board says of rows that were made before something changed, or on another kind of machine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from harness.identity.unit import AnyUnit
from harness.run.loaded import READ, Run

STALE: Final = "†"
STRANGE: Final = "¶"
OUTSIDE: Final = "§"
SHARED: Final = ("engine", "task", "table", READ)
"""What starts the label of a change that leaves a row without a partner: data, task or protocol."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """When and where a row was made.

    Attributes:
        stale: what changed since, of itself or of what it read.
        is_apart: whether its data, task or protocol are not those of the plan, so that nothing pairs with it.
        machines: how the machine that made a part of it differs from the one that made most of the run.
    """

    stale: tuple[str, ...] = ()
    is_apart: bool = False
    machines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (STALE if self.stale else "") + (STRANGE if self.machines else "")

    @property
    def why(self) -> str:
        """What keeps the row from being ranked, as the end of a sentence; empty for nothing."""
        return f"was made before {' and '.join(self.stale)} changed ({STALE})" if self.is_apart else ""


CURRENT: Final[Marks] = Marks()


class Marked(NamedTuple):
    """A row's name with its marks."""

    name: str
    marks: Marks


def marks_of(run: Run, units: Iterable[AnyUnit]) -> Marks:
    """Returns the marks of the row that these units made."""
    units = list(units)
    stale = run.changed(units)
    return Marks(
        stale=stale,
        is_apart=any(label.split()[0] in SHARED for label in stale),
        machines=run.strangers(units),
    )


def with_marks(name: str, marks: Marks) -> str:
    """Returns a row's name as tables and figures print it."""
    return f"{name} {marks}".rstrip()


def mark_notes(rows: Sequence[Marked]) -> list[str]:
    """Returns a sentence for each mark that a row bears."""
    notes = []
    stale: dict[tuple[str, ...], list[str]] = {}
    for name, marks in rows:
        if marks.stale:
            stale.setdefault(marks.stale, []).append(name)
    for changed, names in stale.items():
        what = " and ".join(changed)
        notes.append(f"{STALE} made before {what} changed and kept (--keep-stale): {', '.join(names)}.")
    apart = [name for name, marks in rows if marks.is_apart]
    if apart:
        notes.append(
            f"Neither ranked nor paired, as data, task or protocol changed since: {', '.join(apart)}."
        )
    strange = {name: marks.machines for name, marks in rows if marks.machines}
    if strange:
        ways = sorted({way for machines in strange.values() for way in machines})
        notes.append(f"{STRANGE} made on two kinds of machine ({'; '.join(ways)}): {', '.join(strange)}.")
    return notes
