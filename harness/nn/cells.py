"""The NAS-Bench-201 network: a cell of six edges, stacked; alone, or as a supernet of all cells."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from, to) of each edge, in the order of the published string."""
KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


class Stack(NamedTuple):
    """The network around the cells: input channels, first width, cells of each stage, and classes."""

    channels: int
    width: int
    cells: int
    classes: int


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Returns ReLU, convolution without bias, and BatchNorm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Edge(nn.Module):
    """One edge: the modules of the operations it may take; `none` and `skip_connect` need none."""

    def __init__(self, width: int, operations: Sequence[str]) -> None:
        super().__init__()
        self.convs = nn.ModuleDict(
            {name: conv(width, width, KERNELS[name]) for name in operations if name in KERNELS}
        )
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, inputs: Tensor, operation: str) -> Tensor | None:
        """Returns the operation's output, shaped as its input; None for `none`."""
        if operation == "none":
            return None
        if operation == "skip_connect":
            return inputs
        if operation == "avg_pool_3x3":
            pooled: Tensor = self.pool(inputs)
            return pooled
        output: Tensor = self.convs[operation](inputs)
        return output


class Cell(nn.Module):
    """Four nodes, each the sum of its incoming edges."""

    def __init__(self, width: int, operations: Sequence[Sequence[str]]) -> None:
        super().__init__()
        self.edges = nn.ModuleList(Edge(width, names) for names in operations)

    def forward(self, inputs: Tensor, route: Sequence[str]) -> Tensor:
        """Returns the last node, (batch, width, height, width in pixels)."""
        nodes: list[Tensor | None] = [inputs, None, None, None]
        for edge, (start, end), operation in zip(self.edges, EDGES, route, strict=True):
            source = nodes[start]
            output = None if source is None else edge(source, operation)
            if output is not None:
                before = nodes[end]
                nodes[end] = output if before is None else before + output
        last = nodes[3]
        return inputs.new_zeros(inputs.shape) if last is None else last


class Reduction(nn.Module):
    """The residual block between stages: half the resolution, twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(width, 2 * width, 3, stride=2), conv(2 * width, 2 * width, 3))
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True, count_include_pad=False),
            nn.Conv2d(width, 2 * width, 1, bias=False),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns (batch, 2 width, half the height, half the width in pixels), rounded up."""
        output: Tensor = self.body(inputs) + self.shortcut(inputs)
        return output


class CellNetwork(nn.Module):
    """Stem, three stages of cells with reductions between them, and head.

    Source: Dong and Yang 2020 (arXiv 2001.00326), section 2.
    """

    def __init__(
        self, stack: Stack, operations: Sequence[Sequence[str]], route: Sequence[str] | None = None
    ) -> None:
        """Makes the modules of `operations`, per edge; `route` is what runs when `forward` gets none."""
        super().__init__()
        self.route = route
        self.stem = nn.Sequential(
            nn.Conv2d(stack.channels, stack.width, 3, padding=1, bias=False), nn.BatchNorm2d(stack.width)
        )
        self.stages = nn.ModuleList()
        self.reductions = nn.ModuleList()
        width = stack.width
        for stage in range(3):
            if stage:
                self.reductions.append(Reduction(width))
                width *= 2
            self.stages.append(nn.ModuleList(Cell(width, operations) for _ in range(stack.cells)))
        self.last = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        self.head = nn.Linear(width, stack.classes)

    def forward(self, inputs: Tensor, route: Sequence[str] | None = None) -> Tensor:
        """Returns logits, (batch, classes), of the sub-network `route`: one operation name per edge."""
        chosen = route or self.route
        if chosen is None:
            raise ValueError("A supernet needs a route.")
        hidden: Tensor = self.stem(inputs)
        for index, stage in enumerate(self.stages):
            if index:
                hidden = self.reductions[index - 1](hidden)
            assert isinstance(stage, nn.ModuleList)
            for cell in stage:
                hidden = cell(hidden, chosen)
        pooled = self.last(hidden).mean(dim=(2, 3))
        logits: Tensor = self.head(pooled)
        return logits
