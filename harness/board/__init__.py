"""The ranked table of a run, made from its records alone; importing it is cheap."""

from harness.board.any import AnyBoard, build_board, verdict
from harness.board.lookup import LookupBoard, LookupRanking, LookupRow
from harness.board.lookup_tables import control_table, ranking_table, regret_table
from harness.board.quality import QualityBoard, quality_table
from harness.board.rows import Board, Cell, Difference, Estimate, LanguageModelUse, Row, TaskBoard
from harness.board.run import PlannedUnit, Run, load_run
from harness.board.show import board_json, render
from harness.board.tables import (
    Table,
    cost_table,
    difference_table,
    domain_table,
    main_table,
    timing_table,
    worst_group_table,
)
from harness.board.verdict import TaskVerdict, task_verdict

__all__ = [
    "AnyBoard",
    "Board",
    "Cell",
    "Difference",
    "Estimate",
    "LanguageModelUse",
    "LookupBoard",
    "LookupRanking",
    "LookupRow",
    "PlannedUnit",
    "QualityBoard",
    "Row",
    "Run",
    "Table",
    "TaskBoard",
    "TaskVerdict",
    "board_json",
    "build_board",
    "control_table",
    "cost_table",
    "difference_table",
    "domain_table",
    "load_run",
    "main_table",
    "quality_table",
    "ranking_table",
    "regret_table",
    "render",
    "task_verdict",
    "timing_table",
    "verdict",
    "worst_group_table",
]
