"""Forms of a NAS-Bench-201 cell. Truth: cells written out by hand."""

from typing import Any

import pytest

from harness.data.table.decode import from_naslib, from_one_hot
from harness.errors import HarnessError

MIXED = (3, 0, 1, 4, 2, 3)
"""3x3 on (0,1), none on (0,2), skip on (1,2), pool on (0,3), 1x1 on (1,3), 3x3 on (2,3)."""


def test_naslib_orders_edges_by_their_start_and_has_its_own_operations() -> None:
    assert from_naslib((2, 1, 4, 0, 3, 2)) == MIXED


def test_one_hot_has_one_of_five_per_edge() -> None:
    bits = [int(gene == option) for gene in MIXED for option in range(5)]
    assert from_one_hot(bits) == MIXED


@pytest.mark.parametrize("value", [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 0, -1], 7])
def test_what_is_no_cell_of_naslib_is_told(value: Any) -> None:
    with pytest.raises(HarnessError, match="is not six operations"):
        from_naslib(value)


@pytest.mark.parametrize(
    "bits",
    [[[]] * 30, [{}] * 30, ["1"] * 30, [None] * 30, 5, None, {}, "0" * 30, [2, 0] * 15, [1] * 30, [1, 0]],
)
def test_what_is_no_bits_is_told(bits: Any) -> None:
    with pytest.raises(HarnessError, match="is not 6 groups of 5 bits"):
        from_one_hot(bits)
