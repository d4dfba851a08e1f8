"""What the units of a study of rank quality are estimated to cost."""

from harness.identity.unit import Unit
from harness.study.cost import Costs
from harness.study.ranking.units import Inherited, InheritedSpec, Scratch, ScratchSpec

CALIBRATION_BATCHES = 16


def inherited(costs: Costs, unit: Unit[InheritedSpec, Inherited]) -> float:
    """Returns the cost of scoring every drawn architecture as a slice."""
    return costs.slices(unit.spec, unit.spec.architectures, CALIBRATION_BATCHES)


def scratch(costs: Costs, unit: Unit[ScratchSpec, Scratch]) -> float:
    """Returns the cost of training one architecture alone at every rate, and of scoring it."""
    return costs.trainings(unit.spec, len(unit.spec.learning_rates), costs.mean(unit.spec))
