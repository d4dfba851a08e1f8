"""A LLaMA-form decoder over bytes: RMSNorm, SwiGLU, rotary positions, no biases, untied head."""

import torch.nn.functional as F
from torch import Tensor, nn

from harness.nn.pooling import pooled
from harness.nn.positions import rotary


class LlamaBlock(nn.Module):
    """Causal self-attention and a gated MLP, each after an RMSNorm; (batch, tokens, width) in and out."""

    def __init__(self, width: int, heads: int, hidden: int, *, layers: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.RMSNorm(width, eps=1e-5)
        self.inward = nn.Linear(width, 3 * width, bias=False)
        self.outward = nn.Linear(width, width, bias=False)
        self.mlp_norm = nn.RMSNorm(width, eps=1e-5)
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)
        for linear in (self.inward, self.gate, self.up):
            nn.init.normal_(linear.weight, std=width**-0.5)
        for linear in (self.outward, self.down):
            nn.init.normal_(linear.weight, std=(linear.in_features * 2 * layers) ** -0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        projected = self.inward(self.attention_norm(tokens)).unflatten(-1, (3, self.heads, -1))
        query, key, value = projected.transpose(1, 3).unbind(2)
        mixed = F.scaled_dot_product_attention(rotary(query), rotary(key), value, is_causal=True)
        tokens = tokens + self.outward(mixed.transpose(1, 2).flatten(2))
        normed = self.mlp_norm(tokens)
        deeper: Tensor = self.down(F.silu(self.gate(normed)) * self.up(normed))
        return tokens + deeper


class Llama(nn.Module):
    """Bytes (batch, tokens) -> logits of the next byte (batch, tokens, 256), or of texts (batch, classes).

    Source: Touvron et al. 2023 (LLaMA, arXiv 2302.13971), section 2.2. Initial values are scaled by fan-in,
    the head starts at zero, and the base of the rotation is that of `harness.nn.positions`.
    """

    def __init__(
        self, *, width: int, depth: int, heads: int, hidden: int, classes: int | None = None
    ) -> None:
        """Makes a model of the next byte, or with `classes` one that classifies texts."""
        super().__init__()
        self.classes = classes
        self.embed = nn.Embedding(256, width)
        self.blocks = nn.ModuleList(LlamaBlock(width, heads, hidden, layers=depth) for _ in range(depth))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head = nn.Linear(width, classes or 256, bias=False)
        nn.init.zeros_(self.head.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = self.embed(inputs)
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(self.norm(tokens))
        return logits if self.classes is None else pooled(logits, inputs)
