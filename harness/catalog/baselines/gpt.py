"""The plain GPT-form decoder for bytes and texts, near the suite's parameters: LayerNorms, GELU, biases."""

from typing import TYPE_CHECKING

from harness import FixedBaseline, Signature
from harness.nn.heads import PLAIN_DEPTH, PLAIN_RATIO, draw_depth, plain_shape

if TYPE_CHECKING:
    from torch import nn


def _build(signature: Signature, parameters: int, *, depth: int | None = None) -> "nn.Module":
    """Returns the decoder whose width brings it nearest to `parameters`."""
    shape = plain_shape(lambda *shape: _made(signature, *shape), parameters, depth)
    return _made(signature, *shape)


def _made(signature: Signature, width: int, depth: int, heads: int) -> "nn.Module":
    from harness.nn.networks.decoder import Decoder

    classes = signature.classes if signature.kind == "text" else None
    return Decoder(width=width, depth=depth, heads=heads, hidden=int(width * PLAIN_RATIO), classes=classes)


BASELINE = FixedBaseline(
    summary=f"GPT-form decoder of {PLAIN_DEPTH} layers for bytes and texts, near the suite's parameters.",
    build=_build,
    kinds=("bytes", "text"),
    vary=draw_depth,
)
