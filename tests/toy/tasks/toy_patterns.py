"""Three tiny image domains drawn here: the same four patterns, more and more noisy, and a canary."""

from collections.abc import Callable, Iterator

import numpy as np

from harness import Archives, Domain, Sample, Signature, Task


def _noisy(seed: int, noise: float) -> Callable[[Archives], Iterator[Sample]]:
    def read(archives: Archives) -> Iterator[Sample]:
        patterns = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8))
        draw = np.random.default_rng(seed)
        for index in range(240):
            image = patterns[index % 4] + draw.normal(0, noise, (1, 8, 8))
            yield Sample(image.clip(0, 255).astype(np.uint8).tobytes(), index % 4, f"group {index % 40}")

    return read


def _canary(archives: Archives) -> Iterator[Sample]:
    raise RuntimeError("the canary was read")
    yield Sample(b"", 0, "")


def _domain(name: str, read: Callable[[Archives], Iterator[Sample]]) -> Domain:
    return Domain(name=name, origin="drawn here", licence="CC0", groups="index modulo 40", read=read)


TASK = Task(
    summary="Four patterns under noise.",
    signature=Signature(kind="image", classes=4, channels=1, height=8, width=8),
    metric="balanced_accuracy",
    chance=0.25,
    domains=(
        _domain("clean", _noisy(1, 40)),
        _domain("grainy", _noisy(2, 80)),
        _domain("rough", _noisy(3, 120)),
        _domain("canary", _canary),
    ),
    sources=("clean", "grainy"),
    held_out=("rough",),
    class_names=("a", "b", "c", "d"),
)
