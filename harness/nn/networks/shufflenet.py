"""The ShuffleNetV2 of single-path one-shot search, as a supernet over block choices and as its own slices."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harness.nn.designs import ShuffleDesign, ShuffleInner
from harness.nn.slices import ConvNorm, channels_last
from harness.task.signature import Signature

XCEPTION = 3
"""The choice that is an Xception block; 0, 1 and 2 are shuffle blocks of kernel 3, 5 and 7."""


class BlockChoice(nn.Module):
    """One shuffle or Xception block, of stride 1 on half the channels or of stride 2 on all."""

    def __init__(self, inputs: int, outputs: int, stride: int, inner: ShuffleInner, *, affine: bool) -> None:
        super().__init__()
        choice, middle = inner
        kernel = 3 if choice == XCEPTION else 3 + 2 * choice
        read = inputs if stride == 2 else inputs // 2
        added = outputs - read

        def point(start: int, end: int) -> ConvNorm:
            return ConvNorm(start, end, activation="relu", affine=affine)

        def depth(width: int, step: int) -> ConvNorm:
            return ConvNorm(width, width, kernel, stride=step, depthwise=True, affine=affine)

        if choice == XCEPTION:
            layers = [depth(read, stride), point(read, middle), depth(middle, 1)]
            layers += [point(middle, middle), depth(middle, 1), point(middle, added)]
        else:
            layers = [point(read, middle), depth(middle, stride), point(middle, added)]
        self.main = nn.ModuleList(layers)
        self.side = nn.Sequential(depth(read, stride), point(read, read)) if stride == 2 else None

    def forward(self, inputs: Tensor, middle: int) -> Tensor:
        """Returns (batch, outputs, height / stride, width / stride), through `middle` leading channels."""
        if self.side is None:
            pairs = inputs.unflatten(1, (-1, 2))
            kept, hidden = pairs[:, :, 0], pairs[:, :, 1]
        else:
            kept, hidden = self.side(inputs), inputs
        *inside, last = self.main
        for layer in inside:
            hidden = layer(hidden, middle)
        return torch.cat((kept, last(hidden)), dim=1)


class ShuffleNet(nn.Module):
    """Stem, stages of blocks that each hold one or several choices, head; the classifier has no bias.

    Shapes: images (batch, channels, height, width) -> logits (batch, classes).

    Source: Guo et al. 2020 (SPOS, arXiv 1904.00420), section 4.
    """

    def __init__(
        self,
        design: ShuffleDesign,
        signature: Signature,
        blocks: Sequence[Sequence[ShuffleInner]],
        route: Sequence[ShuffleInner] | None = None,
        *,
        affine: bool = True,
    ) -> None:
        """Makes the choices of `blocks`; `route` is what runs when `forward` gets none.

        Args:
            blocks: per block, the choices it holds, at their largest inner width.
            route: one of them per block.
            affine: whether BatchNorms have a learned scale and shift.
        """
        super().__init__()
        self.route = route
        self.stem = ConvNorm(
            signature.channels, design.stem, 3, stride=design.stem_stride, activation="relu", affine=affine
        )
        self.blocks = nn.ModuleList()
        held, width = iter(blocks), design.stem
        for repeats, outputs in zip(design.repeats, design.widths, strict=True):
            for position in range(repeats):
                stride = 1 if position else 2
                choices = {
                    str(inner.choice): BlockChoice(width, outputs, stride, inner, affine=affine)
                    for inner in next(held)
                }
                self.blocks.append(nn.ModuleDict(choices))
                width = outputs
        self.last = ConvNorm(width, design.head, activation="relu", affine=affine)
        self.dropout = nn.Dropout(design.dropout)
        self.head = nn.Linear(design.head, signature.classes, bias=False)

    def forward(self, inputs: Tensor, route: Sequence[ShuffleInner] | None = None) -> Tensor:
        """Returns logits, (batch, classes), of the sub-network `route`: choice and inner width per block."""
        chosen = route or self.route
        if chosen is None:
            raise ValueError("A supernet needs a route.")
        hidden: Tensor = self.stem(channels_last(inputs))
        for block, (choice, middle) in zip(self.blocks, chosen, strict=True):
            assert isinstance(block, nn.ModuleDict)
            hidden = block[str(choice)](hidden, middle)
        pooled = self.last(hidden).mean(dim=(2, 3))
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


def plain_norms(supernet: ShuffleNet, alone: nn.Module, _: Sequence[ShuffleInner]) -> dict[str, Tensor]:
    """Returns the scale and shift of every BatchNorm, one and zero, where the supernet's have none."""
    held = supernet.state_dict()
    own = alone.state_dict().items()
    return {name: weight.clone() for name, weight in own if ".norm." in name and name not in held}
