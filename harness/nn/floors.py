"""Floors: models without gradients that every trained network should beat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from harness.task.split import Split

ORDER = 6
LARGEST_SIDE = 32
"""Pixels of a side above which the linear floor reads means of squares."""
MOST_IMAGES = 20_000
"""Training images that the linear floor reads."""


@dataclass(frozen=True)
class ArrayFloor:
    """A floor whose fields are the arrays that restore it."""

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Returns the floor that `state` came from."""
        return cls(**state)

    def state(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays that restore it."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True)
class LinearImage(ArrayFloor):
    """Multinomial logistic regression on the pixels of images, averaged to at most 32 by 32.

    Attributes:
        weights: shape (labels, features).
        biases: shape (labels,).
        labels: that were seen, shape (labels,).
    """

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    labels: NDArray[np.int64]

    @classmethod
    def fit(cls, splits: Sequence[Split]) -> "LinearImage":
        """Returns the classifier of the pooled images of `splits`, of at most 20,000 spread evenly."""
        images = np.concatenate([split.images for split in splits])
        labels = np.concatenate([split.labels for split in splits])
        kept = spread(len(labels))
        weights, biases, seen = logistic_regression(_features(images[kept]), labels[kept], 0.1)
        return cls(weights.astype(np.float32), biases.astype(np.float32), seen)

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Returns the class of each of the images, shape (samples,)."""
        scores = _features(images).astype(np.float64) @ self.weights.T.astype(np.float64) + self.biases
        return np.asarray(self.labels[scores.argmax(axis=1)], np.int64)


def spread(count: int) -> NDArray[np.int64]:
    """Returns which of `count` images a linear model reads: at most 20,000, spread evenly."""
    kept: NDArray[np.int64] = np.unique(np.linspace(0, count - 1, min(count, MOST_IMAGES)).astype(np.int64))
    return kept


def logistic_regression(
    features: Any, labels: NDArray[np.int64], strength: float, *, iterations: int = 300
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Returns weights (classes, features), biases (classes,) and the classes that were seen, sorted.

    Args:
        features: (samples, features), of about the same scale, dense or sparse.
        strength: inverse strength of the ridge penalty, above 0.
        iterations: of the solver, at most.
    """
    from sklearn.linear_model import LogisticRegression

    seen = np.unique(labels).astype(np.int64)
    if len(seen) == 1:
        return np.zeros((1, features.shape[1])), np.zeros(1), seen
    model = LogisticRegression(C=strength, tol=1e-3, max_iter=iterations).fit(features, labels)
    weights, biases = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
    if len(weights) == 1:  # two classes share one row
        weights, biases = np.concatenate([-weights, weights]), np.concatenate([-biases, biases])
    return weights, biases, seen


def _features(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns pixels in [-1, 1] as rows; of large images those of an even grid of means."""
    count, channels, height, width = images.shape
    tall, wide = -(-height // LARGEST_SIDE), -(-width // LARGEST_SIDE)
    cut = images[:, :, : height // tall * tall, : width // wide * wide].astype(np.float32)
    means = cut.reshape(count, channels, height // tall, tall, width // wide, wide).mean(axis=(3, 5))
    return np.asarray(means.reshape(count, -1) / 127.5 - 1, np.float32)


class _Level(NamedTuple):
    """Counts of one context length.

    Attributes:
        grams: context bytes, then the next byte, as one integer; sorted, unique.
        counts: how often each gram was seen.
        contexts: sorted, unique contexts.
        totals: how often each context was seen.
        kinds: different next bytes after each context.
    """

    grams: NDArray[np.int64]
    counts: NDArray[np.int64]
    contexts: NDArray[np.int64]
    totals: NDArray[np.int64]
    kinds: NDArray[np.int64]


@dataclass(frozen=True)
class NGram(ArrayFloor):
    """An interpolated Witten-Bell model of bytes, order 6: five bytes of context.

    A document begins after five bytes 0. With c the context and c' the context without its first byte,
    P(b | c) = (count(c b) + kinds(c) P(b | c')) / (total(c) + kinds(c)), down to the uniform 1 / 256; a
    context that was never seen leaves P(b | c').

    Source: Witten and Bell 1991 (method C), interpolated as in Chen and Goodman 1998, section 2.5; we add
    the uniform distribution below the unigrams.

    Attributes:
        grams: windows of six bytes as integers, sorted and unique.
        counts: how often each was seen.
    """

    grams: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def fit(cls, splits: Sequence[Split]) -> "NGram":
        """Returns the model of the pooled documents of `splits`."""
        windows = [_windows(split.text, split.offsets) for split in splits]
        grams, counts = np.unique(np.concatenate(windows), return_counts=True)
        return cls(grams, counts.astype(np.int64))

    @cached_property
    def _levels(self) -> list[_Level]:
        levels = []
        for length in range(ORDER):
            short, place = np.unique(self.grams & ((1 << 8 * (length + 1)) - 1), return_inverse=True)
            summed = np.bincount(place, self.counts, minlength=len(short)).astype(np.int64)
            contexts, first, kinds = np.unique(short >> 8, return_index=True, return_counts=True)
            totals = np.add.reduceat(summed, first)
            levels.append(_Level(short, summed, contexts, totals, kinds.astype(np.int64)))
        return levels

    def bits(self, documents: Sequence[bytes]) -> NDArray[np.float64]:
        """Returns the code length of each document in bits, shape (documents,)."""
        offsets = np.r_[0, np.cumsum([len(document) for document in documents])].astype(np.int64)
        text = np.frombuffer(b"".join(documents), np.uint8)
        grams, place = np.unique(_windows(text, offsets), return_inverse=True)
        running = np.r_[0.0, np.cumsum(-np.log2(self._probability(grams))[place])]
        return np.asarray(running[offsets[1:]] - running[offsets[:-1]], np.float64)

    def _probability(self, grams: NDArray[np.int64]) -> NDArray[np.float64]:
        result = np.full(len(grams), 1 / 256)
        for length, level in enumerate(self._levels):
            window = grams & ((1 << 8 * (length + 1)) - 1)
            place, seen = _find(level.contexts, window >> 8)
            total, kinds = level.totals[place], level.kinds[place]
            gram, known = _find(level.grams, window)
            count = np.where(known, level.counts[gram], 0)
            result = np.where(seen, (count + kinds * result) / (total + kinds), result)
        return result


def _windows(text: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns, per byte of the documents, the window of six bytes that ends with it, as an integer."""
    padded = np.insert(text, np.repeat(offsets[:-1], ORDER - 1), 0).astype(np.int64)
    documents = np.repeat(np.arange(1, len(offsets)), np.diff(offsets))
    ends = np.arange(len(text)) + (ORDER - 1) * documents
    keys = np.zeros(len(text), np.int64)
    for back in range(ORDER - 1, -1, -1):
        keys = (keys << 8) | padded[ends - back]
    return keys


def _find(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Returns where each wanted key is in the sorted `keys`, and whether it is there at all."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return place, keys[place] == wanted
