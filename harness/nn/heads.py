"""Widths of transformers with enough steps between them to meet a number of parameters at any depth."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Final

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
