"""Near duplicates: cheap fingerprints of documents and images that survive small changes."""

import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHINGLE_WORDS = 8
SHARED = 0.5

_WORD = re.compile(rb"[^\s\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+")
_ADDRESS = re.compile(rb"https?://\S+")


def shingles(document: bytes) -> set[int]:
    """Returns hashes of all runs of eight words, addresses left out; of all words where there are fewer."""
    words = [word.lower() for word in _WORD.findall(_ADDRESS.sub(b"", document))]
    runs = max(1, len(words) - SHINGLE_WORDS + 1)
    return {zlib.crc32(b" ".join(words[start : start + SHINGLE_WORDS])) for start in range(runs)}


def distinct(documents: Sequence[bytes]) -> list[int]:
    """Returns the sorted indices of documents that are not nearly in longer ones, which come first.

    Nearly: a share of 0.5 or more of a document's runs of eight words is in documents kept before it.
    """
    seen: set[int] = set()
    kept = []
    for index in sorted(range(len(documents)), key=lambda index: -len(documents[index])):
        runs = shingles(documents[index])
        if len(runs & seen) < SHARED * len(runs):
            seen |= runs
            kept.append(index)
    return sorted(kept)


def coarse(images: "NDArray[np.uint8]") -> "list[bytes]":
    """Returns a fingerprint per image: means of 2 x 2 cells, in eight grey levels.

    Args:
        images: shape (samples, channels, height, width).
    """
    import numpy as np

    samples, channels, height, width = images.shape
    even = images[:, :, : height // 2 * 2, : width // 2 * 2].astype(np.float32)
    means = even.reshape(samples, channels, height // 2, 2, width // 2, 2).mean(axis=(3, 5))
    levels = np.rint(means / 36.4).astype(np.uint8)
    return [row.tobytes() for row in levels]
