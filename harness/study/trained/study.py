"""The study that trains searched networks and fixed baselines, and scores them on held-out domains."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.identity.unit import AnyUnit
from harness.run.loaded import Run
from harness.study.settings import Need
from harness.study.study import Study, words
from harness.study.trained.settings import PlannedSuite, Suite, check_trained, with_models
from harness.study.trained.units import KINDS, SCORE, ZERO_SHOT, RowScoreSpec
from harness.study.work.units import PREPARE

if TYPE_CHECKING:
    from harness.board.comparison import RowComparison
    from harness.board.table import Table
    from harness.study.plan import Plan
    from harness.study.trained.boards.values import Board


class TrainedStudy(Study[Suite, "Board"]):
    """Tasks x spaces x methods x seeds."""

    summary = "trains networks at equal budgets and scores them on held-out domains"
    settings = Suite
    planned = PlannedSuite
    kinds = KINDS
    rows = (SCORE, ZERO_SHOT)
    free = (*Study.free, "spaces", "searchers", "baselines")

    def check(self, settings: Suite, need: Need) -> None:
        check_trained(settings, need)

    def plan(self, name: str, settings: Suite, *, limit: int | None, tables: tuple[Path, ...]) -> "Plan":
        from harness.study.trained.plan import plan_trained

        return plan_trained(name, settings, limit=limit)

    def board(self, run: Run) -> "Board":
        from harness.study.trained.boards.board import build_trained_board

        return build_trained_board(run)

    def verdict(self, board: "Board") -> str:
        from harness.study.trained.boards.verdict import trained_verdict

        return trained_verdict(board)

    def tables(self, board: "Board") -> "list[Table]":
        from harness.study.trained.boards.tables import leaderboard_tables

        return leaderboard_tables(board)

    def lines(self, board: "Board") -> list[dict[str, Any]]:
        from harness.study.trained.boards.tables import csv_lines

        return csv_lines(board)

    def compare(self, run: Run, first: str, second: str, metric: str | None) -> "RowComparison":
        from harness.study.trained.boards.compare import compare_trained
        from harness.study.trained.boards.rescore import with_metric

        return compare_trained(run if metric is None else with_metric(run, metric), first, second)

    def rescore(self, run: Run, metric: str) -> "Board":
        from harness.study.trained.boards.rescore import rescore

        return rescore(run, metric)

    def with_models(self, settings: Suite, models: Sequence[str]) -> Suite:
        return with_models(settings, models)

    def protocol(self, run: Run) -> dict[str, Any]:
        found: dict[str, Any] = {"limit": run.limit}
        suite = PlannedSuite.of(run)
        for key, value in asdict(suite).items():
            if key == "tasks":
                found["tasks"] = sorted(task.name for task in suite.tasks)
                for task in value:
                    found |= {f"{words(name)} of {task['name']}": one for name, one in task.items()}
                    del found[f"name of {task['name']}"]
            elif key == "search":
                free = ("variants", "options")
                found |= {f"search {words(name)}": one for name, one in value.items() if name not in free}
            elif key not in self.free and key != "zero_shot":
                found[words(key)] = value
        for unit in run.planned(PREPARE):
            prepared = run.result(unit)
            found[f"prepared {unit.spec.data}"] = prepared and prepared.sha256
        return found

    def place(self, unit: AnyUnit) -> Sequence[Any]:
        spec = unit.spec
        assert isinstance(spec, RowScoreSpec)
        return [
            spec.method,
            spec.space,
            spec.selection,
            spec.task,
            spec.domain,
            spec.select_seed,
            spec.report_seed,
        ]

    def merged(self, runs: Sequence[Run]) -> PlannedSuite:
        suites = [PlannedSuite.of(run) for run in runs]
        claims = [suite.claim for suite in suites]
        return replace(
            suites[0],
            spaces=list(dict.fromkeys(one for suite in suites for one in suite.spaces)),
            searchers=list(dict.fromkeys(one for suite in suites for one in suite.searchers)),
            baselines=list(dict.fromkeys(one for suite in suites for one in suite.baselines)),
            # Nothing was fixed for the rows of all runs where claims differ.
            claim=claims[0] if all(claim == claims[0] for claim in claims) else None,
        )

    def noted(self, board: "Board", note: str) -> "Board":
        return replace(board, tasks=tuple(replace(task, notes=(*task.notes, note)) for task in board.tasks))


STUDY = TrainedStudy()
