"""A fixed network of mine, a row of any suite that names it; `tuned:NAME` is the same with tuned recipes."""

from typing import TYPE_CHECKING

from harness import FixedBaseline, Signature

if TYPE_CHECKING:
    from torch import nn


def _build(signature: Signature, parameters: int) -> "nn.Module":
    """Returns a module that reads (batch, channels, height, width) and gives (batch, classes).

    `parameters` are those of the plain transformer; with `is_matched=True` the width should follow them.
    """
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(signature.channels, 32, 3, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, signature.classes),
    )


BASELINE = FixedBaseline(
    summary="A small convolutional network of mine.",
    build=_build,
    kinds=("image",),
    is_matched=False,
)
