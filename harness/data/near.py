"""Near duplicates: cheap fingerprints of documents and images that survive small changes."""

import re
import zlib
from collections.abc import Iterable, Iterator
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


def distinct(documents: Iterable[tuple[str, bytes]], *, largest_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yields (name, document) until `largest_bytes`, skipping a document half of which was yielded before.

    Half: of its runs of eight words, a share of 0.5 or more is in earlier documents.
    """
    seen: set[int] = set()
    total = 0
    for name, document in documents:
        runs = shingles(document)
        if len(runs & seen) >= SHARED * len(runs) or total + len(document) > largest_bytes:
            continue
        seen |= runs
        total += len(document)
        yield name, document


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
