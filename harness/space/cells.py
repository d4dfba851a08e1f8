"""Spaces of one operation on each of six edges of a cell, which a network stacks in three stages.

Source: Dong and Yang 2020 (NAS-Bench-201, arXiv 2001.00326), section 2. Edges stand in the order of the
published string: (0,1), (0,2), (1,2), (0,3), (1,3), (2,3). MACs are those of convolutions, reached or not,
and of the classifier with its bias. The default has 3x3 convolutions on all edges.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.files import canonical_json
from harness.space.choices import Architecture, Choice, SearchSpace
from harness.task.signature import Signature

if TYPE_CHECKING:
    from torch import nn

    from harness.nn.networks.cells import Stack

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
MEANINGS = {
    "none": "no connection",
    "skip_connect": "identity",
    "nor_conv_1x1": "ReLU, 1x1 convolution, BatchNorm",
    "nor_conv_3x3": "ReLU, 3x3 convolution, BatchNorm",
    "avg_pool_3x3": "3x3 average pooling",
}
AREAS = {"nor_conv_1x1": 1, "nor_conv_3x3": 9}
"""Kernel area of the operations that have a convolution."""
WIDTH = 16


class CellSpace(SearchSpace):
    """One operation on each of six edges.

    Attributes:
        operations: what an edge may be, names of `MEANINGS`.
        cells: how often each of the three stages repeats the cell.
        read: turns a benchmark's own text into operation names, and raises a HarnessError for other text.
    """

    def __init__(
        self,
        name: str,
        operations: Sequence[str],
        cells: int,
        read: Callable[[str], list[str]],
        *,
        signature: Signature,
        window: tuple[int, int] | None,
    ) -> None:
        self.name = name
        self.operations = tuple(operations)
        self.cells = cells
        self.read = read
        self.signature = signature
        self.window = window
        self.choices = tuple(
            Choice(name=f"edge[{start},{end}]", options=self.operations, meaning=f"node {start} to {end}")
            for start, end in EDGES
        )
        areas = [AREAS.get(one, 0) for one in self.operations]
        self._fixed, self._by_operation = _costs(signature, cells, areas)

    def default(self) -> Architecture:
        return (self.operations.index("nor_conv_3x3"),) * len(EDGES)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True,) * len(EDGES)

    def canonical(self, architecture: Sequence[int]) -> Architecture:
        return tuple(architecture)

    def size(self) -> int:
        return int(len(self.operations) ** len(EDGES))

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return {"ops": self.route(architecture)}

    def from_json(self, value: Mapping[str, Any] | str) -> Architecture:
        """Returns the architecture of `{"ops": [...]}`, or of the benchmark's own text."""
        names = self.read(value) if isinstance(value, str) else self._names(value)
        for name in names:
            if name not in self.operations:
                near = get_close_matches(str(name), self.operations, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(self.operations)}."
                raise HarnessError(f"Space {self.name} has no operation {name!r}; {hint}")
        return tuple(self.operations.index(name) for name in names)

    def _names(self, value: Mapping[str, Any]) -> list[Any]:
        names = value.get("ops") if set(value) == {"ops"} else None
        if not isinstance(names, list) or len(names) != len(EDGES):
            raise HarnessError(
                f'Space {self.name} wants {{"ops": [{len(EDGES)} operation names]}}, not {dict(value)!r}.'
            )
        return names

    def json_schema(self) -> dict[str, Any]:
        size = len(EDGES)
        names = {
            "type": "array",
            "items": {"enum": list(self.operations)},
            "minItems": size,
            "maxItems": size,
        }
        return {
            "type": "object",
            "properties": {"ops": names},
            "required": ["ops"],
            "additionalProperties": False,
        }

    def parameters(self, architecture: Architecture) -> int:
        return self._fixed[0] + sum(self._by_operation[gene][0] for gene in architecture)

    def macs(self, architecture: Architecture) -> int:
        return self._fixed[1] + sum(self._by_operation[gene][1] for gene in architecture)

    def build(self, architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.cells import CellNetwork

        route = self.route(architecture)
        return CellNetwork(self._stack(), [[name] for name in route], route)

    def supernet(self) -> "nn.Module":
        from harness.nn.networks.cells import CellNetwork

        return CellNetwork(self._stack(), [self.operations] * len(EDGES))

    def route(self, architecture: Architecture) -> list[str]:
        return [self.operations[gene] for gene in architecture]

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        from harness.nn.slices import copy_leading

        return copy_leading(self.build(architecture), supernet)

    def card(self) -> str:
        edges = ", ".join(f"{index}: node {start} to {end}" for index, (start, end) in enumerate(EDGES))
        told = "\n".join(f"- {name}: {MEANINGS[name]}" for name in self.operations)
        window = f"Only {self.window[0]} to {self.window[1]} parameters are allowed.\n" if self.window else ""
        example = {"ops": ["nor_conv_3x3", "skip_connect", "nor_conv_1x1", "none", "none", "nor_conv_3x3"]}
        return (
            "A cell is a graph of nodes 0 to 3: node 0 is its input, every later node the sum of its "
            "incoming edges, node 3 its output. The network stacks it in three stages.\n"
            f"One choice per edge, in this order: {edges}.\n"
            f"The operation of an edge is one of:\n{told}\n{window}"
            f"JSON form, six names in the order of the edges: {canonical_json(example)}\n"
            "Every choice is always active."
        )

    def _stack(self) -> "Stack":
        from harness.nn.networks.cells import Stack

        return Stack(self.signature.channels, WIDTH, self.cells, self.signature.classes)


def _costs(
    signature: Signature, cells: int, areas: Sequence[int]
) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Returns (parameters, MACs) of all but the cells, and of each operation on one edge of every cell."""
    widths = [WIDTH, 2 * WIDTH, 4 * WIDTH]
    pixels = []
    height, width = signature.height, signature.width
    for _ in widths:
        pixels.append(height * width)
        height, width = (height + 1) // 2, (width + 1) // 2
    stem = 9 * signature.channels * WIDTH
    parameters, macs = stem + 2 * WIDTH, stem * pixels[0]
    for narrow, wide, area in zip(widths, widths[1:], pixels[1:], strict=False):
        convolutions = 9 * narrow * wide + 9 * wide * wide + narrow * wide
        parameters += convolutions + 4 * wide
        macs += convolutions * area
    head = (widths[-1] + 1) * signature.classes
    operations = [
        (
            sum(cells * (area * one * one + 2 * one) for one in widths) if area else 0,
            sum(cells * area * one * one * size for one, size in zip(widths, pixels, strict=True)),
        )
        for area in areas
    ]
    return (parameters + 2 * widths[-1] + head, macs + head), operations
