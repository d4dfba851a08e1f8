"""Forms of a NAS-Bench-201 cell. Truth: hand-made cells, every round trip, and the table's own classes."""

import itertools
from collections.abc import Callable
from typing import Any

import published
import pytest

from harness import catalog
from harness.data.table.encodings import (
    OPERATIONS,
    from_digits,
    from_naslib,
    from_one_hot,
    from_string,
    graph,
    graph_classes,
    to_digits,
    to_naslib,
    to_one_hot,
    to_string,
)
from harness.errors import HarnessError
from harness.space.choices import SearchSpace

CELLS = list(itertools.product(range(5), repeat=6))
MIXED = (3, 0, 1, 4, 2, 3)
"""3x3 on (0,1), none on (0,2), skip on (1,2), pool on (0,3), 1x1 on (1,3), 3x3 on (2,3)."""


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (to_string, from_string),
        (to_digits, from_digits),
        (to_naslib, from_naslib),
        (to_one_hot, from_one_hot),
    ],
    ids=["string", "digits", "naslib", "one_hot"],
)
def test_every_cell_comes_back_from_every_form(write: Callable[..., Any], read: Callable[..., Any]) -> None:
    forms = [write(cell) for cell in CELLS]
    assert len(set(forms)) == 15_625
    assert [read(form) for form in forms] == CELLS


def test_a_cell_has_its_published_string() -> None:
    text = (
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"  # by hand
    )
    assert to_string(MIXED) == text


def test_naslib_orders_edges_by_their_start_and_has_its_own_operations() -> None:
    assert to_naslib(MIXED) == (2, 1, 4, 0, 3, 2)


def test_one_hot_has_one_of_five_per_edge() -> None:
    bits = to_one_hot(MIXED)
    assert [bits[5 * edge : 5 * edge + 5].index(1) for edge in range(6)] == list(MIXED)
    assert sum(bits) == 6


def test_strings_are_read_as_the_space_reads_them() -> None:
    space: SearchSpace = catalog.load("space", "nasbench201").space("cifar10")
    read: Callable[[Any], Any] = space.from_json
    for cell in CELLS[::97]:
        assert read(to_string(cell)) == from_string(to_string(cell)) == cell


def test_operations_are_those_of_the_space() -> None:
    space: SearchSpace = catalog.load("space", "nasbench201").space("cifar10")
    assert all(choice.options == OPERATIONS for choice in space.choices)


def test_there_are_6466_graphs() -> None:
    assert len(set(graph_classes(CELLS))) == 6466


def test_the_classes_are_those_of_the_published_table() -> None:
    rows = published.rows("nasbench201.csv")
    found = graph_classes([from_digits(row["ops"]) for row in rows])
    assert found == [int(row["isomorph"]) for row in rows]


def test_what_reaches_the_output_makes_another_graph() -> None:
    assert graph(from_digits("300000")) == graph(from_digits("000000"))
    assert graph(from_digits("000300")) != graph(from_digits("000000"))


def test_a_skip_hands_its_node_on_and_the_order_of_a_sum_does_not_matter() -> None:
    assert graph(from_digits("100300")) == graph(from_digits("100030"))
    assert graph(from_digits("100340")) == graph(from_digits("100430"))


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        (from_string, "|none~0|+|none~0|none~1|", "is not .op~0"),
        (from_string, "|none~0|+|none~0|none~1|+|none~0|none~1|conv~2|", "is not .op~0"),
        (from_string, "|none~1|+|none~0|none~1|+|none~0|none~1|none~2|", "is not .op~0"),
        (from_digits, "00000", "is not six digits from 0 to 4"),
        (from_digits, "000005", "is not six digits from 0 to 4"),
        (from_naslib, [0, 1, 2, 3, 4], "is not six operations"),
        (from_naslib, [0, 1, 2, 3, 4, 5], "is not six operations"),
        (from_naslib, 7, "is not six operations"),
        (from_one_hot, [1] * 30, "is not 6 groups of 5 bits"),
        (from_one_hot, [1, 0, 0, 0, 0], "is not 6 groups of 5 bits"),
        (from_one_hot, "100", "is not 6 groups of 5 bits"),
        (to_digits, (0, 0, 0, 0, 0, -1), "is not six operations"),
    ],
)
def test_what_is_no_cell_is_refused(read: Callable[[Any], Any], value: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        read(value)


@pytest.mark.parametrize(
    "bits", [[[]] * 30, [{}] * 30, ["1"] * 30, [None] * 30, 5, None, {}, "0" * 30, [2, 0] * 15]
)
def test_what_is_no_bits_is_told(bits: Any) -> None:
    with pytest.raises(HarnessError, match="is not 6 groups of 5 bits"):
        from_one_hot(bits)
