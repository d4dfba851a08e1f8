"""Changes to images of training batches that the recipes of papers name, by torchvision."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

COLOUR = 0.4
"""Largest relative change of brightness, contrast and saturation, as in the recipe of SPOS."""
MIXUP, CUTMIX = 0.8, 1.0
"""Parameters of the two beta distributions, as in the recipes of DeiT and AutoFormer."""
ERASE = 0.25
"""Share of the images in which a rectangle turns to noise, as in the same recipes."""


def augmented(images: Tensor, labels: Tensor, steps: Sequence[str], classes: int) -> tuple[Tensor, Tensor]:
    """Returns changed images and their targets; all draws come from torch's generator.

    Args:
        images: float32 in [-1, 1], (batch, channels, height, width).
        labels: classes, int64 (batch,).
        steps: names of `STEPS`, erase or mixup; they are done in that order.
        classes: size of the label space.

    Returns:
        Images of the same shape, and the labels, or, with mixup, shares of classes (batch, classes).
    """
    height, width = images.shape[-2:]
    chosen = [make(height, width) for name, make in STEPS.items() if name in steps]
    pixels = ((images + 1) * 127.5).round().to(torch.uint8)
    for change in chosen:
        pixels = torch.stack([change(image) for image in pixels])
    changed = pixels.float() / 127.5 - 1
    if "erase" in steps:
        noise = v2.RandomErasing(ERASE, value="random")
        changed = torch.stack([noise(image) for image in changed])
    if "mixup" not in steps:
        return changed, labels
    kind: nn.Module = v2.MixUp(alpha=MIXUP, num_classes=classes)
    if torch.rand(()) < 0.5:
        kind = v2.CutMix(alpha=CUTMIX, num_classes=classes)
    mixed: tuple[Tensor, Tensor] = kind(changed, labels)
    return mixed


STEPS: dict[str, Callable[[int, int], nn.Module]] = {
    "crop": lambda height, width: nn.Sequential(
        v2.RandomResizedCrop((height, width), antialias=True), v2.RandomHorizontalFlip()
    ),
    "colour": lambda height, width: v2.ColorJitter(COLOUR, COLOUR, COLOUR),
    "randaugment": lambda height, width: v2.RandAugment(num_ops=2, magnitude=9),
}
"""Name -> what makes the change of one uint8 image of that height and width."""
