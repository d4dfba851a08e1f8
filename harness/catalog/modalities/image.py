"""Images of one size, of which the class is predicted."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import Modality, Predictor, Signature
from harness.data.corruptions import OF_IMAGES
from harness.learn.batches import image_batches
from harness.task.split import Split

if TYPE_CHECKING:
    from torch import Tensor, nn

SHADES = " .:-=+*#%@"


class Image(Modality):
    summary = "Images (batch, channels, height, width) in [-1, 1], of which the class is predicted."
    form = "image"
    metric = "balanced_accuracy"
    sources = ("folder", "file", "dataset", "images")
    keys = ("classes", "size", "channels")
    floor = "harness.nn.floors:LinearImage"
    reads = "An image of 8 bits is read as `pixels / 127.5 - 1`, as timm's mean and deviation of 0.5 do."
    corruptions = OF_IMAGES
    checks = tuple(f"harness.checks.task:{one}" for one in ("near_images", "balance", "pixel_probe"))

    def describe(self, signature: Signature) -> str:
        size = "x".join(map(str, self.shape(signature)))
        return f"images {size}, {signature.classes} classes"

    def show(self, split: Split, class_names: Sequence[str]) -> str:
        image = split.images[0].mean(axis=0)
        rows = ["".join(SHADES[int(pixel) * len(SHADES) // 256] for pixel in row) for row in image]
        return f"{split.domain}, class {split.labels[0]}:\n" + "\n".join(rows)

    def shape(self, signature: Signature) -> tuple[int, ...]:
        return signature.channels, signature.height, signature.width

    def batches(
        self,
        signature: Signature,
        splits: Sequence[Split],
        batch_size: int,
        draw: np.random.Generator,
        augmentation: Sequence[str] = (),
    ) -> "Iterator[tuple[Tensor, Tensor]]":
        import torch

        from harness.learn.fit import seeded
        from harness.learn.move import changed

        for images, labels in image_batches(splits, batch_size, draw):
            batch = (torch.from_numpy(images), torch.from_numpy(labels))
            if augmentation:
                with seeded(int(draw.integers(2**62))):
                    batch = changed(*batch, augmentation, signature.classes)
            yield batch

    def predictor(self, module: "nn.Module", signature: Signature, route: Any = None) -> Predictor:
        from harness.learn.predictors import TorchClassifier

        return TorchClassifier(module, route)


MODALITY = Image()
