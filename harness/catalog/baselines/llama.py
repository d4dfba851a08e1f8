"""The LLaMA-form decoder: what most language models of today look like, near the suite's parameters."""

from typing import TYPE_CHECKING

from harness import FixedBaseline, HarnessError, Signature
from harness.nn.heads import HEADS, draw_depth, nearest_width

if TYPE_CHECKING:
    from torch import nn

DEPTHS = (3, 2, 4)
"""Depths, the one that is preferred first: it is that of the baseline `default`."""

CLOSE = 0.1
HEAD_WIDTH = 16
HIDDEN_MULTIPLE = 8


def hidden_width(width: int) -> int:
    """Returns 8/3 of the width, so that three matrices cost what two of four times the width do."""
    return HIDDEN_MULTIPLE * round(8 * width / (3 * HIDDEN_MULTIPLE))


def parameters(width: int, depth: int, outputs: int = 256) -> int:
    """Returns the parameters of the decoder of that width and depth.

    Embedding and head, the last norm, and per block: attention, the three matrices of the MLP, two norms.
    """
    block = 4 * width**2 + 3 * width * hidden_width(width) + 2 * width
    return (256 + outputs) * width + width + depth * block


def _build(signature: Signature, target: int, *, depth: int | None = None) -> "nn.Module":
    """Returns the decoder nearest to `target` parameters, of depth 3 unless given or not close."""
    if depth is not None:
        return _at_depth(depth, signature, target)

    def preference(shape: tuple[int, int]) -> tuple[bool, int, float]:
        away = abs(parameters(*shape, signature.classes) / target - 1)
        return (True, 0, away) if away > CLOSE else (False, DEPTHS.index(shape[1]), away)

    shapes = ((width, depth) for width in range(HEAD_WIDTH, 4096, HEAD_WIDTH) for depth in DEPTHS)
    width, depth = min(shapes, key=preference)
    return _made(signature, width, depth, width // HEAD_WIDTH)


def _at_depth(depth: int, signature: Signature, target: int) -> "nn.Module":
    """Returns the decoder of that depth, with heads of 10 to 22, that is nearest to `target` parameters."""

    def size(width: int) -> int:
        return parameters(width, depth, signature.classes)

    width = nearest_width(list(HEADS), size, target)
    return _made(signature, width, depth, HEADS[width])


def _made(signature: Signature, width: int, depth: int, heads: int) -> "nn.Module":
    if signature.kind == "image":
        raise HarnessError(
            "The baseline 'llama' reads bytes and there is no such network for images; compare images with "
            "'default' or 'timm:NAME'."
        )
    from harness.nn.networks.decoder import Decoder

    classes = signature.classes if signature.kind == "text" else None
    hidden = hidden_width(width)
    return Decoder(width=width, depth=depth, heads=heads, hidden=hidden, classes=classes, is_llama=True)


BASELINE = FixedBaseline(
    summary="LLaMA-form decoder for bytes: RMSNorm, SwiGLU, rotary positions, no biases.",
    build=_build,
    kinds=("bytes", "text"),
    vary=draw_depth,
)
