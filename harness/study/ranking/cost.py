"""What the units of a study of rank quality are estimated to cost."""

from harness.identity.unit import Unit
from harness.study.cost import Costs
from harness.study.ranking.units import Inherited, InheritedSpec, Scratch, ScratchSpec
from harness.study.work.spent import trainings_macs

CALIBRATION_BATCHES = 16


def inherited(costs: Costs, unit: Unit[InheritedSpec, Inherited]) -> float:
    return costs.slices(unit.spec, unit.spec.architectures, CALIBRATION_BATCHES)


def scratch(costs: Costs, unit: Unit[ScratchSpec, Scratch]) -> float:
    return trainings_macs(unit.spec, len(unit.spec.learning_rates), costs.mean(unit.spec))
