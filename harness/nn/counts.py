"""Closed-form sizes of mixers, without torch, so that counting a space builds nothing.

MACs are multiply-accumulates of linear layers, attention products as computed (dense, masked or not) and
depth-wise kernels; norms, gates, biases and scans are not counted.
"""

from functools import cache

HEAD_WIDTH = 16
KERNEL = 7
FAMILIES = ("attention", "local", "linear", "convolution", "recurrence", "pooling")
PARTS = {"attention": 3, "local": 3, "linear": 3, "convolution": 2, "recurrence": 3, "pooling": 2}
"""Family -> projections that it makes of each token."""


def inner_width(family: str, width: int) -> int:
    """Returns the channels inside a mixer that give it the parameters of attention (4 width^2)."""
    if family == "convolution":
        return round(4 * width**2 / (3 * width + KERNEL + 1))
    if family == "pooling":
        return round(4 * width / 3)
    return width


@cache
def mixer_parameters(family: str, width: int) -> int:
    """Returns the parameters of a mixer."""
    inner = inner_width(family, width)
    extra = {"convolution": (KERNEL + 1) * inner, "recurrence": inner}.get(family, 0)
    return (PARTS[family] + 1) * inner * width + extra


@cache
def shell_parameters(
    width: int, classes: int, *, pixels: int = 0, patches: int = 0, averages: bool = False
) -> int:
    """Returns the parameters of a network of mixers outside of its layers: embedding, last norm and head.

    Args:
        width: channels of a token.
        classes: outputs.
        pixels: values of an image's patch; 0 for bytes.
        patches: of an image; 0 for bytes.
        averages: whether an image's head reads the mean token alone.
    """
    if not patches:
        return (1 + 256 + classes) * width + classes
    read = 1 if averages else patches
    return (1 + pixels + 1 + read * classes) * width + classes


@cache
def mixer_macs(family: str, width: int, tokens: int) -> int:
    """Returns the multiply-accumulates of a mixer over `tokens` tokens."""
    inner = inner_width(family, width)
    projections = (PARTS[family] + 1) * inner * width * tokens
    if family in ("attention", "local", "linear"):
        return projections + 2 * tokens**2 * inner
    if family == "convolution":
        return projections + KERNEL * inner * tokens
    return projections
