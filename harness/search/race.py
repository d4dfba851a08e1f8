"""Racing: a candidate meets the incumbent on the same validation samples and leaves when it cannot win.

Samples come in growing blocks. After each, the difference of the two on all samples is estimated from the
pairs seen so far, with its standard error; a candidate is dropped when even `BOUND` errors more would not
bring it above the incumbent.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.task.metric import Metric
from harness.task.split import Split

BOUND = 1.5
"""Standard errors that the estimated difference must lie below zero for a candidate to be dropped."""

FIRST_SHARE = 1 / 16
"""Share of the samples in the first block; each further one doubles what was seen."""

FEWEST = 32
"""Samples of the first block at least, so that a standard error means something."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SampleBlock:
    """Samples that are scored together.

    Attributes:
        splits: a part of each domain's validation split, in the order of the domains.
        weights: what a sample's numerator counts for in the whole score, shape (samples,); negative where
            lower is better.
        shares: what its denominator counts for, shape (samples,); over all blocks they sum to 1.
    """

    splits: tuple[Split, ...]
    weights: Floats
    shares: Floats


class Lap(NamedTuple):
    """What a race says of a candidate.

    Attributes:
        score: on all samples; of a dropped candidate, the incumbent's score plus the estimated difference,
            which is always below the incumbent's.
        samples: how many were seen.
        is_dropped: whether that is not all of them.
    """

    score: float
    samples: int
    is_dropped: bool


class Race:
    """Candidates one after another, each against the best so far on the same samples."""

    def __init__(self, blocks: Sequence[SampleBlock]) -> None:
        self.blocks = blocks
        self.samples = sum(len(block.weights) for block in blocks)
        self._incumbent: tuple[float, list[Floats]] | None = None

    def enter(self, numerators: Callable[[int], Floats], *, may_win: bool = True) -> Lap:
        """Returns the candidate's score, having it scored on as few blocks as it needs.

        Args:
            numerators: scores the candidate on the block of an index, shape (samples of the block,).
            may_win: whether it can become the incumbent.
        """
        seen: list[Floats] = []
        for index in range(len(self.blocks)):
            seen.append(numerators(index))
            if self._incumbent is None or len(seen) == len(self.blocks):
                continue
            difference, error = self._difference(seen, self._incumbent[1])
            if difference + BOUND * error < 0:
                count = sum(len(one) for one in seen)
                return Lap(self._incumbent[0] + difference, count, True)
        weights = [block.weights for block in self.blocks]
        score = math.fsum(np.concatenate(seen) * np.concatenate(weights))
        if may_win and (self._incumbent is None or score > self._incumbent[0]):
            self._incumbent = (score, seen)
        return Lap(score, self.samples, False)

    def _difference(self, seen: Sequence[Floats], incumbent: Sequence[Floats]) -> tuple[float, float]:
        """Returns the estimated difference to the incumbent on all samples, and its standard error.

        Source: the ratio estimator of sampling without replacement (Cochran 1977, chapters 2 and 6).
        """
        count = len(seen)
        blocks = self.blocks[:count]
        shares = np.concatenate([block.shares for block in blocks])
        pairs = zip(blocks, seen, incumbent[:count], strict=True)
        gains = np.concatenate([block.weights * (one - other) for block, one, other in pairs])
        difference = float(gains.sum() / shares.sum())
        residuals = (gains - difference * shares) / shares.mean()
        left = 1 - len(gains) / self.samples
        return difference, math.sqrt(left * float(residuals.var(ddof=1)) / len(gains))


def blocks_of(
    splits: Sequence[Split], metric: str, document_bytes: int, draw: np.random.Generator
) -> list[SampleBlock]:
    """Returns the samples of `splits` in growing blocks that hold domains and classes in equal parts.

    Args:
        splits: validation splits, each domain with the same weight in the whole score.
        document_bytes: leading bytes of a document that are scored.
        draw: shuffles samples inside a class of a domain.

    Raises:
        HarnessError: samples of the metric cannot be scored a part at a time.
    """
    counted = metric_of(metric)
    if counted.read is not None:
        raise HarnessError(f"A search by {counted.title} cannot race; set racing to false.")
    lengths = [_lengths(split, counted, document_bytes) for split in splits]
    owners = np.repeat(np.arange(len(splits)), [len(split) for split in splits])
    places = np.concatenate([np.arange(len(split)) for split in splits])
    labels = np.concatenate([split.labels for split in splits])
    strata = np.unique(np.stack([owners, labels]), axis=1, return_inverse=True)[1].ravel()
    order = np.argsort(_spread(strata, draw), kind="stable")
    factors = np.concatenate([_factors(*pair, counted) for pair in zip(splits, lengths, strict=True)])
    factors /= len(splits)
    denominators = np.concatenate(lengths)
    blocks = []
    for part in _cuts(order):
        part = part[np.lexsort((places[part], owners[part]))]
        parts = [_part(split, places[part][owners[part] == at]) for at, split in enumerate(splits)]
        weights = counted.sign * factors[part]
        blocks.append(
            SampleBlock(splits=tuple(parts), weights=weights, shares=factors[part] * denominators[part])
        )
    return blocks


def _lengths(split: Split, metric: Metric, document_bytes: int) -> Floats:
    """Returns the denominator of each sample: 1, or the bytes that are scored of a document."""
    if metric.needs != "bits":
        return np.ones(len(split))
    return np.minimum(np.diff(split.offsets), document_bytes).astype(np.float64)


def _factors(split: Split, lengths: Floats, metric: Metric) -> Floats:
    """Returns what a numerator counts for in its domain's score, shape (samples,)."""
    if not metric.is_balanced:
        return np.full(len(split), 1 / lengths.sum())
    _, label, count = np.unique(split.labels, return_inverse=True, return_counts=True)
    factors: Floats = 1 / (len(count) * count[label])
    return factors


def _spread(strata: NDArray[np.intp], draw: np.random.Generator) -> Floats:
    """Returns numbers in [0, 1) whose order has each stratum evenly spread, shape (samples,)."""
    shuffled = draw.permutation(len(strata))
    ranks = np.empty(len(strata))
    for stratum in np.unique(strata):
        members = shuffled[strata[shuffled] == stratum]
        ranks[members] = (np.arange(len(members)) + draw.random()) / len(members)
    return ranks


def _cuts(order: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    start, end = 0, max(FEWEST, math.ceil(len(order) * FIRST_SHARE))
    while start < len(order):
        # A rest smaller than half of what was seen would tell little that is new.
        end = len(order) if end * 1.5 > len(order) else end
        yield order[start:end]
        start, end = end, 2 * end


def _part(split: Split, places: NDArray[np.intp]) -> Split:
    documents = [split.text[split.offsets[at] : split.offsets[at + 1]] for at in places if split.text.size]
    lengths = [len(document) for document in documents]
    return replace(
        split,
        images=split.images[places] if split.images.size else split.images,
        text=np.concatenate(documents) if documents else split.text[:0],
        offsets=np.cumsum([0, *lengths]).astype(np.int64),
        labels=split.labels[places],
        groups=split.groups[places],
        positions=split.positions[places],
    )
