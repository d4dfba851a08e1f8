"""The once-for-all MobileNetV3, as a supernet over depth, kernel and expansion, and as its own slices."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.nn.designs import MobileDesign, MobileInner, Route
from harness.nn.slices import ACTIVATIONS, ConvNorm, Reordering, channels_last, sliced_conv, sliced_norm
from harness.task.signature import Signature


class ElasticDepthwise(nn.Module):
    """Depth-wise convolution whose smaller kernels are learned linear maps of the larger one's centre.

    Source: Cai et al. 2020 (once-for-all, arXiv 1908.09791), section 3.3, elastic kernel size: one matrix
    per block and step 7 -> 5 -> 3, shared by all channels.
    """

    def __init__(self, channels: int, kernels: tuple[int, ...], stride: int, activation: str) -> None:
        super().__init__()
        self.kernels = tuple(sorted(kernels, reverse=True))
        largest = self.kernels[0]
        self.conv = nn.Conv2d(channels, channels, largest, stride, largest // 2, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.transforms = nn.ParameterDict(
            {f"{large}to{small}": torch.eye(small**2) for large, small in pairwise(self.kernels)}
        )
        self.activation = activation

    def weight(self, kernel: int, channels: int) -> Tensor:
        """Returns the kernels of the leading channels, (channels, 1, kernel, kernel)."""
        weight = self.conv.weight[:channels]
        for large, small in pairwise(self.kernels):
            if small < kernel:
                break
            edge = (large - small) // 2
            centre = weight[:, :, edge : edge + small, edge : edge + small].flatten(1)
            weight = F.linear(centre, self.transforms[f"{large}to{small}"]).view(-1, 1, small, small)
        return weight

    def forward(self, inputs: Tensor, kernel: int) -> Tensor:
        """Returns (batch, the channels of `inputs`, height / stride, width / stride), rounded up."""
        channels = inputs.shape[1]
        weight = self.weight(kernel, channels)
        hidden = F.conv2d(inputs, weight, None, self.conv.stride, kernel // 2, groups=channels)
        return ACTIVATIONS[self.activation](sliced_norm(self.norm, hidden))


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate that reads the means of all channels."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeeze, 1)
        self.expand = nn.Conv2d(squeeze, channels, 1)

    def forward(self, inputs: Tensor, squeeze: int) -> Tensor:
        """Returns the gated inputs, through the `squeeze` leading inner channels."""
        means = inputs.mean(dim=(2, 3), keepdim=True)
        inner = F.relu(sliced_conv(self.reduce, means, squeeze))
        return inputs * F.hardsigmoid(sliced_conv(self.expand, inner, inputs.shape[1]))


class MobileBlock(nn.Module):
    """Inverted bottleneck: expand, depth-wise, perhaps squeeze and excite, project, perhaps add the input."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        inner: MobileInner,
        *,
        stride: int,
        activation: str,
        kernels: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.expand = ConvNorm(inputs, inner.middle, activation=activation)
        self.depth = ElasticDepthwise(inner.middle, kernels, stride, activation)
        self.squeeze = SqueezeExcite(inner.middle, inner.squeeze) if inner.squeeze else None
        self.project = ConvNorm(inner.middle, outputs)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, inputs: Tensor, inner: MobileInner) -> Tensor:
        """Returns (batch, outputs, height / stride, width / stride), rounded up."""
        hidden = self.depth(self.expand(inputs, inner.middle), inner.kernel)
        if self.squeeze is not None:
            hidden = self.squeeze(hidden, inner.squeeze)
        output: Tensor = self.project(hidden)
        return inputs + output if self.is_residual else output


