"""The forms in which others publish a cell of NAS-Bench-201, both ways, and which cells are the same graph.

A cell here is six genes in the order of the published string, the edges (0,1) (0,2) (1,2) (0,3) (1,3) (2,3),
each an index into `OPERATIONS`; that is the architecture of the space `nasbench201`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.errors import HarnessError
from harness.space.form import Architecture

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
SOURCES = (0, 0, 1, 0, 1, 2)
"""Node that each edge comes from, in gene order."""
TARGETS = (1, 2, 2, 3, 3, 3)
"""Node that each edge leads to, in gene order."""
NASLIB_EDGES = (0, 1, 3, 2, 4, 5)
"""Gene of each edge in NASLib's order, (0,1) (0,2) (0,3) (1,2) (1,3) (2,3)."""
NASLIB_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
"""NASLib's operations in the order of its indices."""


def to_string(cell: Sequence[int]) -> str:
    """Returns the published `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
    texts = [f"{OPERATIONS[gene]}~{source}|" for gene, source in zip(_checked(cell), SOURCES, strict=True)]
    return f"|{texts[0]}+|{''.join(texts[1:3])}+|{''.join(texts[3:])}"


def from_string(text: str) -> Architecture:
    """Returns the cell of a published string.

    Raises:
        HarnessError: it has another form, or an operation that there is not.
    """
    nodes = [re.findall(r"([^|~+]+)~(\d)\|", node) for node in text.strip().split("+")]
    named = [pair for node in nodes for pair in node]
    cell = [OPERATIONS.index(name) for name, _ in named if name in OPERATIONS]
    if len(cell) != len(SOURCES) or to_string(cell) != text.strip():
        raise HarnessError(f"{text!r} is not |op~0|+|op~0|op~1|+|op~0|op~1|op~2| of {', '.join(OPERATIONS)}.")
    return tuple(cell)


def to_digits(cell: Sequence[int]) -> str:
    """Returns one digit per edge, e.g. `421211`."""
    return "".join(map(str, _checked(cell)))


def from_digits(text: str) -> Architecture:
    """Returns the cell of six digits from 0 to 4.

    Raises:
        HarnessError: it is something else.
    """
    if not re.fullmatch(r"[0-4]{6}", text):
        raise HarnessError(f"{text!r} is not six digits from 0 to 4.")
    return tuple(map(int, text))


def to_naslib(cell: Sequence[int]) -> tuple[int, ...]:
    """Returns NASLib's six operation indices, in its order of edges and of operations."""
    genes = _checked(cell)
    return tuple(NASLIB_OPERATIONS.index(OPERATIONS[genes[edge]]) for edge in NASLIB_EDGES)


def from_naslib(indices: Sequence[int]) -> Architecture:
    """Returns the cell of NASLib's six operation indices.

    Raises:
        HarnessError: they are not six whole numbers from 0 to 4.
    """
    named = dict(zip(NASLIB_EDGES, _checked(indices), strict=True))
    return tuple(OPERATIONS.index(NASLIB_OPERATIONS[named[edge]]) for edge in range(len(SOURCES)))


def to_one_hot(cell: Sequence[int]) -> tuple[int, ...]:
    """Returns 30 zeros and ones: five per edge, in gene order, of which one is 1."""
    return tuple(int(gene == option) for gene in _checked(cell) for option in range(len(OPERATIONS)))


def from_one_hot(bits: Sequence[int]) -> Architecture:
    """Returns the cell of 30 zeros and ones.

    Raises:
        HarnessError: they are not 30, or not one 1 in each five.
    """
    width = len(OPERATIONS)
    flat = list(bits) if isinstance(bits, Sequence) and not isinstance(bits, str) else []
    groups = [flat[start : start + width] for start in range(0, len(flat), width)]
    is_binary = all(bit in (0, 1) for bit in flat)
    if (
        len(flat) != width * len(SOURCES)
        or not is_binary
        or any(sorted(group) != [0] * (width - 1) + [1] for group in groups)
    ):
        raise HarnessError(f"{bits!r} is not {len(SOURCES)} groups of {width} bits with one 1 each.")
    return tuple(group.index(1) for group in groups)


def graph(cell: Sequence[int]) -> str:
    """Returns a text that two cells share where they are the same graph.

    `none` is no edge, `skip_connect` hands its node on, and the order of a sum does not matter.

    Source: Dong and Yang 2020 (arXiv 2001.00326), section 2.1, whose 15,625 cells make 6,466 graphs. As
    there, a node that is handed on keeps the count of its absent edges, so that some equal graphs are told
    apart.
    """
    nodes = ["0"]
    for node in (1, 2, 3):
        terms = []
        for gene, source, target in zip(_checked(cell), SOURCES, TARGETS, strict=True):
            if target == node:
                terms.append(_term(OPERATIONS[gene], nodes[source]))
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


def graph_classes(cells: Iterable[Sequence[int]]) -> list[int]:
    """Returns for each cell the position, from 0, of the first one that is the same graph."""
    first: dict[str, int] = {}
    return [first.setdefault(graph(cell), position) for position, cell in enumerate(cells)]


def _term(operation: str, source: str) -> str:
    if operation == "none" or source == "#":
        return "#"
    return source if operation == "skip_connect" else f"({source})@{operation}"


def _checked(cell: Sequence[int]) -> Sequence[int]:
    right = isinstance(cell, Sequence) and len(cell) == len(SOURCES)
    if not right or any(gene not in range(len(OPERATIONS)) for gene in cell):
        raise HarnessError(f"{cell!r} is not six operations, each a number from 0 to 4.")
    return cell


CELL_ENCODINGS: Mapping[str, Callable[[Sequence[int]], Architecture]] = {
    "naslib": from_naslib,
    "one_hot": from_one_hot,
}
"""Encodings of a table's column that a JSON list holds."""
