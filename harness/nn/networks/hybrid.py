"""The block form shared by byte decoders and patch encoders, as a supernet and as its own slices."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


class HybridLayer(nn.Module):
    """One block: mixers of several families and one MLP, all at the largest width."""

    def __init__(
        self, families: Sequence[str], width: int, hidden: int, layout: Layout, *, layers: int
    ) -> None:
        super().__init__()
        self.mixer_scale = nn.Parameter(torch.ones(width))
        self.mlp_scale = nn.Parameter(torch.ones(width))
        self.mixers = nn.ModuleDict(
            {family: Mixer(family, width, layout, layers=layers) for family in families}
        )
        self.up = nn.Parameter(torch.randn(hidden, width) * width**-0.5)
        self.down = nn.Parameter(torch.randn(width, hidden) * (hidden * 2 * layers) ** -0.5)

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
    ) -> None:
        """Makes the largest network.

        Args:
            families: per layer, the mixer families it holds.
            shape: the largest sub-network, used when `forward` gets none.
            is_grid: whether tokens are patches of an image; bytes otherwise.
            is_pooled: whether bytes give one answer together.
        """
        super().__init__()
        self.signature = signature
        self.is_pooled = is_pooled
        grid = (signature.height // PATCH, signature.width // PATCH) if is_grid else None
        tokens = math.prod(grid) if grid else signature.context
        self.layout = Layout(causal=not is_grid, tokens=tokens, grid=grid)
        self.largest = shape
        width, layers = shape.width, len(families)
        if not is_grid:
            self.embed = nn.Parameter(torch.randn(256, width))
            outputs = signature.classes
        else:
            pixels = signature.channels * PATCH**2
            self.embed = nn.Parameter(torch.randn(width, pixels) * pixels**-0.5)
            self.embed_bias = nn.Parameter(torch.zeros(width))
            outputs = signature.classes * self.layout.tokens
        self.layers = nn.ModuleList(
            HybridLayer(held, width, hidden, self.layout, layers=layers)
            for held, hidden in zip(families, shape.hidden, strict=True)
        )
        self.scale = nn.Parameter(torch.ones(width))
        self.head = nn.Parameter(torch.zeros(outputs, width))
        self.head_bias = nn.Parameter(torch.zeros(signature.classes))

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
        weight = self.head.unflatten(0, (self.signature.classes, self.layout.tokens))[..., :width]
        return F.linear(tokens.flatten(1), weight.flatten(1), self.head_bias)

    def _embed(self, inputs: Tensor, width: int) -> Tensor:
        if self.layout.grid is None:
            return F.embedding(inputs, self.embed[:, :width])
        patches = F.unfold(inputs, PATCH, stride=PATCH).transpose(1, 2)
        tokens = F.linear(patches, self.embed[:width], self.embed_bias[:width])
        return tokens + sine_cosine(tokens.shape[1], width, tokens.device)


def _norm(tokens: Tensor, scale: Tensor, width: int) -> Tensor:
    return F.layer_norm(tokens, (width,), scale[:width])
