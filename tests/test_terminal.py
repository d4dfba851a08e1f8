"""Tables on a terminal. Truth: the cells that went in, and the width."""

import re
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.board.table import Table
from harness.board.terminal import accented, terminal_lines
from harness.guard import inert
from harness.guard.inert import Shield


def plain(lines: list[str]) -> list[str]:
    """Returns the lines without what turns bold letters on and off."""
    return [line.translate(dict.fromkeys(map(ord, inert.MARKS))) for line in lines]


CELLS = st.text("abcdefgh0123456789", min_size=1, max_size=12)


@given(st.data(), st.integers(2, 9), st.integers(1, 4), st.integers(40, 120))
def test_every_cell_is_shown_and_no_line_is_longer_than_the_terminal(
    draw: st.DataObject, columns: int, rows: int, width: int
) -> None:
    one = st.lists(CELLS, min_size=columns, max_size=columns)
    grid = draw.draw(st.lists(one, min_size=rows, max_size=rows))
    table = Table(
        caption="A table",
        columns=tuple(f"c{index}" for index in range(columns)),
        rows=tuple(map(tuple, grid)),
        notes=("A note.",),
    )
    lines = plain(terminal_lines(table, width))
    assert max(map(len, lines)) <= width
    assert {cell for row in grid for cell in row} <= {word for line in lines for word in line.split()}
    for row in grid:  # the labels of a block stand before its other columns
        assert any(line.split()[:1] == [row[0]] for line in lines)
    assert "A note." in lines


def test_a_table_that_fits_is_one_block() -> None:
    table = Table(caption="c", columns=("Row", "Value"), rows=(("a", "1"), ("b", "22")))
    assert plain(terminal_lines(table, 80)) == [
        "c",
        "",
        "Row  Value",
        "──────────",
        "a        1",
        "b       22",
        "",
    ]
    assert terminal_lines(table) == plain(terminal_lines(table, 80))


def test_a_terminal_gets_bold_letters_and_one_colour_and_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = (("a \x1b[31m \ufdd1 b", "1", "2"), ("c", "3", "4"))
    table = Table(
        caption="c", columns=("Row", "Less", "Value"), rows=rows, bold=frozenset({(1, 2)}), lesser=("Less",)
    )
    text = accented("so", 20) + "\n".join(terminal_lines(table, 29))
    shown = {}
    for is_terminal, styled in ((True, True), (True, False), (False, True)):
        stream = StringIO()
        monkeypatch.setattr(stream, "isatty", lambda here=is_terminal: here)
        Shield(stream, styled=styled).write(text)
        shown[is_terminal, styled] = stream.getvalue()
    plainly = shown[False, True]
    assert shown[True, False] == plainly
    assert "\x1b" not in plainly
    assert r"a \u001b[31m \ufdd1 b" in plainly
    assert "Left out for want of room: Less" in " ".join(plainly.split())
    found = shown[True, True]
    assert found.startswith("\x1b[1;36mso\x1b[0m\x1b[1mc\x1b[0m\n")
    assert re.search("\nc +\x1b\\[1m *4\x1b\\[0m\n", found)
    assert re.sub("\x1b\\[[0-9;]*m", "", found) == plainly


def test_lesser_columns_go_first_and_are_told() -> None:
    table = Table(
        caption="c",
        columns=("Row", "Value", "Extra", "More"),
        rows=(("a", "1" * 10, "2" * 10, "3" * 10),),
        lesser=("More", "Extra"),
    )
    assert "3333333333" in " ".join(terminal_lines(table, 80))
    lines = terminal_lines(table, 30)
    assert "2222222222" in " ".join(lines)
    assert "3333333333" not in " ".join(lines)
    assert "Left out for want of room: More; --format md has all." in " ".join(map(str.strip, lines))
    assert "1111111111" in " ".join(terminal_lines(table, 5))