class MobileNet(nn.Module):
    """Stem, a fixed first block, stages of elastic blocks, head.

    Shapes: images (batch, channels, height, width) -> logits (batch, classes).
    """

    def __init__(
        self,
        design: MobileDesign,
        signature: Signature,
        largest: Route,
        kernels: tuple[int, ...] | None = None,
    ) -> None:
        """Makes the network of `largest`, which also runs when `forward` gets no route.

        Args:
            largest: the blocks that are held, at their largest.
            kernels: the sizes every depth-wise kernel can take; None: the one of `largest`.
        """
        super().__init__()
        self.largest = largest
        self.stem = ConvNorm(
            signature.channels, design.stem, 3, stride=design.stem_stride, activation="hswish"
        )
        self.first = nn.Sequential(
            ConvNorm(design.stem, design.stem, 3, depthwise=True, activation="relu"),
            ConvNorm(design.stem, design.first),
        )
        self.stages = nn.ModuleList()
        width = design.first
        of_stages = zip(design.widths, design.strides, design.activations, largest.stages, strict=True)
        for outputs, first, activation, inners in of_stages:
            blocks = nn.ModuleList()
            for position, inner in enumerate(inners):
                stride, sizes = 1 if position else first, kernels or (inner.kernel,)
                blocks.append(
                    MobileBlock(width, outputs, inner, stride=stride, activation=activation, kernels=sizes)
                )
                width = outputs
            self.stages.append(blocks)
        self.final = ConvNorm(width, design.final, activation="hswish")
        self.mix = nn.Conv2d(design.final, design.last, 1, bias=False)
        self.head = nn.Linear(design.last, signature.classes)

    def forward(self, inputs: Tensor, route: Route | None = None) -> Tensor:
        """Returns logits, (batch, classes), of the sub-network `route`."""
        route = route or self.largest
        side = route.side
        if side is not None and inputs.shape[-2:] != (side, side):
            inputs = F.interpolate(inputs, (side, side), mode="bilinear", antialias=True)
        hidden = self.stem(channels_last(inputs))
        reduced = self.first(hidden)
        hidden = hidden + reduced if hidden.shape[1] == reduced.shape[1] else reduced
        for blocks, inners in zip(self.stages, route.stages, strict=True):
            assert isinstance(blocks, nn.ModuleList)
            for block, inner in zip(blocks, inners, strict=False):
                hidden = block(hidden, inner)
        pooled = self.final(hidden).mean(dim=(2, 3), keepdim=True)
        logits: Tensor = self.head(F.hardswish(self.mix(pooled)).flatten(1))
        return logits


def transformed_kernels(supernet: MobileNet, _: nn.Module, route: Route) -> dict[str, Tensor]:
    """Returns the depth-wise kernels of a route, by their names in its stand-alone network."""
    return {
        f"stages.{stage}.{position}.depth.conv.weight": _block(supernet, stage, position)
        .depth.weight(inner.kernel, inner.middle)
        .detach()
        for stage, inners in enumerate(route.stages)
        for position, inner in enumerate(inners)
    }


def _block(network: MobileNet, stage: int, position: int) -> MobileBlock:
    blocks = network.stages[stage]
    assert isinstance(blocks, nn.ModuleList)
    block = blocks[position]
    assert isinstance(block, MobileBlock)
    return block


@torch.no_grad()
def sort_channels(supernet: MobileNet) -> list[Reordering]:
    """Reorders the expanded channels of every block, most important first; the full network stays the same.

    Importance is the L1 norm of the weights that read a channel: those of the projection for expanded
    channels, those of the gate's second layer for squeezed ones. Slices by width change. What was done is
    returned, for the state of an optimizer to follow.

    Source: Cai et al. 2020 (once-for-all, arXiv 1908.09791), section 3.3, elastic width.
    """
    done: list[Reordering] = []
    for stage, blocks in enumerate(supernet.largest.stages):
        for position in range(len(blocks)):
            block = _block(supernet, stage, position)
            order = _importance(block.project.conv)
            done += _reorder((block.expand.conv.weight, block.depth.conv.weight), order, 0)
            for norm in (block.expand.norm, block.depth.norm):
                done += _reorder((norm.weight, norm.bias, norm.running_mean, norm.running_var), order, 0)
            done += _reorder((block.project.conv.weight,), order, 1)
            if block.squeeze is not None:
                done += _sort_squeeze(block.squeeze, order)
    return done


def _sort_squeeze(squeeze: SqueezeExcite, order: Tensor) -> list[Reordering]:
    reduce, expand = squeeze.reduce, squeeze.expand
    inner = _importance(expand)
    return [
        *_reorder((reduce.weight,), order, 1),
        *_reorder((expand.weight, expand.bias), order, 0),
        *_reorder((reduce.weight, reduce.bias), inner, 0),
        *_reorder((expand.weight,), inner, 1),
    ]


def _importance(reader: nn.Conv2d) -> Tensor:
    """Returns the input channels of `reader`, indices in order of falling L1 norm."""
    return reader.weight.abs().sum(dim=(0, 2, 3)).argsort(descending=True, stable=True)


def _reorder(tensors: tuple[Tensor | None, ...], order: Tensor, dimension: int) -> list[Reordering]:
    there = [tensor for tensor in tensors if tensor is not None]
    for tensor in there:
        tensor.copy_(tensor.index_select(dimension, order))
    return [Reordering(tensor, order, dimension) for tensor in there]
