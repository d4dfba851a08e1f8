"""The NAS-Bench-201 network: a cell of six edges, stacked; alone, or as a supernet of cells or of widths."""

from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from harness.nn.designs import EDGES, KERNELS
from harness.nn.slices import ConvNorm, channels_last, sliced_conv, sliced_norm

SKIP = (0, 3)
"""The edge of a cell of elastic width that does not convolve."""


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


class CellModule(nn.Module):
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
    """The residual block between stages: half the resolution, another width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(inputs, outputs, 3, stride=2), conv(outputs, outputs, 3))
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True, count_include_pad=False),
            nn.Conv2d(inputs, outputs, 1, bias=False),
        )

    def forward(self, inputs: Tensor, outputs: int | None = None) -> Tensor:
        """Returns (batch, outputs, half the height, half the width in pixels), rounded up."""
        pool, project = self.shortcut
        assert isinstance(project, nn.Conv2d)
        body = _sliced(self.body[1], _sliced(self.body[0], inputs, outputs), outputs)
        return body + sliced_conv(project, pool(inputs), outputs)


def _sliced(layer: nn.Module, inputs: Tensor, outputs: int | None) -> Tensor:
    """Returns what the leading channels of a layer made by `conv` give."""
    assert isinstance(layer, nn.Sequential)
    _, convolution, norm = layer
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return sliced_norm(norm, sliced_conv(convolution, F.relu(inputs), outputs))


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
                self.reductions.append(Reduction(width, 2 * width))
                width *= 2
            self.stages.append(nn.ModuleList(CellModule(width, operations) for _ in range(stack.cells)))
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


class WidthCell(nn.Module):
    """The cell whose edges all are 3x3 convolutions, but for a skip from its input to its output."""

    def __init__(self, inputs: int, outputs: int, *, projects: bool) -> None:
        """Makes the widest cell; `projects` where its input may be of another width than its output."""
        super().__init__()
        self.edges = nn.ModuleDict(
            {
                f"{start}-{end}": conv(outputs if start else inputs, outputs, 3)
                for start, end in EDGES
                if (start, end) != SKIP
            }
        )
        self.project = ConvNorm(inputs, outputs) if projects else None

    def forward(self, inputs: Tensor, outputs: int) -> Tensor:
        """Returns the last node, (batch, outputs, height, width in pixels)."""
        nodes: list[Tensor | None] = [inputs, None, None, None]
        for start, end in EDGES:
            source, before = nodes[start], nodes[end]
            assert source is not None
            if (start, end) == SKIP:
                output = self._skip(source, outputs)
            else:
                output = _sliced(self.edges[f"{start}-{end}"], source, outputs)
            nodes[end] = output if before is None else before + output
        last = nodes[3]
        assert last is not None
        return last

    def _skip(self, inputs: Tensor, outputs: int) -> Tensor:
        if inputs.shape[1] == outputs:
            return inputs
        if self.project is None:
            raise ValueError(f"The cell has no projection from {inputs.shape[1]} to {outputs} channels.")
        projected: Tensor = self.project(inputs, outputs)
        return projected


class WidthNetwork(nn.Module):
    """Stem, cell, reduction, cell, reduction, cell and head, where each of the five has its own width.

    The widths of stem and first cell are one slot, so the slots are cell, reduction, cell, reduction, cell.

    Source: Dong et al. 2021 (NATS-Bench, arXiv 2009.00437), size search space.
    """

    def __init__(self, channels: int, widths: Sequence[int], classes: int, *, elastic: bool = False) -> None:
        """Makes the network of `widths`, or, where it is elastic, one that holds all narrower ones."""
        super().__init__()
        self.widths = tuple(widths)
        self.stem = ConvNorm(channels, widths[0], 3)
        self.cells = nn.ModuleList([WidthCell(widths[0], widths[0], projects=False)])
        self.reductions = nn.ModuleList()
        for slot in (1, 3):
            before, reduced, after = widths[slot - 1 : slot + 2]
            self.reductions.append(Reduction(before, reduced))
            self.cells.append(WidthCell(reduced, after, projects=elastic or reduced != after))
        self.last = nn.BatchNorm2d(widths[-1])
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, inputs: Tensor, route: Sequence[int] | None = None) -> Tensor:
        """Returns logits, (batch, classes), of the leading channels `route`: one width per slot."""
        widths = route or self.widths
        hidden = self.cells[0](self.stem(channels_last(inputs), widths[0]), widths[0])
        for index, slot in enumerate((1, 3)):
            hidden = self.reductions[index](hidden, widths[slot])
            hidden = self.cells[index + 1](hidden, widths[slot + 1])
        pooled = F.relu(sliced_norm(self.last, hidden)).mean(dim=(2, 3))
        return F.linear(pooled, self.head.weight[:, : pooled.shape[1]], self.head.bias)
