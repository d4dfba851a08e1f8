"""Whose values a figure shows: colour and marker follow from it, the same in the whole report."""

from typing import Literal, NamedTuple

from harness import catalog
from harness.learn.baseline import DrawnBaseline, FixedBaseline

Part = Literal["", "reference", "claim", "floor", "published"]
"""What a row is to the question of its suite."""


class Series(NamedTuple):
    """A row, wherever it is drawn.

    Attributes:
        name: as people read it.
        family: kind of method, which decides the hue.
        part: what it is to the question.
    """

    name: str
    family: str = ""
    part: Part = ""


def family_of(method: str) -> str:
    """Returns the kind of a searcher or baseline by its catalog name; empty for a name of the suite's own."""
    name = method.partition(" ")[0].partition(":")[0]
    if name in catalog.files("searcher"):
        return str(catalog.load("searcher", name).family)
    if name not in catalog.files("baseline"):
        return ""
    entry = catalog.load("baseline", name)
    if isinstance(entry, DrawnBaseline):
        return "random"
    return "transformer" if isinstance(entry, FixedBaseline) and not entry.outside else "outside"
