"""Horizontal and vertical stripes, thin and thick."""

import numpy as np

from harness import Domain, Sample, Signature, Task


def stripes(thickness, seed):
    def read(archives):
        draw = np.random.default_rng(seed)
        for index in range(200):
            lines = (np.arange(28) // thickness + index) % 2 * 255
            image = np.tile(lines, (28, 1)) if index % 2 else np.tile(lines, (28, 1)).T
            noisy = np.clip(image + draw.normal(0, 60, (1, 28, 28)), 0, 255).astype(np.uint8)
            yield Sample(noisy.tobytes(), index % 2, f"drawing {index}")

    name = f"thickness_{thickness}"
    return Domain(name=name, origin="drawn here", licence="CC0", groups="drawing", read=read)


TASK = Task(
    summary="The direction of stripes.",
    signature=Signature(kind="image", classes=2),
    metric="balanced_accuracy",
    chance=0.5,
    domains=(stripes(2, 0), stripes(3, 1), stripes(5, 2)),
    sources=("thickness_2", "thickness_3"),
    held_out=("thickness_5",),
    class_names=("horizontal", "vertical"),
)
