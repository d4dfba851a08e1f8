"""What a network reads and answers in a task."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a model of a task takes and gives.

    Attributes:
        kind: `image` (batch, channels, height, width); `bytes` (batch, context), of which the next one is
            predicted; `text`, bytes as well, of which the class is predicted; `choice`, questions with
            possible answers, which language models score and nothing is trained on.
        classes: size of the label space; 256 for bytes, the most answers of a question for choices.
        channels: image channels.
        height: image height in pixels.
        width: image width in pixels.
        context: tokens of a byte window.
    """

    kind: Literal["image", "bytes", "text", "choice"]
    classes: int
    channels: int = 1
    height: int = 28
    width: int = 28
    context: int = 64
