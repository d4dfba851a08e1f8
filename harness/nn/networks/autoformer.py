"""The AutoFormer vision transformer, as a weight-entangled supernet and as its own slices."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.nn.designs import TransformerShape, VisionFrame
from harness.nn.initial import adding, positions, reading, relative, zeros
from harness.nn.slices import layer_norm, sliced_layer_norm


class RelativePosition(nn.Module):
    """Learned vectors of the relative position of two tokens; row 0 is for pairs with the class token.

    Source: Wu et al. 2021 (iRPE) and Chen et al. 2021 (AutoFormer), 2D relative position, shared by heads.
    """

    def __init__(self, reach: int, width: int) -> None:
        super().__init__()
        self.vertical = relative(2 * reach + 2, width)
        self.horizontal = relative(2 * reach + 2, width)

    def forward(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Returns one vector per pair, (tokens, tokens, head width), from the table rows of both axes."""
        return self.vertical[rows] + self.horizontal[columns]


class VisionBlock(nn.Module):
    """Attention and an MLP, each after a LayerNorm and added to its input, all at the largest width."""

    def __init__(self, frame: VisionFrame, width: int, heads: int, hidden: int, *, layers: int) -> None:
        super().__init__()
        inner = heads * frame.head_width
        self.head_width = frame.head_width
        self.attention_norm = layer_norm(width)
        self.inward = reading(3, inner, width)
        # Flat, as in the released code: a narrower slice takes the leading entries, whichever part they meet.
        self.inward_bias = zeros(3 * inner)
        self.outward = adding(width, inner, layers)
        self.outward_bias = zeros(width)
        self.mlp_norm = layer_norm(width)
        self.up = reading(hidden, width)
        self.up_bias = zeros(hidden)
        self.down = adding(width, hidden, layers)
        self.down_bias = zeros(width)
        if frame.reach is not None:
            self.key_position = RelativePosition(frame.reach, frame.head_width)
            self.value_position = RelativePosition(frame.reach, frame.head_width)

    def forward(self, tokens: Tensor, heads: int, hidden: int, apart: tuple[Tensor, Tensor] | None) -> Tensor:
        """Returns the tokens, (batch, tokens, width), after the leading `heads` and `hidden` channels.

        `apart` holds the table rows of the vertical and horizontal distance of each pair of tokens.
        """
        width = tokens.shape[-1]
        inner = heads * self.head_width
        weight = self.inward[:, :inner, :width].reshape(-1, width)
        normed = sliced_layer_norm(tokens, self.attention_norm)
        projected = F.linear(normed, weight, self.inward_bias[: 3 * inner])
        mixed = self._attend(projected.unflatten(-1, (3, heads, self.head_width)), apart)
        tokens = tokens + F.linear(mixed, self.outward[:width, :inner], self.outward_bias[:width])
        normed = sliced_layer_norm(tokens, self.mlp_norm)
        raised = F.gelu(F.linear(normed, self.up[:hidden, :width], self.up_bias[:hidden]))
        return tokens + F.linear(raised, self.down[:width, :hidden], self.down_bias[:width])

    def _attend(self, projected: Tensor, apart: tuple[Tensor, Tensor] | None) -> Tensor:
        """Returns the mixed values, (batch, tokens, inner); `projected` (batch, tokens, 3, heads, head)."""
        query, key, value = projected.permute(2, 0, 3, 1, 4).unbind(0)
        if apart is None:
            mixed = F.scaled_dot_product_attention(query, key, value)
        else:
            query = query * self.head_width**-0.5
            near = torch.einsum("bhqw,qkw->bhqk", query, self.key_position(*apart))
            weights = (query @ key.transpose(-1, -2) + near).softmax(dim=-1)
            mixed = weights @ value
            mixed = mixed + torch.einsum("bhqk,qkw->bhqw", weights, self.value_position(*apart))
        return mixed.transpose(1, 2).flatten(2)


class VisionTransformer(nn.Module):
    """Patches, class token, learned positions, blocks, LayerNorm, mean of the patches, and head.

    Shapes: images (batch, channels, height, width) -> logits (batch, classes). Every weight of a
    sub-network is the leading corner of the largest network's (weight entanglement).

    Source: Chen et al. 2021 (AutoFormer, arXiv 2107.00651), section 3.2. Initial values are those of
    `harness.nn.initial`, so that few steps train small presets.
    """

    def __init__(self, frame: VisionFrame, shape: TransformerShape) -> None:
        """Makes the largest network; `shape` is what runs when `forward` gets none."""
        super().__init__()
        self.frame = frame
        self.largest = shape
        width, layers = shape.width, len(shape.heads)
        pixels = frame.channels * frame.patch**2
        patches = frame.grid[0] * frame.grid[1]
        self.embed = reading(width, frame.channels, frame.patch, frame.patch, fan_in=pixels)
        self.embed_bias = zeros(width)
        self.class_token = zeros(1, 1, width)
        self.positions = nn.Parameter(F.pad(positions(patches, width).detach(), (0, 0, 1, 0))[None])
        self.blocks = nn.ModuleList(
            VisionBlock(frame, width, heads, hidden, layers=layers)
            for heads, hidden in zip(shape.heads, shape.hidden, strict=True)
        )
        self.norm = layer_norm(width)
        self.head = reading(frame.classes, width)
        self.head_bias = zeros(frame.classes)
        if frame.reach is not None:
            rows, columns = _apart(frame.grid, frame.reach)
            self.register_buffer("rows", rows, persistent=False)
            self.register_buffer("columns", columns, persistent=False)

    def forward(self, inputs: Tensor, shape: TransformerShape | None = None) -> Tensor:
        """Returns the logits of the sub-network `shape`, at a cost proportional to it."""
        shape = shape or self.largest
        tokens = self._embed(inputs, shape.width)
        apart = None
        if self.frame.reach is not None:
            apart = (self.get_buffer("rows"), self.get_buffer("columns"))
        for block, heads, hidden in zip(self.blocks, shape.heads, shape.hidden, strict=False):
            tokens = block(tokens, heads, hidden, apart)
        pooled = sliced_layer_norm(tokens, self.norm)[:, 1:].mean(dim=1)
        return F.linear(pooled, self.head[:, : shape.width], self.head_bias)

    def _embed(self, inputs: Tensor, width: int) -> Tensor:
        patch, (rows, columns) = self.frame.patch, self.frame.grid
        missing = (columns * patch - inputs.shape[3], rows * patch - inputs.shape[2])
        if any(missing):
            inputs = F.pad(inputs, (0, missing[0], 0, missing[1]))
        patches = F.conv2d(inputs, self.embed[:width], self.embed_bias[:width], stride=patch)
        first = self.class_token[..., :width].expand(inputs.shape[0], -1, -1)
        return torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1) + self.positions[..., :width]


def _apart(grid: tuple[int, int], reach: int) -> tuple[Tensor, Tensor]:
    """Returns the table rows of vertical and horizontal distances, int64, each (tokens, tokens)."""
    index = torch.arange(grid[0] * grid[1])
    apart = []
    for place in (index // grid[1], index % grid[1]):
        distance = (place[None, :] - place[:, None]).clamp(-reach, reach) + reach + 1
        apart.append(F.pad(distance, (1, 0, 1, 0)))
    return apart[0], apart[1]
