"""Spaces of one operation on each of six edges of a cell, which a network stacks in three stages.

Source: Dong and Yang 2020 (NAS-Bench-201, arXiv 2001.00326), section 2. Edges stand in the order of the
published string: (0,1), (0,2), (1,2), (0,3), (1,3), (2,3). Parameters and MACs are those of all convolutions,
as published ones are, and of the classifier with its bias; `on_paths` counts what leads from input to output
alone. The default has 3x3 convolutions on all edges.
"""

from collections.abc import Callable, Sequence
from typing import Any

from harness.nn.designs import EDGES, KERNELS
from harness.space.choices import SearchSpace
from harness.space.form import Architecture, ChoiceList
from harness.space.networks import Networks
from harness.task.signature import Signature

MEANINGS = {
    "none": "no connection",
    "skip_connect": "identity",
    "nor_conv_1x1": "ReLU, 1x1 convolution, BatchNorm",
    "nor_conv_3x3": "ReLU, 3x3 convolution, BatchNorm",
    "avg_pool_3x3": "3x3 average pooling",
}
WIDTH = 16


class CellSpace(SearchSpace):
    """One operation on each of six edges."""

    def __init__(
        self,
        name: str,
        signature: Signature,
        window: tuple[int, int] | None,
        *,
        operations: Sequence[str],
        cells: int,
        read: Callable[[str], list[str]],
    ) -> None:
        """Declares the edges.

        Args:
            operations: what an edge may be, names of `MEANINGS`.
            cells: how often each of the three stages repeats the cell.
            read: turns a benchmark's own text into operation names, and raises a HarnessError for other text.
        """
        told = "; ".join(f"{operation} is {MEANINGS[operation]}" for operation in operations)
        edges = ChoiceList(
            name="edge",
            key="ops",
            options=tuple(operations),
            meaning=tuple(f"node {start} to {end}" for start, end in EDGES),
            length=len(EDGES),
            labels=tuple(f"{start},{end}" for start, end in EDGES),
        )
        super().__init__(
            name,
            signature,
            window,
            parts=(edges,),
            default={"ops": "nor_conv_3x3"},
            example={"ops": ["nor_conv_3x3", "skip_connect", "nor_conv_1x1", "none", "none", "nor_conv_3x3"]},
            about="A cell is a graph of nodes 0 to 3: node 0 is its input, every later node the sum of its "
            "incoming edges, node 3 its output. The network stacks it in three stages. Each edge has one "
            f"operation: {told}.",
        )
        self.operations = tuple(operations)
        self.cells = cells
        self.read = read
        areas = [KERNELS.get(one, 0) ** 2 for one in operations]
        self._fixed, self._by_operation = _costs(signature, cells, areas)

    def from_text(self, text: str) -> dict[str, Any]:
        return {"ops": self.read(text)}

    def parameters(self, architecture: Architecture) -> int:
        return self._fixed[0] + sum(self._by_operation[gene][0] for gene in architecture)

    def macs(self, architecture: Architecture) -> int:
        return self._fixed[1] + sum(self._by_operation[gene][1] for gene in architecture)

    def on_paths(self, architecture: Architecture) -> tuple[int, int]:
        edges = [
            pair for pair, gene in zip(EDGES, architecture, strict=True) if self.operations[gene] != "none"
        ]
        fed, wanted = {0}, {3}
        for start, end in edges:  # nodes stand in the order of their numbers
            fed |= {end} if start in fed else set()
        for start, end in reversed(edges):
            wanted |= {start} if end in wanted else set()
        used = [
            self._by_operation[gene]
            for (start, end), gene in zip(EDGES, architecture, strict=True)
            if start in fed and end in wanted
        ]
        parameters, macs = (sum(one[part] for one in used) for part in (0, 1))
        return self._fixed[0] + parameters, self._fixed[1] + macs

    @property
    def networks(self) -> Networks:
        from harness.nn.networks.cells import CellNetwork, Stack

        stack = Stack(self.signature.channels, WIDTH, self.cells, self.signature.classes)
        return Networks(
            name=self.name,
            route=lambda architecture: self.to_json(architecture)["ops"],
            alone=lambda route: CellNetwork(stack, [[operation] for operation in route], route),
            supernet=lambda: CellNetwork(stack, [self.operations] * len(EDGES)),
        )


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
