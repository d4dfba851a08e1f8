"""What a suite says of a study of rank quality."""

from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UnknownNameError
from harness.study.settings import (
    STRATEGIES,
    Limits,
    Need,
    TaskSettings,
    check_task,
)


@dataclass(frozen=True, kw_only=True)
class QualitySuite:
    """How well the scores of a shared network rank architectures that are then trained alone.

    Attributes:
        title: shown above the board.
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
    task: TaskSettings
    space: str
    strategies: list[str]
    architectures: int
    seeds: list[int]
    parameter_tolerance: float = 0.0
    limits: Limits = field(default_factory=Limits)
    extends: str = ""


def check_ranking(suite: QualitySuite, path: Path) -> None:
    need = Need(path)
    need(len(suite.seeds) >= 2, "seeds needs at least two, so that training alone is compared with itself")
    need(len(set(suite.seeds)) == len(suite.seeds), "seeds has a seed twice")
    need(suite.architectures >= 4, "architectures must be at least 4")
    need(bool(suite.strategies), "there is no strategy")
    need(0 <= suite.parameter_tolerance < 1, "parameter_tolerance must be in [0, 1)")
    check_task(suite.task, need)
    for strategy in suite.strategies:
        if strategy not in STRATEGIES:
            raise UnknownNameError("strategy", strategy, STRATEGIES)
