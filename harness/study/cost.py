"""What the units of a plan are estimated to cost, before anything of them is run.

A training step is taken as three forward passes, two of them for the gradients. An architecture that a search
has yet to choose counts as the mean of a few random ones of its space. Reading, drawing and augmenting data,
optimizer steps, zero-cost proxies and domains that are scored without a cap are not counted.
"""

from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from harness import catalog
from harness.identity.content import INPUTS, code_of_module
from harness.identity.memory import remembered
from harness.identity.unit import AnyUnit, Read, Unit, called
from harness.learn.baseline import FixedBaseline
from harness.space.choices import SearchSpace
from harness.study.work.spent import (
    CALIBRATION_BATCHES,
    CALIBRATION_IMAGES,
    mean_macs,
    step_macs,
    trainings_macs,
    validation_passes,
)
from harness.study.work.units import (
    Inherited,
    InheritedSpec,
    Scratch,
    ScratchSpec,
    SourcesSpec,
    Supernet,
    SupernetSpec,
    TrainedSpec,
    ValidatedSpec,
)

if TYPE_CHECKING:
    from torch import nn

MACS_PER_SECOND = 5e12
"""What one device is taken to do: a few hundredths of the peak of an A100 in bfloat16 (1.56e14).

Depth-wise convolutions reach less of it, and wide transformers several times as much.
"""

Network = Literal["supernet trained", "supernet scored", "alone trained", "alone scored"]
PASSED = 64
"""Samples of a batch that is scored, where it is asked how large one is."""


class Costs:
    """Estimates of units; spaces and baselines are looked at once."""

    def __init__(self, units: Iterable[AnyUnit], beside: "Costs | None" = None) -> None:
        """Takes the units of a plan; what estimates `beside` these looked at is not looked at again."""
        self.units = {unit.hash: unit for unit in units}
        self._known: dict[tuple[str, ...], Any] = beside._known if beside is not None else {}

    def macs(self, unit: AnyUnit) -> int:
        """Returns the multiply-accumulates of a unit; 0 for what is not counted."""
        return round(self.estimate(unit))

    def estimate(self, unit: AnyUnit) -> float:
        """Returns what a unit costs, in the measure of `rate`; 0 for what is not counted."""
        return float(called(unit.kind.cost)(self, unit)) if unit.kind.cost else 0.0

    def rate(self, network: "Network", spec: SourcesSpec, batch_size: int, method: str = "") -> float:
        """Returns what one multiply-accumulate of a network counts as: here 1.

        Args:
            network: how it stands, and what is done with it.
            spec: whose network it is.
            batch_size: samples of a training step.
            method: of a final's row.
        """
        return 1.0

    def slices(self, spec: ValidatedSpec, count: int, calibration_batches: int) -> float:
        """Returns the cost of scoring slices, with the images that re-estimate their BatchNorm statistics."""
        calibration = calibration_batches * CALIBRATION_IMAGES if self.has_batch_norm(spec) else 0
        passes = count * (validation_passes(spec) + calibration)
        return self.mean(spec) * passes * self.rate("supernet scored", spec, PASSED)

    def trained(self, spec: TrainedSpec, count: int, method: str = "") -> float:
        """Returns the cost of training networks alone, and of scoring them."""
        assert spec.batch_size is not None
        macs = self.alone(method, spec) if method else self.mean(spec)
        return trainings_macs(spec, count, macs) * self.rate("alone trained", spec, spec.batch_size, method)

    def alone(self, method: str, spec: SourcesSpec) -> float:
        """Returns the cost of one forward pass of what a final trains."""
        if spec.space:
            return self.mean(spec)

        def measure() -> float:
            from harness.nn.measure import measured_macs

            return measured_macs(self.built(method, spec).eval(), spec.seen.signature)

        def known() -> float:
            return float(self.looked_at(self._content(spec, method), measure, 0.0))

        return float(self._once(("network", method, *_inputs(spec)), known))

    def built(self, method: str, spec: SourcesSpec) -> "nn.Module":
        """Returns the network of a fixed baseline."""
        from harness.learn.fit import seeded
        from harness.study.work.matched import matched_size

        signature = spec.seen.signature
        baseline = catalog.load("baseline", method)
        assert isinstance(baseline, FixedBaseline)
        with seeded(0):
            return baseline.build(signature, matched_size(baseline, spec.tuned_space, signature))

    def mean(self, spec: SourcesSpec) -> float:
        """Returns the cost of one forward pass of an architecture that is not known yet."""
        return float(self._once(("mean", *_inputs(spec)), lambda: mean_macs(self.space(spec))))

    def has_batch_norm(self, spec: SourcesSpec) -> bool:
        """Returns whether the space's supernet has BatchNorms."""

        def look() -> bool:
            import torch

            from harness.learn.supernet import has_batch_norm

            with torch.device("meta"):
                return has_batch_norm(self.space(spec).networks.supernet())

        def known() -> bool:
            return bool(self.looked_at(self._content(spec), look, False))

        return bool(self._once(("norms", str(spec.space)), known))

    def space(self, spec: SourcesSpec) -> SearchSpace:
        """Returns the space of a unit."""
        from harness.study.work.matched import matched_space

        space: SearchSpace = self._once(
            ("space", *_inputs(spec)), lambda: matched_space(spec, spec.seen.signature)
        )
        return space

    def looked_at(self, key: Any, look: Callable[[], Any], otherwise: Any) -> Any:
        """Returns what networks themselves tell, which is remembered; `otherwise` where none is looked at."""
        return remembered(key, look)

    def _content(self, spec: SourcesSpec, method: str = "") -> list[Any]:
        """Returns all that the cost of a network, or what its space's networks hold, follows from."""
        names = [("space", name) for name in (spec.space, spec.tuned_space)] + [("baseline", method)]
        reads = [Read(kind, name.partition(":")[0]) for kind, name in names if name]
        entries = [INPUTS[one.input](one) for one in [Read("task", spec.task), *reads]]
        told = [method, *_inputs(spec), spec.tuned_space, spec.parameter_tolerance, version("torch")]
        return [*told, code_of_module(__name__), entries]

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
    step = step_macs(spec.strategy, costs.space(spec), costs.mean(spec))
    return step * spec.steps * spec.batch_size * costs.rate("supernet trained", spec, spec.batch_size)


def inherited(costs: Costs, unit: Unit[InheritedSpec, Inherited]) -> float:
    """Returns the cost of scoring slices of a supernet."""
    return costs.slices(unit.spec, unit.spec.architectures, CALIBRATION_BATCHES)


def scratch(costs: Costs, unit: Unit[ScratchSpec, Scratch]) -> float:
    """Returns the cost of training one drawn architecture alone, at every rate."""
    return costs.trained(unit.spec, len(unit.spec.learning_rates))


def _inputs(spec: SourcesSpec) -> tuple[str, ...]:
    """Returns what decides the networks of a space and what they read."""
    return str(spec.space), spec.task, str(spec.context)
