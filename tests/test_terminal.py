"""Tables on a terminal. Truth: the cells that went in, and the width."""

from hypothesis import given
from hypothesis import strategies as st

from harness.board.table import Table
from harness.board.terminal import terminal_lines

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
    lines = terminal_lines(table, width)
    assert max(map(len, lines)) <= width
    assert {cell for row in grid for cell in row} <= {word for line in lines for word in line.split()}
    for row in grid:  # the labels of a block stand before its other columns
        assert any(line.split()[:1] == [row[0]] for line in lines)
    assert "A note." in lines


def test_a_table_that_fits_is_one_block() -> None:
    table = Table(caption="c", columns=("Row", "Value"), rows=(("a", "1"), ("b", "22")))
    assert terminal_lines(table, 80) == ["c", "", "Row  Value", "──────────", "a        1", "b       22", ""]
    assert terminal_lines(table) == terminal_lines(table, 80)


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
