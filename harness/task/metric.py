"""What a metric is, and the scores per sample that it is computed from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError

Need = Literal["prediction", "probabilities", "bits"]
"""What a metric needs of a sample: whether its prediction is right, the log-probabilities of its classes, or
its code length in bits."""
MOST_CLASSES = 128
"""Classes above which the log-probability of a sample's own class alone is kept."""


class SampleScores(NamedTuple):
    """The scores of one model on one split, kept per sample so that no later question needs the model.

    All have shape (samples,) but one; what a model does not give is None.

    Attributes:
        group: that must not be split.
        label: class.
        numerator: 1 for a right prediction, or bits.
        denominator: 1, or bytes.
        prediction: the likeliest class.
        log_probabilities: of the classes in nats, as float16, shape (samples, classes); above 128 classes of
            the sample's own alone, shape (samples, 1).
        position: in the prepared data of the domain.
        digest: of the sample's bytes.
    """

    group: NDArray[np.int64]
    label: NDArray[np.int64]
    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]
    prediction: NDArray[np.int64] | None = None
    log_probabilities: NDArray[np.float16] | None = None
    position: NDArray[np.int64] | None = None
    digest: NDArray[np.uint64] | None = None

    @classmethod
    def predicted(
        cls, group: NDArray[np.int64], label: NDArray[np.int64], prediction: NDArray[np.int64], **more: Any
    ) -> Self:
        """Returns scores that are 1 where the prediction is the label."""
        return cls(group, label, (prediction == label) * 1.0, np.ones(len(label)), prediction, **more)

    @property
    def likelihood(self) -> NDArray[np.float64]:
        """The log-probability of each sample's own class in nats, shape (samples,)."""
        table = self.log_probabilities
        assert table is not None, "whoever needs probabilities is asked for them"
        own = np.zeros_like(self.label) if table.shape[1] == 1 else self.label
        return table[np.arange(len(own)), own].astype(np.float64)


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
        chance: the expectation of a blind guess among so many classes: each is taken, or predicted, with the
            same probability, as class frequencies are knowledge. None where it is not known.
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
    def better(self) -> Literal["higher", "lower"]:
        """Which direction is better."""
        return "higher" if self.higher_is_better else "lower"

    @property
    def factor(self) -> int:
        """What a kept value is multiplied by when it is printed."""
        return 100 if self.unit == "%" else 1

    @property
    def measured(self) -> str:
        """The title with its unit."""
        return self.title if self.title == self.unit else f"{self.title} in {self.unit}"

    def counted(self, samples: SampleScores) -> SampleScores:
        """Returns the samples that count.

        Raises:
            HarnessError: they do not hold what the metric needs.
        """
        if self.needs == "probabilities" and samples.log_probabilities is None:
            raise HarnessError(f"{self.title} needs probabilities, which these samples do not hold.")
        return samples if self.read is None else self.read(samples)

    def value(self, samples: SampleScores) -> float:
        """Returns the metric of the kept samples.

        Raises:
            ValueError: there is no sample, or a score is not finite.
        """
        _, label, numerator, denominator, *_ = self.counted(samples)
        if not len(numerator) or not np.isfinite(numerator).all():
            raise ValueError("The scores are empty or not finite.")
        if not self.is_balanced:
            return float(numerator.sum() / denominator.sum())
        right = np.bincount(label, numerator)
        total = np.bincount(label, denominator)
        return float((right[total > 0] / total[total > 0]).mean())
