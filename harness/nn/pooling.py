"""Pooling: how a network that reads bytes classifies a whole text."""

from torch import Tensor

PADDING = 0
"""The byte that stands after a text that is shorter than its window; no text holds it."""


def pooled(logits: Tensor, inputs: Tensor) -> Tensor:
    """Returns the mean of the logits of each byte over a text, (batch, classes), the padding left out.

    Args:
        logits: of each byte, (batch, tokens, classes).
        inputs: the bytes, (batch, tokens).
    """
    real = (inputs != PADDING).unsqueeze(-1).to(logits.dtype)
    return (logits * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
