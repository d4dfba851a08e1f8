"""What a suite says of a study of rank quality."""

from dataclasses import dataclass, field

from harness.errors import UnknownNameError
from harness.run.loaded import Run
from harness.study.settings import STRATEGIES, Limits, Need, PlannedTask, TaskSettings, check_task


@dataclass(frozen=True, kw_only=True)
class QualitySuite:
    """How well the scores of a shared network rank architectures that are then trained alone.

    Attributes:
        title: shown above the board.
        study: `ranking`.
        task: recipes and sample counts; only its sources are read.
        space: `SPACE:PRESET` that the architectures are drawn from.
        strategies: of weight sharing, one supernet each for every seed.
        architectures: how many are drawn, and trained alone for every seed.
        seeds: two or more, so that training alone can be compared with itself.
        parameter_tolerance: largest distance from the default's parameters, a share; 0 for any size.
        limits: what a unit may take.
        extends: another suite whose keys hold where this one is silent.
    """

    title: str
    study: str
    task: TaskSettings
    space: str
    strategies: list[str]
    architectures: int
    seeds: list[int]
    parameter_tolerance: float = 0.0
    limits: Limits = field(default_factory=Limits)
    extends: str = ""


@dataclass(frozen=True, kw_only=True)
class PlannedRanking(QualitySuite):
    """A suite as `plan.json` keeps it: its task with its domains and its metric."""

    task: PlannedTask

    @staticmethod
    def of(run: Run) -> "PlannedRanking":
        """Returns the suite of a run of this study."""
        assert isinstance(run.suite, PlannedRanking)
        return run.suite


def check_ranking(suite: QualitySuite, need: Need) -> None:
    """Raises the first thing that is wrong with a suite."""
    need(len(suite.seeds) >= 2, "seeds needs at least two, so that training alone is compared with itself")
    need(len(set(suite.seeds)) == len(suite.seeds), "seeds has a seed twice")
    need(suite.architectures >= 4, "architectures must be at least 4")
    need(bool(suite.strategies), "there is no strategy")
    need(0 <= suite.parameter_tolerance < 1, "parameter_tolerance must be in [0, 1)")
    check_task(suite.task, need)
    for strategy in suite.strategies:
        if strategy not in STRATEGIES:
            raise UnknownNameError("strategy", strategy, STRATEGIES)
