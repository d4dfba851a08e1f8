"""What the units of a plan are estimated to cost, before anything of them is run.

A training step is taken as three forward passes, two of them for the gradients. An architecture that a search
has yet to choose counts as the mean of a few random ones of its space. Reading, drawing and augmenting data,
optimizer steps and zero-cost proxies are not counted.
"""

import random
from collections.abc import Callable, Iterable
from statistics import fmean
from typing import Any

from harness import catalog
from harness.identity.unit import AnyUnit, Unit, called
from harness.learn.baseline import FixedBaseline
from harness.learn.modality import modality_of
from harness.space.choices import SearchSpace
from harness.study.work.units import SourcesSpec, Supernet, SupernetSpec, TrainedSpec, ValidatedSpec
from harness.task.signature import Signature

MACS_PER_SECOND = 5e12
"""What one device is taken to do: a few hundredths of the peak of an A100 in bfloat16 (1.56e14).

Depth-wise convolutions reach less of it, and wide transformers several times as much.
"""

CALIBRATION_IMAGES = 64
"""Of a batch that re-estimates BatchNorm statistics."""

DRAWN = 20
"""Random architectures that stand for one that is not known yet."""


class Costs:
    """Estimates of units; spaces and baselines are looked at once."""

    def __init__(self, units: Iterable[AnyUnit]) -> None:
        self.units = {unit.hash: unit for unit in units}
        self._known: dict[tuple[str, ...], Any] = {}

    def macs(self, unit: AnyUnit) -> int:
        """Returns the multiply-accumulates of a unit; 0 for what is not counted."""
        return round(called(unit.kind.cost)(self, unit)) if unit.kind.cost else 0

    def validation(self, spec: ValidatedSpec) -> int:
        """Returns the forward passes of one candidate on source validation."""
        return spec.validation_samples * len(spec.sources) * passes(spec.task, spec.document_bytes)

    def slices(self, spec: ValidatedSpec, count: int, calibration_batches: int) -> float:
        """Returns the cost of scoring slices."""
        return self.mean(spec) * count * self.scored(spec, calibration_batches)

    def scored(self, spec: ValidatedSpec, calibration_batches: int) -> int:
        """Returns the forward passes of a slice, those that re-estimate its BatchNorm statistics included."""
        calibration = calibration_batches * CALIBRATION_IMAGES if self.has_batch_norm(spec) else 0
        return self.validation(spec) + calibration

    def trainings(self, spec: TrainedSpec, count: int, macs: float) -> float:
        """Returns the cost of training networks alone, each of which has `macs`, and of scoring them."""
        assert spec.steps is not None
        assert spec.batch_size is not None
        return macs * count * (3 * spec.steps * spec.batch_size + self.validation(spec))

    def alone(self, method: str, spec: SourcesSpec) -> float:
        """Returns the cost of one forward pass of what a final trains."""
        if spec.space:
            return self.mean(spec)

        def measure() -> float:
            from harness.learn.fit import seeded
            from harness.nn.measure import measured_macs
            from harness.study.work.matched import parameter_target

            signature = _signature(spec.task)
            baseline = catalog.load("baseline", method)
            assert isinstance(baseline, FixedBaseline)
            assert spec.tuned_space is not None
            target = parameter_target(spec.tuned_space, signature) if baseline.is_matched else 0
            with seeded(0):
                module = baseline.build(signature, target)
            return measured_macs(module.eval(), signature)

        return float(self._once(("network", method, spec.task), measure))

    def mean(self, spec: SourcesSpec) -> float:
        """Returns the cost of one forward pass of an architecture that is not known yet."""

        def drawn() -> float:
            draw = random.Random(0)
            space = self.space(spec)
            return fmean(space.macs(space.sample(draw)) for _ in range(DRAWN))

        return float(self._once(("mean", str(spec.space), spec.task), drawn))

    def has_batch_norm(self, spec: SourcesSpec) -> bool:
        """Returns whether the space's supernet has BatchNorms."""

        def look() -> bool:
            import torch

            from harness.learn.supernet import has_batch_norm

            with torch.device("meta"):
                return has_batch_norm(self.space(spec).networks.supernet())

        return bool(self._once(("norms", str(spec.space)), look))

    def space(self, spec: SourcesSpec) -> SearchSpace:
        """Returns the space of a unit."""
        from harness.study.work.matched import matched_space

        space: SearchSpace = self._once(
            ("space", str(spec.space), spec.task), lambda: matched_space(spec, _signature(spec.task))
        )
        return space

    def _once(self, key: tuple[str, ...], compute: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]


def supernet(costs: Costs, unit: Unit[SupernetSpec, Supernet]) -> float:
    """Returns the cost of a weight-sharing training; a released supernet has none."""
    spec = unit.spec
    if spec.checkpoint:
        return 0
    assert spec.steps is not None
    assert spec.batch_size is not None
    return _step(costs, spec) * spec.steps * spec.batch_size


def _step(costs: Costs, spec: SupernetSpec) -> float:
    """Returns the cost of one sample of a training step under the unit's strategy."""
    mean = costs.mean(spec)
    if spec.strategy == "single_path":
        return 3 * mean
    space = costs.space(spec)
    if spec.strategy == "fair":
        return 3 * mean * max(len(choice.options) for choice in space.choices)
    largest = space.macs(space.extreme(largest=True))
    if spec.strategy == "sandwich":
        return 3 * (largest + space.macs(space.extreme(largest=False)) + 2 * mean)
    return 3 * mean + largest


def _signature(task: str) -> Signature:
    signature: Signature = catalog.load("task", task).signature
    return signature


def passes(task: str, document_bytes: int) -> int:
    """Returns the forward passes of a sample: one, or one a window of a document."""
    signature = _signature(task)
    return modality_of(signature.kind).passes(signature, document_bytes)
