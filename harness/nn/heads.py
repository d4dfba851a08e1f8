"""Widths of transformers with enough steps between them to meet a number of parameters at any depth."""

import random
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from harness.task.signature import Signature

if TYPE_CHECKING:
    from torch import nn

PLAIN_DEPTH: Final = 3
PLAIN_RATIO: Final = 2.0
"""MLP width over token width of a plain transformer."""
DEPTHS: Final = (2, 3, 4, 6)
"""Depths among which a tuned transformer in others' code chooses."""
WIDEST: Final = 1024

HEAD_WIDTH: Final = 16
SPREAD: Final = 6
"""How far the width of a head may be from `HEAD_WIDTH`; it is even, as positions come in pairs."""


def _heads(widest: int) -> dict[int, int]:
    found: dict[int, tuple[int, int]] = {}
    for each in range(HEAD_WIDTH - SPREAD, HEAD_WIDTH + SPREAD + 1, 2):
        for heads in range(1, widest // each + 1):
            near = (abs(each - HEAD_WIDTH), heads)
            found[heads * each] = min(near, found.get(heads * each, near))
    return {width: found[width][1] for width in sorted(found)}


HEADS: Final[Mapping[int, int]] = _heads(4096)
"""Width -> heads, ascending, for every width that heads of nearly `HEAD_WIDTH` make up."""


def nearest_width(widths: list[int], parameters: Callable[[int], int], target: int) -> int:
    """Returns which of the ascending `widths` has the parameters nearest to `target`, the smaller of two."""
    over = bisect_left(widths, target, key=parameters)
    return min(widths[max(0, over - 1) : over + 1], key=lambda width: abs(parameters(width) - target))


def plain_shape(
    make: "Callable[[int, int, int], nn.Module]", target: int, depth: int | None
) -> tuple[int, int, int]:
    """Returns width, depth and heads whose network is nearest to `target` parameters.

    Args:
        make: the network of a width, a depth and a number of heads.
        target: parameters.
        depth: with heads of nearly `HEAD_WIDTH`; None for the plain depth, with heads of just that width.
    """
    import torch

    heads = {width: width // HEAD_WIDTH for width in range(HEAD_WIDTH, WIDEST, HEAD_WIDTH)}
    if depth is not None:
        heads = {width: count for width, count in HEADS.items() if width < WIDEST}
    layers = depth or PLAIN_DEPTH

    def size(width: int) -> int:
        with torch.device("meta"):
            module = make(width, layers, heads[width])
        return sum(weight.numel() for weight in module.parameters())

    width = nearest_width(list(heads), size, target)
    return width, layers, heads[width]


def draw_depth(draw: random.Random, signature: Signature, parameters: int) -> dict[str, int]:
    """Returns a drawn depth, as `vary` of a baseline whose width follows depth and parameters."""
    return {"depth": draw.choice(DEPTHS)}
