"""What the units of a study of rank quality are estimated to cost."""

from harness.identity.unit import Unit
from harness.study.cost import CALIBRATION_IMAGES, Costs
from harness.study.ranking.units import Inherited, InheritedSpec, Scratch, ScratchSpec

CALIBRATION_BATCHES = 16


def inherited(costs: Costs, unit: Unit[InheritedSpec, Inherited]) -> float:
    """Returns the cost of scoring every drawn architecture as a slice."""
    spec = unit.spec
    calibration = CALIBRATION_BATCHES * CALIBRATION_IMAGES if costs.has_batch_norm(spec) else 0
    return costs.mean(spec) * spec.architectures * (costs.validation(spec) + calibration)


def scratch(costs: Costs, unit: Unit[ScratchSpec, Scratch]) -> float:
    """Returns the cost of training one architecture alone at every rate, and of scoring it."""
    spec = unit.spec
    assert spec.steps is not None
    assert spec.batch_size is not None
    each = 3 * spec.steps * spec.batch_size + costs.validation(spec)
    return costs.mean(spec) * len(spec.learning_rates) * each
