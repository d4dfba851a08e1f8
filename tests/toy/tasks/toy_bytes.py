"""Three tiny byte domains drawn here: words of small alphabets."""

from collections.abc import Callable, Iterator

import numpy as np

from harness import Archives, Domain, Sample, Signature, Task


def _words(seed: int, alphabet: bytes) -> Callable[[Archives], Iterator[Sample]]:
    def read(archives: Archives) -> Iterator[Sample]:
        draw = np.random.default_rng(seed)
        for index in range(120):
            letters = draw.choice(list(alphabet), 60).astype(np.uint8)
            yield Sample(letters.tobytes(), 0, f"document {index}")

    return read


def _domain(name: str, seed: int, alphabet: bytes, family: str = "") -> Domain:
    read = _words(seed, alphabet)
    return Domain(name=name, origin="drawn here", licence="CC0", groups="document", family=family, read=read)


TASK = Task(
    summary="Random words of small alphabets.",
    signature=Signature(kind="bytes", classes=256, context=16),
    metric="bits_per_byte",
    chance=8.0,
    domains=(
        _domain("one", 1, b"abcd", "first"),
        _domain("two", 2, b"cdef", "first"),
        _domain("three", 3, b"efgh"),
    ),
    sources=("one", "two"),
    held_out=("three",),
)
