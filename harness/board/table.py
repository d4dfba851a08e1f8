"""A table as every format prints it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of finished texts.

    Attributes:
        caption: what it shows, with unit and interval.
        columns: headings.
        rows: one text per column.
        labels: how many leading columns are names, which align left; the rest are numbers.
        heading: the column that names the row.
        bold: (row, column) of what is emphasised.
        notes: lines below.
        lesser: headings of columns that may be left out where there is no room, the least first.
        links: (row, column) -> the page of a site that it leads to; no format but a site's pages has them.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1
    heading: int = 0
    bold: frozenset[tuple[int, int]] = frozenset()
    notes: tuple[str, ...] = ()
    lesser: tuple[str, ...] = ()
    links: Mapping[tuple[int, int], str] = field(default_factory=dict, hash=False)
