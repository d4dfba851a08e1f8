"""Near duplicates: cheap fingerprints of documents and images that survive small changes."""

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

SHINGLE_WORDS = 8
SHARED = 0.5
COMMON = 30

_WORD = re.compile(rb"[^\s\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+")
_ADDRESS = re.compile(rb"https?://\S+")


def shingles(document: bytes) -> set[int]:
    """Returns hashes of all runs of eight words, addresses left out; of all words where there are fewer."""
    words = [word.lower() for word in _WORD.findall(_ADDRESS.sub(b"", document))]
    runs = max(1, len(words) - SHINGLE_WORDS + 1)
    return {zlib.crc32(b" ".join(words[start : start + SHINGLE_WORDS])) for start in range(runs)}


def prints(images: NDArray[np.uint8], documents: Sequence[bytes]) -> list[set[int]]:
    """Returns the hashes that a sample shares with its near duplicates: one of an image, many of a document.

    Args:
        images: shape (samples, channels, height, width); empty where samples are documents.
        documents: the samples where there is no image.
    """
    if images.size:
        return [{zlib.crc32(fingerprint)} for fingerprint in coarse(images)]
    return [shingles(document) for document in documents]


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


def clusters(documents: Sequence[bytes], *, linked: float = 0.25) -> list[int]:
    """Returns per document the index of the first one of its cluster: those that quote one another.

    Two documents are linked when they share `linked`, a share, of the runs of eight words of the shorter one.
    Runs in more than thirty documents, such as forms and signatures, link nothing.
    """
    runs = [shingles(document) for document in documents]
    holders: dict[int, list[int]] = {}
    for index, own in enumerate(runs):
        for run in own:
            holders.setdefault(run, []).append(index)
    shared: Counter[tuple[int, int]] = Counter()
    for held in holders.values():
        if len(held) <= COMMON:
            shared.update(combinations(held, 2))
    links = [
        (one, other)
        for (one, other), number in shared.items()
        if number >= linked * min(len(runs[one]), len(runs[other]))
    ]
    return firsts(len(documents), links)


def firsts(count: int, links: Sequence[tuple[int, int]]) -> list[int]:
    """Returns per thing of `count` the first one of those that links join it to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.array(links, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(links)), (ends[0], ends[1])), (count, count))
    _, cluster = connected_components(graph, directed=False)
    found: list[int] = np.unique(cluster, return_index=True)[1][cluster].tolist()
    return found


def coarse(images: NDArray[np.uint8]) -> list[bytes]:
    """Returns a fingerprint per image of (samples, channels, height, width): means of 2 x 2, eight greys."""
    samples, channels, height, width = images.shape
    even = images[:, :, : height // 2 * 2, : width // 2 * 2].astype(np.float32)
    means = even.reshape(samples, channels, height // 2, 2, width // 2, 2).mean(axis=(3, 5))
    levels = np.rint(means / 36.4).astype(np.uint8)
    return [row.tobytes() for row in levels]
