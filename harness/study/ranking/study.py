"""The study of rank quality: how well inherited scores order architectures that are then trained alone."""

from typing import TYPE_CHECKING, ClassVar

from harness.study.ranking.settings import PlannedRanking, RankingSuite
from harness.study.settings import Need, check_task
from harness.study.study import Study, first_seeds
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
        "values": "harness.study.ranking.board:RankingBoard",
        "leaderboards": "harness.study.ranking.leaderboards:ranking_leaderboards",
    }

    def check(self, settings: RankingSuite, need: Need) -> None:
        need.once(settings.seeds, "seeds has a seed twice")
        need.once(settings.spaces, "spaces has a space twice")
        check_task(settings.task, need)
        need(settings.task.supernet.steps >= 1, "task.supernet needs steps >= 1")

    def seeded(self, settings: RankingSuite, count: int) -> list[str]:
        return [first_seeds(settings.seeds, count)]

    def stands_alone(self) -> str:
        return "a run on rank quality orders its own architectures, which no other run shares"


STUDY = RankingStudy()
