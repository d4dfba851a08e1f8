"""Sequence mixers whose inner widths match attention's parameters, so that diversity is not size.

Every mixer projects the tokens to `parts` x `inner` channels, mixes along the tokens and projects back. A
narrower slice uses the leading rows and columns of each weight: the slice is an argument of `forward`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.nn.counts import HEAD_WIDTH, KERNEL, PARTS, inner_width
from harness.nn.initial import adding, forget_gates, reading, zeros
from harness.nn.positions import rotary

LOCAL_REACH = 8
LOCAL_REACH_2D = 1


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How tokens lie.

    Attributes:
        causal: a token may see itself and earlier ones only.
        tokens: tokens of one sample; a causal input may be shorter.
        grid: (rows, columns) of an image's patches; None for sequences.
        is_rotated: whether heads rotate queries and keys by their position.
    """

    causal: bool
    tokens: int
    grid: tuple[int, int] | None = None
    is_rotated: bool = True

    def near(self) -> Tensor:
        """Returns which token sees which under local attention, bool, shape (tokens, tokens)."""
        index = torch.arange(self.tokens)
        if self.grid is None:
            back = index[:, None] - index[None, :]
            return (back >= 0) & (back < LOCAL_REACH)
        row, column = index // self.grid[1], index % self.grid[1]
        apart = torch.maximum((row[:, None] - row[None, :]).abs(), (column[:, None] - column[None, :]).abs())
        return apart <= LOCAL_REACH_2D


class Mixer(nn.Module):
    """One mixer of one family at its largest width.

    Shapes: inputs and outputs are (batch, tokens, width) for any width up to the module's.
    """

    def __init__(
        self, family: str, width: int, layout: Layout, *, layers: int, head_width: int = HEAD_WIDTH
    ) -> None:
        super().__init__()
        inner = inner_width(family, width)
        self.family = family
        self.head_width = head_width
        self.layout = layout
        self.inward = reading(PARTS[family], inner, width)
        self.outward = adding(width, inner, layers)
        if family == "convolution":
            self.kernel = reading(inner, KERNEL)
            self.bias = zeros(inner)
        if family == "recurrence":
            self.bias = forget_gates(inner)
        if family == "local":
            self.register_buffer("near", layout.near(), persistent=False)

    def forward(self, inputs: Tensor, width: int) -> Tensor:
        """Returns the mixed tokens, using the leading `width` channels of every weight."""
        inner = inner_width(self.family, width)
        weight = self.inward[:, :inner, :width].reshape(-1, width)
        projected = F.linear(inputs, weight).unflatten(-1, (PARTS[self.family], inner))
        mixed = _CORES[self.family](self, projected.unbind(-2))
        return F.linear(mixed, self.outward[:width, :inner])


def _query_key_value(mixer: Mixer, projected: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the heads, (batch, heads, tokens, head width), with queries and keys rotated or not."""
    heads = (-1, mixer.head_width)
    query, key, value = (part.unflatten(-1, heads).transpose(1, 2) for part in projected)
    if mixer.layout.is_rotated:
        query, key = rotary(query), rotary(key)
    return query, key, value


def _attention(mixer: Mixer, projected: tuple[Tensor, ...]) -> Tensor:
    query, key, value = _query_key_value(mixer, projected)
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=mixer.layout.causal)
    return mixed.transpose(1, 2).flatten(2)


def _local(mixer: Mixer, projected: tuple[Tensor, ...]) -> Tensor:
    query, key, value = _query_key_value(mixer, projected)
    near = mixer.get_buffer("near")[: query.shape[2], : query.shape[2]]
    return F.scaled_dot_product_attention(query, key, value, attn_mask=near).transpose(1, 2).flatten(2)


def _linear(mixer: Mixer, projected: tuple[Tensor, ...]) -> Tensor:
    query, key, value = _query_key_value(mixer, projected)
    weights = (F.elu(query) + 1) @ (F.elu(key) + 1).transpose(-1, -2)
    if mixer.layout.causal:
        weights = weights.tril()
    weights = weights / weights.sum(dim=-1, keepdim=True).clamp_min(1e-6)
    return (weights @ value).transpose(1, 2).flatten(2)


def _convolution(mixer: Mixer, projected: tuple[Tensor, ...]) -> Tensor:
    value, gate = projected
    inner = value.shape[-1]
    before = KERNEL - 1 if mixer.layout.causal else KERNEL // 2
    padded = F.pad(value, (0, 0, before, KERNEL - 1 - before))
    kernel = mixer.kernel[:inner]
    tokens = value.shape[1]
    mixed = mixer.bias[:inner] + sum(
        padded[:, shift : shift + tokens] * kernel[:, shift] for shift in range(KERNEL)
    )
    return mixed * F.silu(gate)


def _recurrence(mixer: Mixer, projected: tuple[Tensor, ...]) -> Tensor:
    value, forget, gate = projected
    keep = torch.sigmoid(forget + mixer.bias[: value.shape[-1]])
    fresh = (1 - keep) * value
    if mixer.layout.causal:
        state = _scan(keep, fresh)
    else:  # even channels run forwards, odd ones backwards
        forwards = _scan(keep[..., 0::2], fresh[..., 0::2])
        backwards = _scan(keep[..., 1::2].flip(1), fresh[..., 1::2].flip(1)).flip(1)
        state = torch.stack([forwards, backwards], dim=-1).flatten(2)
    return state * F.silu(gate)


def _scan(keep: Tensor, fresh: Tensor) -> Tensor:
    """Returns s_t = keep_t s_(t-1) + fresh_t over dimension 1 in log2(tokens) parallel steps."""
    for level in range(math.ceil(math.log2(max(keep.shape[1], 2)))):
        reach = 2**level
        earlier_fresh = F.pad(fresh[:, :-reach], (0, 0, reach, 0))
        earlier_keep = F.pad(keep[:, :-reach], (0, 0, reach, 0), value=1.0)
        fresh = fresh + keep * earlier_fresh
        keep = keep * earlier_keep
    return fresh


def _pooling(mixer: Mixer, projected: tuple[Tensor, ...]) -> Tensor:
    value, gate = projected
    rows, columns = mixer.layout.grid or (1, value.shape[1])
    image = value.transpose(1, 2).unflatten(2, (rows, columns))
    pooled = F.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False)
    return (pooled.flatten(2).transpose(1, 2) - value) * F.silu(gate)


_CORES: dict[str, Callable[[Mixer, tuple[Tensor, ...]], Tensor]] = {
    "attention": _attention,
    "local": _local,
    "linear": _linear,
    "convolution": _convolution,
    "recurrence": _recurrence,
    "pooling": _pooling,
}
