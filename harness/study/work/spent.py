"""Multiply-accumulates of trainings and of scoring, in closed form: of what ran, and of what is planned.

A training step is taken as three forward passes, two of them for the gradients.
"""

import random
from statistics import fmean

from harness.identity.unit import Spec
from harness.learn.modality import modality_of
from harness.space.choices import SearchSpace
from harness.study.work.units import TrainedSpec, ValidatedSpec
from harness.task.signature import Signature

CALIBRATION_BATCHES = 16
"""That re-estimate the BatchNorm statistics of a slice, where a unit says no other number."""
CALIBRATION_IMAGES = 64
"""Of a batch that re-estimates BatchNorm statistics."""
DRAWN = 20
"""Random architectures that stand for those of a space."""


def passes(signature: Signature, document_bytes: int) -> int:
    """Returns the forward passes of a sample: one, or one a window of a document."""
    return modality_of(signature.kind).passes(signature, document_bytes)


def validation_passes(spec: ValidatedSpec) -> int:
    """Returns the forward passes of one candidate on source validation."""
    samples = at_most(spec, spec.validation_samples)
    return samples * len(spec.sources) * passes(spec.seen.signature, spec.document_bytes)


def at_most(spec: Spec, samples: int) -> int:
    """Returns how many samples of a split a unit reads, of so many, where a limited run has fewer."""
    return samples if spec.limit is None else min(samples, spec.limit)


def trainings_macs(spec: TrainedSpec, count: int, macs: float) -> float:
    """Returns the cost of training networks alone, each of which has `macs`, and of scoring them."""
    assert spec.steps is not None
    assert spec.batch_size is not None
    return macs * count * (3 * spec.steps * spec.batch_size + validation_passes(spec))


def mean_macs(space: SearchSpace) -> float:
    """Returns the mean cost of a few random architectures of a space."""
    draw = random.Random(0)
    return fmean(space.macs(space.sample(draw)) for _ in range(DRAWN))


def step_macs(strategy: str | None, space: SearchSpace, mean: float) -> float:
    """Returns the cost of one sample of a weight-sharing training step.

    Args:
        strategy: of the training.
        space: of the supernet.
        mean: cost of a random architecture of it.
    """
    if strategy == "single_path":
        return 3 * mean
    if strategy == "fair":
        return 3 * mean * max(len(choice.options) for choice in space.choices)
    largest = space.macs(space.extreme(largest=True))
    if strategy == "sandwich":
        return 3 * (largest + space.macs(space.extreme(largest=False)) + 2 * mean)
    return 3 * mean + largest
