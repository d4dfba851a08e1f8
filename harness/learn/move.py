"""Changes to images of training batches; those that need no torchvision are made here."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT = 0.1
"""Largest shift, a share of the side."""
SCALE = 0.15
"""Largest change of size; width and height change alike."""


def changed(images: Tensor, labels: Tensor, steps: Sequence[str], classes: int) -> tuple[Tensor, Tensor]:
    """Returns changed images and their targets: `move` first, then what `harness.learn.augment` does."""
    images = moved(images) if "move" in steps else images
    if set(steps) <= {"move"}:
        return images, labels
    from harness.learn.augment import augmented  # its torchvision takes seconds to import

    return augmented(images, labels, steps, classes)


def moved(images: Tensor) -> Tensor:
    """Returns shifted and scaled images, what enters from outside being the border; of torch's generator.

    Args:
        images: float32, (batch, channels, height, width).
    """
    shift = 2 * SHIFT * (2 * torch.rand(len(images), 2, 1) - 1)  # a grid runs from -1 to 1
    scale = 1 + SCALE * (2 * torch.rand(len(images), 1, 1) - 1)
    maps = torch.cat([torch.eye(2) * scale, shift], dim=2)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
