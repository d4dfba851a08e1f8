"""The block form shared by byte decoders and patch encoders, as a supernet and as its own slices."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.nn.counts import HEAD_WIDTH
from harness.nn.initial import adding, embedding, positions, reading, zeros
from harness.nn.mixers import Layout, Mixer
from harness.nn.pooling import pooled
from harness.nn.positions import sine_cosine
from harness.task.signature import Signature

PATCH = 4


@dataclass(frozen=True, kw_only=True)
class HybridShape:
    """One sub-network: what `forward` takes as its architecture.

    Attributes:
        width: channels of a token.
        mixers: family of each layer; its length is the depth.
        hidden: inner channels of each layer's MLP.
    """

    width: int
    mixers: tuple[str, ...]
    hidden: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class HybridForm:
    """What no space of hybrids varies, and a tuned transformer may.

    Attributes:
        head_width: channels of an attention head, which divides the width.
        learns_positions: whether positions are learned, in place of sines of images and rotations of bytes.
        averages: whether an image's head reads the mean token, in place of each with weights of its own.
    """

    head_width: int = HEAD_WIDTH
    learns_positions: bool = False
    averages: bool = False


PLAIN = HybridForm()


class HybridLayer(nn.Module):
    """One block: mixers of several families and one MLP, all at the largest width."""

    def __init__(
        self,
        families: Sequence[str],
        width: int,
        hidden: int,
        layout: Layout,
        *,
        layers: int,
        head_width: int = HEAD_WIDTH,
    ) -> None:
        super().__init__()
        self.mixer_scale = nn.Parameter(torch.ones(width))
        self.mlp_scale = nn.Parameter(torch.ones(width))
        made = {"layers": layers, "head_width": head_width}
        self.mixers = nn.ModuleDict({family: Mixer(family, width, layout, **made) for family in families})
        self.up = reading(hidden, width)
        self.down = adding(width, hidden, layers)

    def forward(self, tokens: Tensor, width: int, family: str, hidden: int) -> Tensor:
        """Returns the tokens after one mixer and the leading `hidden` channels of the MLP."""
        mixed = self.mixers[family](_norm(tokens, self.mixer_scale, width), width)
        tokens = tokens + mixed
        inner = F.gelu(F.linear(_norm(tokens, self.mlp_scale, width), self.up[:hidden, :width]))
        return tokens + F.linear(inner, self.down[:width, :hidden])


class HybridNet(nn.Module):
    """A supernet over mixers, width, depth and MLP width; with one option each, a stand-alone network.

    Shapes: images (batch, channels, height, width) -> logits (batch, classes); bytes (batch, tokens)
    int64 -> logits (batch, tokens, 256); text (batch, tokens) int64 -> logits (batch, classes).
    """

    def __init__(
        self,
        signature: Signature,
        families: Sequence[Sequence[str]],
        shape: HybridShape,
        *,
        is_grid: bool,
        is_pooled: bool,
        form: HybridForm = PLAIN,
    ) -> None:
        """Makes the largest network.

        Args:
            families: per layer, the mixer families it holds.
            shape: the largest sub-network, used when `forward` gets none.
            is_grid: whether tokens are patches of an image; bytes otherwise.
            is_pooled: whether bytes give one answer together.
            form: of positions and heads.
        """
        super().__init__()
        self.signature = signature
        self.is_pooled = is_pooled
        grid = (signature.height // PATCH, signature.width // PATCH) if is_grid else None
        tokens = math.prod(grid) if grid else signature.context
        is_rotated = not is_grid and not form.learns_positions
        self.layout = Layout(causal=not is_grid, tokens=tokens, grid=grid, is_rotated=is_rotated)
        self.form = form
        self.largest = shape
        width, layers = shape.width, len(families)
        if not is_grid:
            self.embed = embedding(256, width)
            outputs = signature.classes
        else:
            pixels = signature.channels * PATCH**2
            self.embed = reading(width, pixels)
            self.embed_bias = zeros(width)
            outputs = signature.classes * (1 if form.averages else self.layout.tokens)
        self.positions = positions(tokens, width) if form.learns_positions else None
        self.layers = nn.ModuleList(
            HybridLayer(held, width, hidden, self.layout, layers=layers, head_width=form.head_width)
            for held, hidden in zip(families, shape.hidden, strict=True)
        )
        self.scale = nn.Parameter(torch.ones(width))
        self.head = reading(outputs, width, fan_in=width * outputs // signature.classes)
        self.head_bias = zeros(signature.classes)

    def forward(self, inputs: Tensor, shape: HybridShape | None = None) -> Tensor:
        """Returns the logits of the sub-network `shape`, at a cost proportional to it."""
        shape = shape or self.largest
        width = shape.width
        tokens = self._embed(inputs, width)
        layers = zip(self.layers, shape.mixers, shape.hidden, strict=False)
        for layer, family, hidden in layers:
            tokens = layer(tokens, width, family, hidden)
        tokens = _norm(tokens, self.scale, width)
        if self.layout.grid is None:
            logits = F.linear(tokens, self.head[:, :width], self.head_bias)
            return pooled(logits, inputs) if self.is_pooled else logits
        if self.form.averages:
            return F.linear(tokens.mean(dim=1), self.head[:, :width], self.head_bias)
        weight = self.head.unflatten(0, (self.signature.classes, self.layout.tokens))[..., :width]
        return F.linear(tokens.flatten(1), weight.flatten(1), self.head_bias)

    def _embed(self, inputs: Tensor, width: int) -> Tensor:
        if self.layout.grid is None:
            tokens = F.embedding(inputs, self.embed[:, :width])
            return tokens if self.positions is None else tokens + self.positions[: inputs.shape[1], :width]
        patches = F.unfold(inputs, PATCH, stride=PATCH).transpose(1, 2)
        tokens = F.linear(patches, self.embed[:width], self.embed_bias[:width])
        if self.positions is not None:
            return tokens + self.positions[:, :width]
        return tokens + sine_cosine(tokens.shape[1], width, tokens.device)


def _norm(tokens: Tensor, scale: Tensor, width: int) -> Tensor:
    return F.layer_norm(tokens, (width,), scale[:width])
