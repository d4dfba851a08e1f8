"""Pooling: how a network that reads bytes classifies a whole text."""

from torch import Tensor

PADDING = 0
"""The byte that stands after a text that is shorter than its window; no text holds it."""


def pooled(logits: Tensor, inputs: Tensor) -> Tensor:
    """Returns the mean over a text, (batch, classes), of its bytes' logits, (batch, tokens, classes)."""
    real = (inputs != PADDING).unsqueeze(-1).to(logits.dtype)
    return (logits * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
