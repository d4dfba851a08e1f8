"""One split of one prepared domain, as arrays."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from harness.task.task import SPLITS


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much of a domain there is, or was scored: samples, distinct groups, and bytes of their data."""

    samples: int
    groups: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Split:
    """Samples of one split of one domain, or of several splits as one.

    Attributes:
        domain: the domain's name.
        name: train, validation or test; several joined by `+`.
        images: uint8, shape (samples, channels, height, width); shape (0, 0, 0, 0) for documents.
        text: all documents end to end, uint8, shape (bytes,); empty for images.
        offsets: document i is text[offsets[i]:offsets[i + 1]], int64, shape (samples + 1,) for documents.
        labels: class, or right answer, per sample, int64, shape (samples,); 0 for bytes.
        groups: index into `group_names` per sample, int64, shape (samples,).
        group_names: what must not be split, in sorted order.
        positions: of the samples in the prepared data of the domain, int64, shape (samples,).
    """

    domain: str
    name: str
    images: NDArray[np.uint8]
    text: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    group_names: tuple[str, ...]
    positions: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The identity of each group, above 2^32, shape (groups,): one in two domains that share its name.

        A concept that is drawn in two styles is one cluster. A name without a letter counts rows, so that it
        means another group in every domain.
        """
        plain = [re.sub(rf"^({'|'.join(SPLITS)})/", "", name) for name in self.group_names]
        texts = [name if re.search(r"[^\W\d_]", name) else f"{self.domain}\0{name}" for name in plain]
        return digests(text.encode() for text in texts).view(np.int64) & (2**62 - 1) | 2**62

    @property
    def digests(self) -> NDArray[np.uint64]:
        """The hash of each sample's bytes (BLAKE2b, 8 bytes), shape (samples,)."""
        samples = [image.tobytes() for image in self.images] if self.images.size else self.documents()
        return digests(samples)

    @property
    def extent(self) -> Extent:
        """How much it is."""
        size = self.images.nbytes + self.text.nbytes
        return Extent(samples=len(self), groups=len(set(self.clusters.tolist())), bytes=size)

    def documents(self) -> list[bytes]:
        """Returns the documents of a domain of bytes, texts or questions."""
        return [
            self.text[start:end].tobytes()
            for start, end in zip(self.offsets[:-1], self.offsets[1:], strict=True)
        ]


def digests(samples: Iterable[bytes]) -> NDArray[np.uint64]:
    """Returns the hash of each (BLAKE2b, 8 bytes), shape (samples,)."""
    found = b"".join(blake2b(one, digest_size=8).digest() for one in samples)
    return np.frombuffer(found, dtype=np.uint64)
