"""What a suite says of a study of rank quality."""

from dataclasses import dataclass

from harness.study.settings import PlannedTask, Settings, TaskSettings


@dataclass(frozen=True, kw_only=True)
class QualitySuite(Settings):
    """How well the scores of a shared network rank architectures that are then trained alone.

    Attributes:
        task: recipes and sample counts; only its sources are read.
        space: `SPACE:PRESET` that the architectures are drawn from.
        strategies: of weight sharing, one supernet each for every seed.
        architectures: how many are drawn, and trained alone for every seed.
        seeds: two or more, so that training alone can be compared with itself.
        parameter_tolerance: largest distance from the default's parameters, a share; 0 for any size.
    """

    task: TaskSettings
    space: str
    strategies: list[str]
    architectures: int
    seeds: list[int]
    parameter_tolerance: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PlannedRanking(QualitySuite):
    """A suite as `plan.json` keeps it: its task with its domains and its metric."""

    task: PlannedTask
