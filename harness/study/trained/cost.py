"""What the units of a study that trains are estimated to cost."""

from harness import catalog
from harness.identity.unit import Unit
from harness.study.cost import Costs, passes
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
from harness.task.selection import CROSS_VALIDATION, ORACLE

ANSWERS = 4
"""Possible answers that a question of an lm-eval task is taken to have."""


def search(costs: Costs, unit: Unit[SearchSpec, Search]) -> float:
    return costs.slices(unit.spec, unit.spec.evaluations, unit.spec.calibration_batches)


def tune(costs: Costs, unit: Unit[TuneSpec, Tuned]) -> float:
    return trial(costs, unit.spec) * unit.spec.evaluations


def trial(costs: Costs, spec: TuneSpec) -> float:
    """Returns the cost of one trial, of the plain baseline."""
    return costs.trainings(spec, 1, costs.alone(spec.method, spec))


def final(costs: Costs, unit: Unit[FinalSpec, Final]) -> float:
    trainings = trainings_of(unit.spec)
    return costs.trainings(unit.spec, trainings, costs.alone(unit.spec.method, unit.spec)) if trainings else 0


def trainings_of(spec: FinalSpec) -> int:
    """Returns how often a final trains a network."""
    if spec.steps is None or spec.batch_size is None or spec.selection == ORACLE:
        return 0
    trainings = 1 if spec.learning_rates is None else len(spec.learning_rates)
    if spec.selection == CROSS_VALIDATION:
        return 1 + (trainings * len(spec.sources) if trainings > 1 else 0)
    return trainings


def score(costs: Costs, unit: Unit[ScoreSpec, Score]) -> float:
    return _scored(costs, unit, passes(unit.spec.task, unit.spec.document_bytes))


def zero_shot(costs: Costs, unit: Unit[ZeroShotSpec, ZeroShotScore]) -> float:
    """Returns the cost of scoring every possible answer of every question."""
    owner = unit.spec.domain.rpartition("/")[0]
    answers = int(catalog.load("task", owner).signature.classes) if owner else ANSWERS
    return _scored(costs, unit, answers)


def _scored(costs: Costs, unit: Unit[RowScoreSpec, Score], forward: int) -> float:
    trained = next(need for need in map(costs.units.__getitem__, unit.needs) if need.kind == FINAL)
    spec = trained.spec
    assert isinstance(spec, FinalSpec)
    return 0 if spec.steps is None else costs.alone(spec.method, spec) * unit.spec.samples * forward
