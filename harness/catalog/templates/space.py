"""My network with four knobs."""

from collections import OrderedDict

from harness import built_space


def build(signature, width, depth, kernel, norm):
    """A convolutional network with four knobs."""
    from torch import nn

    parts, channels = OrderedDict(), signature.channels
    for layer in range(depth):
        parts[f"conv{layer}"] = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
        if norm:
            parts[f"norm{layer}"] = nn.BatchNorm2d(width)
        parts[f"relu{layer}"] = nn.ReLU()
        channels = width
    parts |= {"pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten()}
    return nn.Sequential(parts | {"head": nn.Linear(width, signature.classes)})


SPACE = built_space(
    __name__,
    build,
    {"width": (8, 16, 32), "depth": (1, 2, 3), "kernel": (3, 5), "norm": (False, True)},
    default={"width": 16, "depth": 2},
)
