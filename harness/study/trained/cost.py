"""What the units of a study that trains are estimated to cost."""

from harness import catalog
from harness.identity.unit import Unit
from harness.study.cost import PASSED, Costs
from harness.study.trained.results import Final, Score, Search, Tuned, ZeroShotScore
from harness.study.trained.units import (
    FINAL,
    FinalSpec,
    RowScoreSpec,
    ScoreSpec,
    SearchSpec,
    TuneSpec,
    ZeroShotSpec,
)
from harness.study.work.spent import at_most, passes

ANSWERS = 4
"""Possible answers that a question of an lm-eval task is taken to have."""


def search(costs: Costs, unit: Unit[SearchSpec, Search]) -> float:
    spec = unit.spec
    if spec.steps is None:
        return costs.slices(spec, spec.evaluations, spec.calibration_batches)
    return costs.trained(spec, spec.evaluations)


def tune(costs: Costs, unit: Unit[TuneSpec, Tuned]) -> float:
    return trial(costs, unit.spec) * unit.spec.evaluations


def trial(costs: Costs, spec: TuneSpec) -> float:
    """Returns the cost of one trial, of the plain baseline."""
    return costs.trained(spec, 1, spec.method)


def final(costs: Costs, unit: Unit[FinalSpec, Final]) -> float:
    spec, trainings = unit.spec, unit.spec.trainings
    return costs.trained(spec, trainings, spec.method) if trainings else 0


def score(costs: Costs, unit: Unit[ScoreSpec, Score]) -> float:
    """Returns the cost of a score; 0 of a held-out domain without a cap."""
    spec = unit.spec
    if spec.samples is None:
        return 0
    signature = _final(costs, unit).seen.signature
    each = 1 if spec.document_bytes is None else passes(signature, spec.document_bytes)
    most = at_most(spec, spec.samples)
    forward = most * each if spec.bytes is None else min(most * each, passes(signature, spec.bytes))
    return _scored(costs, unit, forward)


def zero_shot(costs: Costs, unit: Unit[ZeroShotSpec, ZeroShotScore]) -> float:
    """Returns the cost of scoring every possible answer of every question; 0 without a cap."""
    if unit.spec.samples is None:
        return 0
    owner = unit.spec.domain.rpartition("/")[0]
    answers = int(catalog.load("task", owner).signature.classes) if owner else ANSWERS
    return _scored(costs, unit, answers * at_most(unit.spec, unit.spec.samples))


def _scored(costs: Costs, unit: Unit[RowScoreSpec, Score], forward: int) -> float:
    spec = _final(costs, unit)
    if spec.steps is None:
        return 0
    return costs.alone(spec.method, spec) * forward * costs.rate("alone scored", spec, PASSED, spec.method)


def _final(costs: Costs, unit: Unit[RowScoreSpec, Score]) -> FinalSpec:
    """Returns the parameters of the final whose network a unit scores."""
    trained = next(need for need in map(costs.units.__getitem__, unit.needs) if need.kind == FINAL)
    assert isinstance(trained.spec, FinalSpec)
    return trained.spec
