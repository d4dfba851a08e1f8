"""Plain decoders over bytes of the forms of GPT and of LLaMA: pre-norm, rotary positions, untied head."""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from harness.nn.initial import start
from harness.nn.pooling import pooled
from harness.nn.positions import rotary


class DecoderBlock(nn.Module):
    """Causal self-attention and an MLP, each after a norm; (batch, tokens, width) in and out."""

    def __init__(self, width: int, heads: int, hidden: int, *, layers: int, is_llama: bool) -> None:
        super().__init__()
        norm, linear = _parts(is_llama=is_llama)
        self.heads = heads
        self.attention_norm = norm(width)
        self.inward = linear(width, 3 * width)
        self.outward = linear(width, width)
        self.mlp_norm = norm(width)
        self.gate = linear(width, hidden) if is_llama else None
        self.up = linear(width, hidden)
        self.down = linear(hidden, width)
        reads = [one for one in (self.inward, self.gate, self.up) if one is not None]
        start(reads=reads, adds=[self.outward, self.down], layers=layers)

    def forward(self, tokens: Tensor) -> Tensor:
        projected = self.inward(self.attention_norm(tokens)).unflatten(-1, (3, self.heads, -1))
        query, key, value = projected.transpose(1, 3).unbind(2)
        mixed = F.scaled_dot_product_attention(rotary(query), rotary(key), value, is_causal=True)
        tokens = tokens + self.outward(mixed.transpose(1, 2).flatten(2))
        normed = self.mlp_norm(tokens)
        raised = self.up(normed)
        raised = F.gelu(raised) if self.gate is None else F.silu(self.gate(normed)) * raised
        deeper: Tensor = self.down(raised)
        return tokens + deeper


class Decoder(nn.Module):
    """Bytes (batch, tokens) -> logits of the next byte (batch, tokens, 256) or of texts (batch, classes).

    The form of GPT has LayerNorms, an MLP with GELU, and biases; that of LLaMA has RMSNorms, SwiGLU and no
    biases. Initial values are those of `harness.nn.initial`, and the base of the rotation is that of
    `harness.nn.positions`.

    Source: Touvron et al. 2023 (LLaMA, arXiv 2302.13971), section 2.2.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        heads: int,
        hidden: int,
        classes: int | None = None,
        is_llama: bool = False,
    ) -> None:
        """Makes a model of the next byte, or with `classes` one that classifies texts."""
        super().__init__()
        norm, linear = _parts(is_llama=is_llama)
        self.classes = classes
        self.embed = nn.Embedding(256, width)
        self.blocks = nn.ModuleList(
            DecoderBlock(width, heads, hidden, layers=depth, is_llama=is_llama) for _ in range(depth)
        )
        self.norm = norm(width)
        self.head = linear(width, classes or 256)
        start(reads=[self.head], layers=depth)

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = self.embed(inputs)
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(self.norm(tokens))
        return logits if self.classes is None else pooled(logits, inputs)


def _parts(*, is_llama: bool) -> tuple[Callable[[int], nn.Module], partial[nn.Linear]]:
    norm: Callable[[int], nn.Module] = partial(nn.RMSNorm, eps=1e-5) if is_llama else nn.LayerNorm
    return norm, partial(nn.Linear, bias=not is_llama)
