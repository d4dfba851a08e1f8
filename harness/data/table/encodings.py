"""The forms in which others publish a cell of NAS-Bench-201, read as genes of the space `nasbench201`.

Genes stand in the order of the published string, the edges (0,1) (0,2) (1,2) (0,3) (1,3) (2,3).
"""

from collections.abc import Callable, Mapping, Sequence

from harness.errors import HarnessError
from harness.space.form import Architecture

EDGES = 6
OPTIONS = 5
NASLIB_EDGES = (0, 1, 3, 2, 4, 5)
"""Place in NASLib's order, (0,1) (0,2) (0,3) (1,2) (1,3) (2,3), of each edge in gene order."""
NASLIB_OPTIONS = (1, 0, 3, 2, 4)
"""Option of each of NASLib's operations: skip_connect, none, nor_conv_3x3, nor_conv_1x1, avg_pool_3x3."""


def from_naslib(indices: Sequence[int]) -> Architecture:
    """Returns the cell of NASLib's six operation indices.

    Raises:
        HarnessError: they are not six whole numbers from 0 to 4.
    """
    right = isinstance(indices, Sequence) and len(indices) == EDGES
    if not right or any(index not in range(OPTIONS) for index in indices):
        raise HarnessError(f"{indices!r} is not six operations, each a number from 0 to 4.")
    return tuple(NASLIB_OPTIONS[indices[place]] for place in NASLIB_EDGES)


def from_one_hot(bits: Sequence[int]) -> Architecture:
    """Returns the cell of 30 zeros and ones, five per edge in gene order.

    Raises:
        HarnessError: they are not 30, or not one 1 in each five.
    """
    flat = list(bits) if isinstance(bits, Sequence) and not isinstance(bits, str) else []
    groups = [flat[start : start + OPTIONS] for start in range(0, len(flat), OPTIONS)]
    is_binary = all(bit in (0, 1) for bit in flat)
    if not is_binary or len(groups) != EDGES or any(sorted(one) != [0, 0, 0, 0, 1] for one in groups):
        raise HarnessError(f"{bits!r} is not {EDGES} groups of {OPTIONS} bits with one 1 each.")
    return tuple(group.index(1) for group in groups)


CELL_ENCODINGS: Mapping[str, Callable[[Sequence[int]], Architecture]] = {
    "naslib": from_naslib,
    "one_hot": from_one_hot,
}
"""Encodings of a table's column that a JSON list holds."""
