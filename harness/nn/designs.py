"""What the networks of search spaces are made of, without torch, so that spaces are declared without it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from, to) of each edge of a cell, in the order of the published string."""
KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
"""Side of the kernel of the operations on an edge that convolve."""


class TransformerShape(NamedTuple):
    """One sub-network of an elastic transformer.

    Attributes:
        width: channels of a token.
        heads: attention heads of each layer; its length is the depth.
        hidden: inner channels of each layer's MLP.
        bias: whether linear layers of the blocks have biases.
    """

    width: int
    heads: tuple[int, ...]
    hidden: tuple[int, ...]
    bias: bool = True


@dataclass(frozen=True, kw_only=True)
class TransformerSize:
    """The options of an elastic transformer.

    Attributes:
        widths: channels of a token.
        depths: layers, ascending.
        ratios: MLP width over token width.
        heads: attention heads of a layer.
        default: width, depth, ratio and heads of the plain transformer.
        head_width: channels of one head.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    ratios: tuple[float, ...]
    heads: tuple[int, ...]
    default: tuple[int, int, float, int]
    head_width: int = 64

    def shape(self, form: Mapping[str, Any]) -> TransformerShape:
        """Returns the sub-network of an architecture's JSON form."""
        width = form["embed_dim"]
        hidden = tuple([int(width * ratio) for ratio in form["mlp_ratio"]])
        return TransformerShape(width, tuple(form["num_heads"]), hidden, form.get("bias", True))

    def largest(self, width: int) -> TransformerShape:
        """Returns a network of that width with the last option of all else."""
        deepest = self.depths[-1]
        return TransformerShape(width, (self.heads[-1],) * deepest, (int(width * self.ratios[-1]),) * deepest)


@dataclass(frozen=True, kw_only=True)
class VisionFrame:
    """What all sub-networks of a vision transformer share.

    Attributes:
        channels: image channels.
        classes: outputs.
        patch: side of a square patch in pixels.
        grid: (rows, columns) of patches; a grid larger than the image means zeros at its right and bottom.
        head_width: channels of one attention head.
        reach: largest relative distance that is told apart, in patches; None for no relative positions.
    """

    channels: int
    classes: int
    patch: int
    grid: tuple[int, int]
    head_width: int
    reach: int | None


@dataclass(frozen=True, kw_only=True)
class GptFrame:
    """What all sub-networks of a decoder share.

    Attributes:
        vocabulary: different tokens, in and out.
        head_width: channels of one attention head.
        tied: the head's weight is the embedding's.
        classes: of whole texts; None for a model that predicts the next token.
    """

    vocabulary: int
    head_width: int
    tied: bool
    classes: int | None = None


@dataclass(frozen=True, kw_only=True)
class MobileDesign:
    """The fixed part of a once-for-all MobileNetV3.

    Attributes:
        stem: channels of the first convolution.
        stem_stride: its stride.
        first: channels of the fixed first block.
        widths: output channels of each stage.
        strides: stride of each stage's first block.
        activations: activation of each stage.
        gated: whether the blocks of each stage squeeze and excite.
        depths: how many blocks a stage may have.
        final: channels of the last 1x1 convolution before pooling.
        last: channels after pooling.
        resolutions: sides in pixels; empty where images are taken as they come.
    """

    stem: int
    stem_stride: int
    first: int
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    activations: tuple[str, ...]
    gated: tuple[bool, ...]
    depths: tuple[int, ...]
    final: int
    last: int
    resolutions: tuple[int, ...] = ()


class MobileInner(NamedTuple):
    """The inside of one block: depth-wise kernel, expanded channels, squeezed channels (0: no squeeze)."""

    kernel: int
    middle: int
    squeeze: int


class Route(NamedTuple):
    """One sub-network of a MobileNetV3.

    Attributes:
        side: height and width in pixels to which images are resized; None leaves them as they come.
        stages: the blocks of each stage that run, first to last.
    """

    side: int | None
    stages: tuple[tuple[MobileInner, ...], ...]


@dataclass(frozen=True, kw_only=True)
class ShuffleDesign:
    """The fixed part of a ShuffleNetV2 of single-path one-shot search.

    Attributes:
        stem: channels of the first convolution.
        stem_stride: its stride.
        repeats: blocks of each stage, the first with stride 2.
        widths: output channels of each stage.
        head: channels before the classifier.
        dropout: share of them dropped in training.
    """

    stem: int
    stem_stride: int
    repeats: tuple[int, ...]
    widths: tuple[int, ...]
    head: int
    dropout: float


class ShuffleInner(NamedTuple):
    """One block of a sub-network: its choice, 0 to 3, and its inner channels."""

    choice: int
    middle: int
