"""Tables on a terminal, in blocks of columns where they are wider than it."""

import io
import textwrap
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from harness.board.table import Table
from harness.guard import inert

TEXT: Final = 100
"""Most characters of a line of prose."""
GAP: Final = 2
"""Spaces between columns; one of them is the drawing's own."""


def terminal_lines(table: Table, width: int | None = None) -> list[str]:
    """Returns a table's caption, its rows and its notes.

    Args:
        table: what to show.
        width: characters of a line of a terminal, None for no terminal; of a wider table lesser columns are
            left out, and what is wider all the same stands in blocks that repeat the labels. On a terminal
            caption and what is emphasised are marked as bold.
    """
    most = min(width or TEXT, TEXT)
    grid = [tuple(map(inert.line, row)) for row in (table.columns, *table.rows)]
    kept, dropped = _fitting(grid, table.lesser, width)
    strong = frozenset() if width is None else table.bold
    marks = ("", "") if width is None else (inert.STRONG, inert.PLAIN)
    lines = [*(line.join(marks) for line in textwrap.wrap(inert.line(table.caption), most)), ""]
    for block in _blocks(grid, kept, table.labels, width):
        lines += [*_drawn(grid, block, table.labels, strong), ""]
    left_out = [f"Left out for want of room: {', '.join(dropped)}; --format md has all."] if dropped else []
    for note in (*table.notes, *left_out):
        lines += textwrap.wrap(inert.line(note), most, subsequent_indent="  ")
    return [*lines, ""] if table.notes or left_out else lines


def prose(text: str, width: int | None = None) -> str:
    """Returns a text in lines that fit."""
    return textwrap.fill(inert.line(text), min(width or TEXT, TEXT))


def accented(text: str, width: int | None) -> str:
    """Returns a finished text, on a terminal in the one colour."""
    return text if width is None else f"{inert.ACCENT}{text}{inert.PLAIN}"


def _fitting(
    grid: Sequence[Sequence[str]], lesser: Sequence[str], width: int | None
) -> tuple[list[int], list[str]]:
    """Returns the columns but as many lesser ones as it takes to fit, and the headings of these."""
    kept, dropped = list(range(len(grid[0]))), []
    for name in lesser:
        if width is None or sum(_widths(grid)[column] for column in kept) - GAP <= width:
            break
        if name in grid[0]:
            kept.remove(grid[0].index(name))
            dropped.append(name)
    return kept, dropped


def _widths(grid: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) + GAP for column in zip(*grid, strict=True)]


def _blocks(
    grid: Sequence[Sequence[str]], kept: Sequence[int], labels: int, width: int | None
) -> Iterator[list[int]]:
    """Yields the columns of each block: those of labels, and as many others as fit, one at least."""
    widths = _widths(grid)
    heads = [column for column in kept if column < labels]
    block: list[int] = []
    for column in kept[len(heads) :]:
        taken = sum(widths[one] for one in (*heads, *block, column)) - GAP
        if block and width is not None and taken > width:
            yield [*heads, *block]
            block = []
        block.append(column)
    yield [*heads, *block]


def _drawn(
    grid: Sequence[Sequence[str]], block: Sequence[int], labels: int, strong: Collection[tuple[int, int]]
) -> list[str]:
    from rich import box
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for column in block:
        side = "left" if column < labels else "right"
        drawn.add_column(Text(grid[0][column]), justify=side, no_wrap=True)  # type: ignore[arg-type]
    for index, row in enumerate(grid[1:]):
        drawn.add_row(*(Text(row[one], style="bold" * ((index, one) in strong)) for one in block))
    sink = io.StringIO()
    longest = sum(max(len(row[column]) for row in grid) + GAP + 1 for column in block)
    styles: dict[str, Any] = {"color_system": None}
    if strong:
        styles = {"color_system": "standard", "force_terminal": True}
    Console(file=sink, width=longest + GAP, legacy_windows=False, **styles).print(drawn)
    text = sink.getvalue().replace("\x1b[1m", inert.STRONG).replace("\x1b[0m", inert.PLAIN)
    return [line.rstrip() for line in text.splitlines()]
