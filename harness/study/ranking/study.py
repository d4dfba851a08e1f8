"""The study of rank quality: how well inherited scores order architectures that are then trained alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.run.loaded import Run
from harness.study.ranking.settings import PlannedRanking, QualitySuite, check_ranking
from harness.study.ranking.units import KINDS
from harness.study.settings import Need
from harness.study.study import Study

if TYPE_CHECKING:
    from harness.board.comparison import RowComparison
    from harness.board.table import Table
    from harness.study.plan import Plan
    from harness.study.ranking.board import QualityBoard


class RankingStudy(Study[QualitySuite, "QualityBoard"]):
    """Strategies of weight sharing x seeds, and each architecture trained alone."""

    summary = "compares the orders that strategies of weight sharing give with training alone"
    settings = QualitySuite
    planned = PlannedRanking
    kinds = KINDS

    def check(self, settings: QualitySuite, need: Need) -> None:
        check_ranking(settings, need)

    def plan(
        self, name: str, settings: QualitySuite, *, limit: int | None, tables: tuple[Path, ...]
    ) -> "Plan":
        from harness.study.ranking.plan import plan_quality

        return plan_quality(name, settings, limit=limit)

    def board(self, run: Run) -> "QualityBoard":
        from harness.study.ranking.board import build_quality_board

        return build_quality_board(run)

    def verdict(self, board: "QualityBoard") -> str:
        from harness.study.ranking.board import quality_verdict

        return quality_verdict(board)

    def tables(self, board: "QualityBoard") -> "list[Table]":
        from harness.study.ranking.board import quality_table

        return [quality_table(board)]

    def lines(self, board: "QualityBoard") -> list[dict[str, Any]]:
        from harness.study.ranking.board import csv_lines

        return csv_lines(board)

    def compare(self, run: Run, first: str, second: str, metric: str | None) -> "RowComparison":
        raise HarnessError(
            f"{run.name} is about rank quality and has no rows of scores to compare; "
            "its board holds the differences between orders."
        )

    def stands_alone(self) -> str:
        return "a run on rank quality orders its own architectures, which no other run shares"


STUDY = RankingStudy()
