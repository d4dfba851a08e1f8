"""A plain GPT decoder over bytes: pre-norm, rotary positions, biases, untied head."""

import torch.nn.functional as F
from torch import Tensor, nn

from harness.nn.pooling import pooled
from harness.nn.positions import rotary


class DecoderBlock(nn.Module):
    """Causal self-attention and an MLP, each after a LayerNorm; (batch, tokens, width) in and out."""

    def __init__(self, width: int, heads: int, hidden: int, *, layers: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.inward = nn.Linear(width, 3 * width)
        self.outward = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        for linear in (self.inward, self.up):
            nn.init.normal_(linear.weight, std=width**-0.5)
            nn.init.zeros_(linear.bias)
        for linear in (self.outward, self.down):
            nn.init.normal_(linear.weight, std=(linear.in_features * 2 * layers) ** -0.5)
            nn.init.zeros_(linear.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        projected = self.inward(self.attention_norm(tokens)).unflatten(-1, (3, self.heads, -1))
        query, key, value = projected.transpose(1, 3).unbind(2)
        mixed = F.scaled_dot_product_attention(rotary(query), rotary(key), value, is_causal=True)
        tokens = tokens + self.outward(mixed.transpose(1, 2).flatten(2))
        deeper: Tensor = self.down(F.gelu(self.up(self.mlp_norm(tokens))))
        return tokens + deeper


class Decoder(nn.Module):
    """Bytes (batch, tokens) -> logits of the next byte (batch, tokens, 256) or of texts (batch, classes)."""

    def __init__(
        self, *, width: int, depth: int, heads: int, ratio: float, classes: int | None = None
    ) -> None:
        """Makes a model of the next byte, or with `classes` one that classifies texts."""
        super().__init__()
        self.classes = classes
        self.embed = nn.Embedding(256, width)
        self.blocks = nn.ModuleList(
            DecoderBlock(width, heads, int(width * ratio), layers=depth) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes or 256)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = self.embed(inputs)
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(self.norm(tokens))
        return logits if self.classes is None else pooled(logits, inputs)
