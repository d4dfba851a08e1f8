"""What a metric is, and the scores per sample that it is computed from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.files import write_atomically

Need = Literal["prediction", "bits"]
"""What a metric needs of a sample: whether its prediction is right, or its code length in bits."""


class SampleScores(NamedTuple):
    """The scores of one model on one split, kept per sample so that no later question needs the model.

    All have shape (samples,): group, class, numerator (1 for a right prediction, or bits) and
    denominator (1, or bytes).
    """

    group: NDArray[np.int64]
    label: NDArray[np.int64]
    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]

    def write(self, path: Path, more: Mapping[str, Any] | None = None) -> None:
        """Writes a parquet file with one row per sample; `more` are columns beside its own."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({**self._asdict(), **(more or {})}), sink)
        write_atomically(path, sink.getvalue().to_pybytes())


def uniform_guess(classes: int) -> float:
    """Returns the share of right predictions when each of so many classes is guessed equally often."""
    return 1 / classes


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A score of a model on a domain: the sum of numerators over the sum of denominators.

    Attributes:
        summary: one line.
        title: as it is printed.
        needs: what samples must have been kept for it.
        unit: behind a value; `%` for a share, which is kept in [0, 1] and printed in percent.
        difference: the unit of a difference; that of a value where it is empty.
        decimals: places that are printed.
        higher_is_better: whether a larger value is the better one.
        is_proportion: whether samples are right or wrong, so that a perfect or an empty score gets Wilson's
            interval over the groups.
        is_balanced: whether the ratio is taken for each class, and averaged over classes.
        chance: the expectation of a blind guess among so many classes; None where it is not known.
        read: makes the samples that count of those that were kept, with what is resampled as their group; the
            kept ones where it is None. Samples of an altered metric cannot race.
    """

    summary: str
    title: str
    needs: Need
    unit: str = "%"
    difference: str = ""
    decimals: int = 1
    higher_is_better: bool = True
    is_proportion: bool = False
    is_balanced: bool = False
    chance: Callable[[int], float] | None = None
    read: Callable[[SampleScores], SampleScores] | None = None

    @property
    def sign(self) -> int:
        """What a value is multiplied by for the larger one to be the better one."""
        return 1 if self.higher_is_better else -1

    @property
    def factor(self) -> int:
        """What a kept value is multiplied by when it is printed."""
        return 100 if self.unit == "%" else 1

    @property
    def measured(self) -> str:
        """The title with its unit."""
        return self.title if self.title == self.unit else f"{self.title} in {self.unit}"

    def counted(self, samples: SampleScores) -> SampleScores:
        """Returns the samples that count."""
        return samples if self.read is None else self.read(samples)

    def value(self, samples: SampleScores) -> float:
        """Returns the metric of the kept samples.

        Raises:
            ValueError: there is no sample, or a score is not finite.
        """
        _, label, numerator, denominator = self.counted(samples)
        if not len(numerator) or not np.isfinite(numerator).all():
            raise ValueError("The scores are empty or not finite.")
        if not self.is_balanced:
            return float(numerator.sum() / denominator.sum())
        right = np.bincount(label, numerator)
        total = np.bincount(label, denominator)
        return float((right[total > 0] / total[total > 0]).mean())
