"""What a network reads and answers in a task."""

from dataclasses import dataclass
from typing import Final

LONGEST_CONTEXT: Final = 2**20
"""Bytes of a window at most."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a model of a task takes and gives.

    Attributes:
        kind: catalog name of the modality, such as `image`, `bytes`, `text` or `choice`.
        classes: size of the label space; 256 for bytes, the most answers of a question for choices.
        channels: image channels.
        height: image height in pixels.
        width: image width in pixels.
        context: tokens of a byte window.
    """

    kind: str
    classes: int
    channels: int = 1
    height: int = 28
    width: int = 28
    context: int = 64
