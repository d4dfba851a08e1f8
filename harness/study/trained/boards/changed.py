"""What rows make of single samples, from what their trainings kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import catalog
from harness.board.changed import Changed, ChangedSample
from harness.errors import HarnessError
from harness.run.loaded import Run
from harness.run.samples import read_samples
from harness.study.trained.boards.scored import ScoreUnit
from harness.task.metric import Need

MOST = 5
"""Samples of a kind that are named."""
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RowSamples:
    """One row on the samples of one domain, all of its trainings.

    Attributes:
        group: of each sample, shape (samples,).
        label: class, shape (samples,).
        position: in the prepared data, shape (samples,).
        digest: hash of the bytes, shape (samples,).
        right: shape (trainings, samples); None of code lengths.
        prediction: shape (trainings, samples); None where none was kept.
        likelihood: log-probability of the true class in nats, shape (trainings, samples); None as above.
        bits: per byte, shape (trainings, samples); None of predictions.
    """

    group: NDArray[np.int64]
    label: NDArray[np.int64]
    position: NDArray[np.int64]
    digest: NDArray[np.uint64]
    right: Array | None
    prediction: NDArray[np.int64] | None
    likelihood: Array | None
    bits: Array | None

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether most trainings agree on the right class, shape (samples,)."""
        if self.prediction is not None:
            return np.asarray(self.voted == self.label)
        assert self.right is not None
        return np.asarray(self.right.mean(axis=0) > 0.5)

    @property
    def voted(self) -> NDArray[np.int64]:
        """The class that most trainings predict, the first of those that tie, shape (samples,)."""
        assert self.prediction is not None
        votes = self.prediction.T[:, :, None] == np.arange(self.prediction.max() + 1)
        return np.asarray(votes.sum(axis=1).argmax(axis=1), np.int64)

    def name(self, index: int) -> str:
        """Returns position and hash of a sample."""
        return f"{self.position[index]}:{self.digest[index]:016x}"

    def told(self, index: int, class_names: Sequence[str]) -> str:
        """Returns what the row makes of a sample."""
        if self.bits is not None:
            return f"{self.bits[:, index].mean():.3f}"
        assert self.right is not None
        right = f"{self.right[:, index].sum():.3g} of {len(self.right)} right"
        if self.prediction is None:
            return right
        return f"{named(int(self.voted[index]), class_names)} ({right})"


def row_samples(run: Run, units: Sequence[ScoreUnit], need: Need) -> RowSamples:
    """Returns what the trainings of a row kept of a domain.

    Raises:
        HarnessError: they are damaged, or of different samples.
    """
    kept: Need = "bits" if need == "bits" else "prediction"
    found = [one for unit in units if (one := read_samples(run, unit, kept, whole=True)) is not None]
    if not found or len(found) < len(units):
        raise HarnessError("the scores kept nothing of their samples")
    first = found[0]
    assert first.position is not None
    assert first.digest is not None
    if any(not _are_same(first, one) for one in found):
        raise HarnessError("the trainings of a row were scored on different samples")
    ratios = np.stack([one.numerator / one.denominator for one in found])
    predictions = [one.prediction for one in found if one.prediction is not None]
    sure = [one.likelihood for one in found if one.log_probabilities is not None]
    return RowSamples(
        group=first.group,
        label=first.label,
        position=first.position,
        digest=first.digest,
        right=None if kept == "bits" else ratios,
        prediction=np.stack(predictions) if len(predictions) == len(found) else None,
        likelihood=np.stack(sure) if len(sure) == len(found) else None,
        bits=ratios if kept == "bits" else None,
    )


def gains(first: RowSamples, second: RowSamples) -> tuple[Array, str]:
    """Returns first minus second of each sample, mean over trainings, shape (samples,), and its unit.

    That is the log-probability of the true class where both kept it, the share of trainings that are right
    otherwise, and bits per byte of code lengths.

    Raises:
        HarnessError: the rows were scored on different samples.
    """
    if not _are_same(first, second):
        raise HarnessError("the rows were scored on different samples, so none can be set beside another")
    for name, unit in (("bits", "bits per byte"), ("likelihood", "nats"), ("right", "share")):
        one, other = getattr(first, name), getattr(second, name)
        if one is not None and other is not None:
            return one.mean(axis=0) - other.mean(axis=0), unit
    raise HarnessError("the rows kept different things of their samples")


def changed(first: RowSamples, second: RowSamples, class_names: Sequence[str]) -> Changed:
    """Returns the samples on which two rows differ.

    Raises:
        HarnessError: the rows were scored on different samples.
    """
    gain, unit = gains(first, second)
    if unit == "bits per byte":
        better, worse = gain < 0, gain > 0
    else:
        better, worse = first.is_right & ~second.is_right, second.is_right & ~first.is_right
    order = np.argsort(-np.abs(gain), kind="stable")
    chosen = [index for side in (better, worse) for index in order[side[order]][:MOST]]
    is_class = unit != "bits per byte"
    return Changed(
        of=len(gain),
        first_alone=int(better.sum()),
        second_alone=int(worse.sum()),
        unit=unit,
        samples=tuple(
            ChangedSample(
                sample=first.name(index),
                group=f"{first.group[index]:x}",
                label=named(int(first.label[index]), class_names) if is_class else None,
                first=first.told(index, class_names),
                second=second.told(index, class_names),
                difference=float(gain[index]),
            )
            for index in chosen
        ),
    )


def class_names_of(task: str) -> Sequence[str]:
    """Returns the names of a task's classes; none of a board that is no task, or where there are none."""
    return catalog.load("task", task).class_names if task in catalog.files("task") else ()


def named(label: int, class_names: Sequence[str]) -> str:
    """Returns the name of a class, its number without one."""
    return class_names[label] if 0 <= label < len(class_names) else str(label)


def _are_same(first: Any, second: Any) -> bool:
    """Returns whether two kept the same samples, in the same order."""
    pairs = ((first.position, second.position), (first.digest, second.digest))
    return all(np.array_equal(one, other) for one, other in pairs)
