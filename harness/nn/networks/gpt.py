"""The elastic GPT decoder, as a weight-entangled supernet and as its own slices."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.nn.designs import GptFrame, TransformerShape
from harness.nn.initial import adding, embedding, reading, zeros
from harness.nn.pooling import pooled
from harness.nn.positions import rotary
from harness.nn.slices import layer_norm, sliced_layer_norm


class GptBlock(nn.Module):
    """Causal attention and an MLP side by side, each after its own LayerNorm, all at the largest width."""

    def __init__(self, frame: GptFrame, shape: TransformerShape, layer: int) -> None:
        super().__init__()
        width, hidden = shape.width, shape.hidden[layer]
        inner = shape.heads[layer] * frame.head_width
        layers = len(shape.heads)
        self.head_width = frame.head_width
        self.attention_norm = layer_norm(width)
        self.mlp_norm = layer_norm(width)
        self.inward = reading(3, inner, width)
        self.outward = adding(width, inner, layers)
        self.up = reading(hidden, width)
        self.down = adding(width, hidden, layers)
        if shape.bias:
            self.inward_bias = zeros(3, inner)
            self.outward_bias = zeros(width)
            self.up_bias = zeros(hidden)
            self.down_bias = zeros(width)

    def forward(self, tokens: Tensor, heads: int, hidden: int, bias: bool) -> Tensor:
        """Returns the tokens, (batch, tokens, width), after the leading `heads` and `hidden` channels."""
        width = tokens.shape[-1]
        normed = sliced_layer_norm(tokens, self.mlp_norm)
        raised = F.linear(normed, self.up[:hidden, :width], self.up_bias[:hidden] if bias else None)
        lowered = F.linear(
            F.gelu(raised), self.down[:width, :hidden], self.down_bias[:width] if bias else None
        )
        return tokens + self._attend(sliced_layer_norm(tokens, self.attention_norm), heads, bias) + lowered

    def _attend(self, normed: Tensor, heads: int, bias: bool) -> Tensor:
        width, inner = normed.shape[-1], heads * self.head_width
        weight = self.inward[:, :inner, :width].reshape(-1, width)
        shift = self.inward_bias[:, :inner].reshape(-1) if bias else None
        projected = F.linear(normed, weight, shift).unflatten(-1, (3, heads, self.head_width))
        query, key, value = projected.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(_rotate(query), _rotate(key), value, is_causal=True)
        shift = self.outward_bias[:width] if bias else None
        return F.linear(mixed.transpose(1, 2).flatten(2), self.outward[:width, :inner], shift)


class GptDecoder(nn.Module):
    """Tokens (batch, context) int64 -> logits of the next token (batch, context, vocabulary), or of classes.

    Parallel residual, rotary positions on half of each head, a last LayerNorm and a head without bias.
    Every weight of a sub-network is the leading corner of the largest network's (weight entanglement).

    Source: Sukthanker et al. 2024 (HW-GPT-Bench, arXiv 2405.10299), section 3. The base of the rotation is
    that of `harness.nn.positions`, and initial values are those of `harness.nn.initial`.
    """

    def __init__(self, frame: GptFrame, shape: TransformerShape) -> None:
        """Makes the largest network; `shape` is what runs when `forward` gets none."""
        super().__init__()
        self.frame = frame
        self.largest = shape
        width = shape.width
        self.embed = embedding(frame.vocabulary, width, is_head=frame.tied)
        self.blocks = nn.ModuleList(GptBlock(frame, shape, layer) for layer in range(len(shape.heads)))
        self.norm = layer_norm(width)
        if not frame.tied:
            self.head = reading(frame.classes or frame.vocabulary, width)

    def forward(self, inputs: Tensor, shape: TransformerShape | None = None) -> Tensor:
        """Returns the logits of the sub-network `shape`, at a cost proportional to it."""
        shape = shape or self.largest
        tokens = F.embedding(inputs, self.embed[:, : shape.width])
        for block, heads, hidden in zip(self.blocks, shape.heads, shape.hidden, strict=False):
            tokens = block(tokens, heads, hidden, shape.bias)
        head = self.embed if self.frame.tied else self.head
        logits = F.linear(sliced_layer_norm(tokens, self.norm), head[:, : shape.width])
        return logits if self.frame.classes is None else pooled(logits, inputs)


def _rotate(heads: Tensor) -> Tensor:
    """Returns queries or keys with the first half of each head rotated by its position."""
    turned, kept = heads.chunk(2, dim=-1)
    return torch.cat([rotary(turned), kept], dim=-1).to(heads.dtype)
