"""Training batches: every source domain has the same weight, whatever its size."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.learn.modality import modality_of
from harness.task.signature import Signature
from harness.task.split import Split

if TYPE_CHECKING:
    from torch import Tensor


def batches(
    signature: Signature,
    splits: Sequence[Split],
    batch_size: int,
    draw: np.random.Generator,
    augmentation: Sequence[str] = (),
) -> "Iterator[tuple[Tensor, Tensor]]":
    """Yields (inputs, targets) for ever, each source domain with equal probability, as the modality says."""
    return modality_of(signature.kind).batches(signature, splits, batch_size, draw, augmentation)


def image_batches(
    splits: Sequence[Split], batch_size: int, draw: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Yields images in [-1, 1], shape (batch, channels, height, width), and labels, for ever.

    A domain is drawn uniformly per sample, then a sample of it uniformly, with replacement.

    Raises:
        ValueError: there is no split, or one is empty.
    """
    sizes = _sizes([len(split) for split in splits])
    images = np.concatenate([split.images for split in splits])
    labels = np.concatenate([split.labels for split in splits])
    starts = np.cumsum(sizes) - sizes
    while True:
        domains = draw.integers(len(splits), size=batch_size)
        chosen = starts[domains] + draw.integers(sizes[domains])
        yield images[chosen].astype(np.float32) / np.float32(127.5) - np.float32(1), labels[chosen]


def byte_batches(
    splits: Sequence[Split], batch_size: int, context: int, draw: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    """Yields windows of text, shape (batch, context + 1), for ever.

    A domain is drawn uniformly per window, then a window of its text uniformly; a byte 0 stands before
    each document. A domain shorter than a window is repeated until it is as long.

    Raises:
        ValueError: there is no split, or one is empty.
    """
    _sizes([len(split.text) for split in splits])
    width = context + 1
    texts = []
    for split in splits:
        text = np.insert(split.text, split.offsets[:-1], 0)
        texts.append(np.tile(text, -(-width // len(text))) if len(text) < width else text)
    lengths = np.array([len(text) for text in texts], np.int64)
    joined = np.concatenate(texts)
    starts = np.cumsum(lengths) - lengths
    steps = np.arange(width)
    while True:
        domains = draw.integers(len(splits), size=batch_size)
        first = starts[domains] + draw.integers(lengths[domains] - context)
        yield joined[first[:, None] + steps]


def text_batches(
    splits: Sequence[Split], batch_size: int, context: int, draw: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Yields windows of documents, shape (batch, context), and the classes of the documents, for ever.

    A domain is drawn uniformly per window, then a document of it, then a window of the document; a document
    that is shorter than a window is followed by zeros.

    Raises:
        ValueError: there is no split, or one is empty.
    """
    sizes = _sizes([len(split) for split in splits])
    starts = np.cumsum(sizes) - sizes
    labels = np.concatenate([split.labels for split in splits])
    lengths = np.concatenate([np.diff(split.offsets) for split in splits])
    begins = np.cumsum(lengths) - lengths
    text = np.concatenate([*(split.text for split in splits), np.zeros(context, np.uint8)])
    steps = np.arange(context)
    while True:
        domains = draw.integers(len(splits), size=batch_size)
        chosen = starts[domains] + draw.integers(sizes[domains])
        first = draw.integers(np.maximum(1, lengths[chosen] - context + 1))
        windows = text[(begins[chosen] + first)[:, None] + steps]
        yield np.where(steps < (lengths[chosen] - first)[:, None], windows, 0), labels[chosen]


def _sizes(sizes: list[int]) -> NDArray[np.int64]:
    if not sizes or min(sizes) == 0:
        raise ValueError(f"Batches need at least one split and none empty; the sizes are {sizes}.")
    return np.array(sizes, np.int64)
