"""What a section of the report is, and what it shows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from harness.board.table import Table
from harness.report.plot import Figure
from harness.run.loaded import Run
from harness.study.study import AnyBoard


class Chip(NamedTuple):
    """A fact of the first screen: what it is, and what it says."""

    label: str
    text: str
    tone: Literal["", "good", "bad"] = ""


@dataclass(frozen=True, kw_only=True)
class Block:
    """What a section shows, in this order; all texts are plain.

    Attributes:
        failure: why there is nothing else; set by the report where a section raised an error.
        lead: one sentence in large type.
        chips: facts in a row; a section with some is laid out as the first screen.
        paragraphs: of text.
        figures: plots.
        tables: of finished texts.
        appendix: tables that are closed until somebody opens them.
        code: commands or files to copy.
    """

    failure: str = ""
    lead: str | None = None
    chips: tuple[Chip, ...] = ()
    paragraphs: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    appendix: tuple[Table, ...] = ()
    code: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """A catalog entry: one part of the report.

    Attributes:
        title: its heading.
        order: sections stand by ascending order, then by name.
        summary: one line, shown below the heading.
        render: makes the block from a run and its board.
        studies: names of those whose boards it renders; all where it is empty.
    """

    title: str
    order: int
    summary: str
    render: Callable[[Run, Any], Block]
    studies: tuple[str, ...] = ()

    def renders(self, board: AnyBoard) -> bool:
        """Returns whether it can show a board."""
        return not self.studies or board.study in self.studies


class ReportPart(NamedTuple):
    """A section as it stands in one report."""

    name: str
    title: str
    summary: str
    block: Block


class Link(NamedTuple):
    """A word that leads to another page of a site, by its address from the site's folder."""

    text: str
    address: str


class Frame(NamedTuple):
    """Where a page stands in a site.

    Attributes:
        base: what leads from the page to the site's folder.
        trail: pages above it.
        links: files that belong to it.
    """

    base: str = ""
    trail: tuple[Link, ...] = ()
    links: tuple[Link, ...] = ()


ALONE: Final = Frame()
"""The frame of a page that is no part of a site."""
