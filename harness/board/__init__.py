"""The ranked table of a run, made from its records alone; importing it is cheap."""

from harness.board.build import build_board
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
)
from harness.board.verdict import TaskVerdict, task_verdict, verdict

__all__ = [
    "Board",
    "Cell",
    "Difference",
    "Estimate",
    "LanguageModelUse",
    "PlannedUnit",
    "Row",
    "Run",
    "Table",
    "TaskBoard",
    "TaskVerdict",
    "board_json",
    "build_board",
    "cost_table",
    "difference_table",
    "domain_table",
    "load_run",
    "main_table",
    "render",
    "task_verdict",
    "timing_table",
    "verdict",
]
