"""The micro space of TransNAS-Bench-101: six edges, four operations, 4,096 cells.

Source: Duan et al. 2021 (arXiv 2105.11871). The cell graph is that of NAS-Bench-201 without pooling, and
edges stand in the order of the published `a_bc_def`: (0,1), (0,2), (1,2), (0,3), (1,3), (2,3). The published
networks stack the cell as `64-41414` for images of 256 pixels; ours stack it as NAS-Bench-201 does, so costs
here are of those networks and not the published ones. MACs are those of convolutions, reached or not, and of
the classifier with its bias. The default has 3x3 convolutions on all edges.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.records import canonical_json
from harness.space import Architecture, Choice, SearchSpace, SpaceFamily
from harness.task import Signature

if TYPE_CHECKING:
    from torch import nn

    from harness.nn.cells import Stack

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
MEANINGS = (
    "no connection",
    "identity",
    "ReLU, 1x1 convolution, BatchNorm",
    "ReLU, 3x3 convolution, BatchNorm",
)
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
AREAS = (0, 0, 1, 9)
"""Kernel area of each operation's convolution; 0 where it has none."""
CELLS = {"cifar10": 5, "micro": 1}
WIDTHS = (16, 32, 64)


class TransferCellSpace(SearchSpace):
    """One of four operations on each of six edges."""

    def __init__(self, preset: str, signature: Signature, window: tuple[int, int] | None) -> None:
        self.name = f"transnas_micro:{preset}"
        self.signature = signature
        self.window = window
        self.cells = CELLS[preset]
        self.choices = tuple(
            Choice(name=f"edge[{start},{end}]", options=OPERATIONS, meaning=f"node {start} to {end}")
            for start, end in EDGES
        )

    def default(self) -> Architecture:
        return (OPERATIONS.index("nor_conv_3x3"),) * len(EDGES)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True,) * len(EDGES)

    def canonical(self, architecture: Sequence[int]) -> Architecture:
        return tuple(architecture)

    def size(self) -> int:
        return int(len(OPERATIONS) ** len(EDGES))

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return {"ops": self.route(architecture)}

    def from_json(self, value: Mapping[str, Any] | str) -> Architecture:
        """Returns the architecture of `{"ops": [...]}`, or of a published `64-41414-a_bc_def`."""
        if isinstance(value, str):
            found = re.fullmatch(r"[^-]+-[^-]+-([0-3])_([0-3]{2})_([0-3]{3})", value.strip())
            if found is None:
                raise HarnessError(f"{value!r} is not of the form 64-41414-a_bc_def with digits from 0 to 3.")
            return tuple(map(int, "".join(found.groups())))
        names = value.get("ops") if set(value) == {"ops"} else None
        if not isinstance(names, list) or len(names) != len(EDGES):
            raise HarnessError(
                f'Space {self.name} wants {{"ops": [{len(EDGES)} operation names]}}, not {dict(value)!r}.'
            )
        for name in names:
            if name not in OPERATIONS:
                near = get_close_matches(str(name), OPERATIONS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(OPERATIONS)}."
                raise HarnessError(f"Space {self.name} has no operation {name!r}; {hint}")
        return tuple(OPERATIONS.index(name) for name in names)

    def json_schema(self) -> dict[str, Any]:
        names = {"type": "array", "items": {"enum": list(OPERATIONS)}, "minItems": 6, "maxItems": 6}
        return {
            "type": "object",
            "properties": {"ops": names},
            "required": ["ops"],
            "additionalProperties": False,
        }

    def parameters(self, architecture: Architecture) -> int:
        total = 9 * self.signature.channels * WIDTHS[0] + 2 * WIDTHS[0]
        for before, width in zip((0, *WIDTHS), WIDTHS, strict=False):
            convolutions = [AREAS[gene] for gene in architecture if AREAS[gene]]
            total += self.cells * sum(area * width * width + 2 * width for area in convolutions)
            total += _reduction(before, width) + 4 * width if before else 0
        return total + 2 * WIDTHS[-1] + (WIDTHS[-1] + 1) * self.signature.classes

    def macs(self, architecture: Architecture) -> int:
        height, length = self.signature.height, self.signature.width
        total = 9 * self.signature.channels * WIDTHS[0] * height * length
        for before, width in zip((0, *WIDTHS), WIDTHS, strict=False):
            if before:
                height, length = (height + 1) // 2, (length + 1) // 2
                total += _reduction(before, width) * height * length
            area = sum(AREAS[gene] for gene in architecture)
            total += self.cells * area * width * width * height * length
        return total + (WIDTHS[-1] + 1) * self.signature.classes

    def build(self, architecture: Architecture) -> "nn.Module":
        from harness.nn.cells import CellNetwork

        route = self.route(architecture)
        return CellNetwork(self._stack(), [[name] for name in route], route)

    def supernet(self) -> "nn.Module":
        from harness.nn.cells import CellNetwork

        return CellNetwork(self._stack(), [OPERATIONS] * len(EDGES))

    def route(self, architecture: Architecture) -> list[str]:
        return [OPERATIONS[gene] for gene in architecture]

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        from harness.nn.slices import copy_leading

        return copy_leading(self.build(architecture), supernet)

    def card(self) -> str:
        edges = ", ".join(f"{index}: node {start} to {end}" for index, (start, end) in enumerate(EDGES))
        operations = "\n".join(
            f"- {name}: {meaning}" for name, meaning in zip(OPERATIONS, MEANINGS, strict=True)
        )
        window = f"Only {self.window[0]} to {self.window[1]} parameters are allowed.\n" if self.window else ""
        example = {"ops": ["nor_conv_3x3", "skip_connect", "nor_conv_1x1", "none", "none", "nor_conv_3x3"]}
        return (
            "A cell is a graph of nodes 0 to 3: node 0 is its input, every later node the sum of its "
            "incoming edges, node 3 its output. The network stacks it in three stages.\n"
            f"One choice per edge, in this order: {edges}.\n"
            f"The operation of an edge is one of:\n{operations}\n{window}"
            f"JSON form, six names in the order of the edges: {canonical_json(example)}\n"
            "Every choice is always active."
        )

    def _stack(self) -> "Stack":
        from harness.nn.cells import Stack

        return Stack(self.signature.channels, WIDTHS[0], self.cells, self.signature.classes)


def _reduction(inputs: int, outputs: int) -> int:
    """Returns the convolution weights between stages, which are also the MACs for one pixel they give."""
    return 9 * (inputs * outputs + outputs * outputs) + inputs * outputs


SPACE = SpaceFamily(
    summary="TransNAS-Bench-101, micro: one of four operations on each of the six edges of a stacked cell.",
    presets={
        "cifar10": Signature(kind="image", classes=10, channels=3, height=32, width=32),
        "micro": Signature(kind="image", classes=10),
    },
    bind=TransferCellSpace,
    default_preset="cifar10",
    kinds=("image",),
)
