"""What a suite says of a study of rank quality."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, MinLen

from harness.study.settings import PlannedTask, Seeds, Settings, Share, StrategyName, TaskSettings


@dataclass(frozen=True, kw_only=True)
class RankingSuite(Settings):
    """How well the scores of a shared network rank architectures that are then trained alone.

    Attributes:
        task: recipes and sample counts; only its sources are read.
        spaces: `SPACE:PRESET` that architectures are drawn from, each ordered for itself.
        strategies: of weight sharing, one supernet each for every seed.
        architectures: how many are drawn of each space, and trained alone for every seed.
        seeds: two or more, so that training alone can be compared with itself.
        parameter_tolerance: largest distance from the wanted parameters, a share; 0 for any.
        tuned_space: the space whose default gives these; each space's own where there is none.
    """

    task: TaskSettings
    spaces: Annotated[list[str], MinLen(1)]
    strategies: Annotated[list[StrategyName], MinLen(1)]
    architectures: Annotated[int, Ge(4)]
    seeds: Seeds
    parameter_tolerance: Share = 0.0
    tuned_space: str | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedRanking(RankingSuite):
    """A suite as `plan.json` keeps it: its task with its domains and its metric."""

    task: PlannedTask
    seeds: list[int]
