"""The NAS-Bench-201 cell: six edges, five operations, 15,625 architectures.

Source: Dong and Yang 2020 (arXiv 2001.00326). Edges stand in the order of the published string: (0,1), (0,2),
(1,2), (0,3), (1,3), (2,3). MACs are those of convolutions and of the classifier with its bias.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.space import Architecture, Choice, SearchSpace, SpaceFamily
from harness.task import Signature

if TYPE_CHECKING:
    from torch import nn

    from harness.nn.cells import Stack

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
MEANINGS = {
    "none": "no connection",
    "skip_connect": "identity",
    "nor_conv_1x1": "ReLU, 1x1 convolution, BatchNorm",
    "nor_conv_3x3": "ReLU, 3x3 convolution, BatchNorm",
    "avg_pool_3x3": "3x3 average pooling",
}
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
AREAS = (0, 0, 1, 9, 0)
"""Kernel area of each operation's convolution; 0 where it has none."""
CELLS = {"cifar10": 5, "cifar100": 5, "imagenet16-120": 5, "micro": 1}
WIDTH = 16


class CellSpace(SearchSpace):
    """One operation on each of six edges."""

    def __init__(self, preset: str, signature: Signature, window: tuple[int, int] | None) -> None:
        self.name = f"nasbench201:{preset}"
        self.signature = signature
        self.window = window
        self.cells = CELLS[preset]
        self.choices = tuple(
            Choice(name=f"edge[{start},{end}]", options=OPERATIONS, meaning=f"node {start} to {end}")
            for start, end in EDGES
        )
        self._fixed, self._by_operation = _costs(signature, self.cells)

    def default(self) -> Architecture:
        return (OPERATIONS.index("nor_conv_3x3"),) * len(EDGES)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True,) * len(EDGES)

    def canonical(self, architecture: Sequence[int]) -> Architecture:
        return tuple(architecture)

    def size(self) -> int:
        return int(len(OPERATIONS) ** len(EDGES))

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return {"ops": [OPERATIONS[gene] for gene in architecture]}

    def from_json(self, value: Mapping[str, Any] | str) -> Architecture:
        """Returns the architecture of `{"ops": [...]}`, or of a published `|op~0|+|op~0|op~1|+...`."""
        names = _from_string(value) if isinstance(value, str) else self._names(value)
        for name in names:
            if name not in OPERATIONS:
                near = get_close_matches(str(name), OPERATIONS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(OPERATIONS)}."
                raise HarnessError(f"Space {self.name} has no operation {name!r}; {hint}")
        return tuple(OPERATIONS.index(name) for name in names)

    def _names(self, value: Mapping[str, Any]) -> list[Any]:
        names = value.get("ops") if set(value) == {"ops"} else None
        if not isinstance(names, list) or len(names) != len(EDGES):
            raise HarnessError(
                f'Space {self.name} wants {{"ops": [{len(EDGES)} operation names]}}, not {dict(value)!r}.'
            )
        return names

    def json_schema(self) -> dict[str, Any]:
        names = {"type": "array", "items": {"enum": list(OPERATIONS)}, "minItems": 6, "maxItems": 6}
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
        from harness.nn.cells import CellNetwork

        route = [OPERATIONS[gene] for gene in architecture]
        return CellNetwork(self._stack(), [[name] for name in route], route)

    def supernet(self) -> "nn.Module":
        from harness.nn.cells import CellNetwork

        return CellNetwork(self._stack(), [OPERATIONS] * len(EDGES))

    def route(self, architecture: Architecture) -> list[str]:
        return [OPERATIONS[gene] for gene in architecture]

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        alone = self.build(architecture)
        weights = supernet.state_dict()
        alone.load_state_dict({name: weights[name] for name in alone.state_dict()})
        return alone

    def card(self) -> str:
        edges = ", ".join(f"{index}: node {start} to {end}" for index, (start, end) in enumerate(EDGES))
        operations = "\n".join(f"- {name}: {meaning}" for name, meaning in MEANINGS.items())
        return (
            "A cell is a graph of nodes 0 to 3: node 0 is its input, every later node the sum of its "
            "incoming edges, node 3 its output. The network stacks it in three stages.\n"
            f"One choice per edge, in this order: {edges}.\n"
            f"The operation of an edge is one of:\n{operations}\n"
            'JSON form, six names in the order of the edges: {"ops": ["nor_conv_3x3", "skip_connect", '
            '"nor_conv_1x1", "avg_pool_3x3", "none", "nor_conv_3x3"]}\nEvery choice is always active.'
        )

    def _stack(self) -> "Stack":
        from harness.nn.cells import Stack

        return Stack(self.signature.channels, WIDTH, self.cells, self.signature.classes)


def _costs(signature: Signature, cells: int) -> tuple[tuple[int, int], list[tuple[int, int]]]:
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
        for area in AREAS
    ]
    return (parameters + 2 * widths[-1] + head, macs + head), operations


def _from_string(text: str) -> list[str]:
    """Returns the six operation names of `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
    nodes = [re.findall(r"\|?([^|~+]+)~(\d+)\|", node) for node in text.strip().split("+")]
    sources = [[int(source) for _, source in node] for node in nodes]
    if sources != [[0], [0, 1], [0, 1, 2]]:
        raise HarnessError(f"{text!r} is not of the form |op~0|+|op~0|op~1|+|op~0|op~1|op~2|.")
    return [name for node in nodes for name, _ in node]


SPACE = SpaceFamily(
    summary="NAS-Bench-201: one of five operations on each of the six edges of a stacked cell.",
    presets={
        "cifar10": Signature(kind="image", classes=10, channels=3, height=32, width=32),
        "cifar100": Signature(kind="image", classes=100, channels=3, height=32, width=32),
        "imagenet16-120": Signature(kind="image", classes=120, channels=3, height=16, width=16),
        "micro": Signature(kind="image", classes=10),
    },
    bind=CellSpace,
    default_preset="cifar10",
    kinds=("image",),
)
