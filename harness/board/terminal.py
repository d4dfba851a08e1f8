"""Tables on a terminal, in blocks of columns where they are wider than it."""

import io
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

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
        width: characters of a line, None for any; of a wider table lesser columns are left out, and what
            is wider all the same stands in blocks that repeat the labels.
    """
    most = min(width or TEXT, TEXT)
    grid = [tuple(map(inert.line, row)) for row in (table.columns, *table.rows)]
    grid, dropped = _fitting(grid, table.lesser, width)
    lines = [*textwrap.wrap(inert.line(table.caption), most), ""]
    for block in _blocks(grid, table.labels, width):
        lines += [*_drawn(grid, block, table.labels), ""]
    left_out = [f"Left out for want of room: {', '.join(dropped)}; --format md has all."] if dropped else []
    for note in (*table.notes, *left_out):
        lines += textwrap.wrap(inert.line(note), most, subsequent_indent="  ")
    return [*lines, ""] if table.notes or left_out else lines


def prose(text: str, width: int | None = None) -> str:
    """Returns a text in lines that fit."""
    return textwrap.fill(inert.line(text), min(width or TEXT, TEXT))


def _fitting(
    grid: list[tuple[str, ...]], lesser: Sequence[str], width: int | None
) -> tuple[list[tuple[str, ...]], list[str]]:
    """Returns the cells without as many lesser columns as it takes to fit, and the headings of these."""
    dropped: list[str] = []
    for name in lesser:
        if width is None or sum(_widths(grid)) - GAP <= width:
            break
        if name in grid[0]:
            at = grid[0].index(name)
            grid = [row[:at] + row[at + 1 :] for row in grid]
            dropped.append(name)
    return grid, dropped


def _widths(grid: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) + GAP for column in zip(*grid, strict=True)]


def _blocks(grid: Sequence[Sequence[str]], labels: int, width: int | None) -> Iterator[list[int]]:
    """Yields the columns of each block: those of labels, and as many others as fit, one at least."""
    widths = _widths(grid)
    heads = list(range(labels))
    block: list[int] = []
    for column in range(labels, len(widths)):
        taken = sum(widths[one] for one in (*heads, *block, column)) - GAP
        if block and width is not None and taken > width:
            yield [*heads, *block]
            block = []
        block.append(column)
    yield [*heads, *block]


def _drawn(grid: Sequence[Sequence[str]], block: Sequence[int], labels: int) -> list[str]:
    from rich import box
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for column in block:
        side = "left" if column < labels else "right"
        drawn.add_column(Text(grid[0][column]), justify=side, no_wrap=True)  # type: ignore[arg-type]
    for row in grid[1:]:
        drawn.add_row(*(Text(row[column]) for column in block))
    sink = io.StringIO()
    longest = sum(max(len(row[column]) for row in grid) + GAP + 1 for column in block)
    Console(file=sink, width=longest + GAP, color_system=None, legacy_windows=False).print(drawn)
    return [line.rstrip() for line in sink.getvalue().splitlines()]
