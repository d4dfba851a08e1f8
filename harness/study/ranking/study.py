"""The study of rank quality: how well inherited scores order architectures that are then trained alone."""

from typing import TYPE_CHECKING, ClassVar

from harness.study.ranking.settings import PlannedRanking, RankingSuite
from harness.study.settings import STRATEGIES, Need, check_task
from harness.study.study import Study
from harness.study.work.units import INHERITED, PREPARE, SCRATCH, SUPERNET

if TYPE_CHECKING:
    from harness.study.ranking.board import RankingBoard  # noqa: F401  in quotes below


class RankingStudy(Study[RankingSuite, "RankingBoard"]):
    """Strategies of weight sharing x seeds, and each architecture trained alone."""

    summary = "compares the orders that strategies of weight sharing give with training alone"
    settings = RankingSuite
    planned = PlannedRanking
    kinds = (PREPARE, SUPERNET, INHERITED, SCRATCH)
    parts: ClassVar = {
        "plan": "harness.study.ranking.plan:plan_ranking",
        "board": "harness.study.ranking.board:build_ranking_board",
        "verdict": "harness.study.ranking.board:ranking_verdict",
        "tables": "harness.study.ranking.board:ranking_tables",
        "lines": "harness.study.ranking.board:csv_lines",
    }

    def check(self, settings: RankingSuite, need: Need) -> None:
        two = "seeds needs at least two, so that training alone is compared with itself"
        need(len(settings.seeds) >= 2, two)
        need.once(settings.seeds, "seeds has a seed twice")
        need(settings.architectures >= 4, "architectures must be at least 4")
        need(bool(settings.strategies), "there is no strategy")
        need(bool(settings.spaces), "there is no space")
        need.once(settings.spaces, "spaces has a space twice")
        need(0 <= settings.parameter_tolerance < 1, "parameter_tolerance must be in [0, 1)")
        check_task(settings.task, need)
        need(settings.task.supernet.steps >= 1, "task.supernet needs steps >= 1")
        need.known("strategy", settings.strategies, STRATEGIES)

    def stands_alone(self) -> str:
        return "a run on rank quality orders its own architectures, which no other run shares"


STUDY = RankingStudy()
