"""The boards of a suite that trains, a leaderboard for each task."""

from collections.abc import Iterator

from harness.board.leaderboard import FoundNetwork, Leaderboard, LeaderboardRow
from harness.board.values import Difference, Estimate
from harness.board.wording import show_estimate, unit_of_difference
from harness.catalog import metric_of
from harness.run.loaded import Run
from harness.study.published import published_tables
from harness.study.trained.boards.tables import domain_table, main_table
from harness.study.trained.boards.values import Board, Row, TaskBoard
from harness.study.trained.boards.verdict import overall, task_verdict
from harness.study.trained.units import FINAL

HELD_OUT = 3
"""Column of the main table that has the means over held-out domains; the one of differences follows."""
MOST_SEEDS = 3
"""Seeds of a row whose architectures are kept."""


def trained_headline(board: Board) -> str:
    """Returns the sentence over all tasks."""
    return overall(board, [task_verdict(board, task) for task in board.decisive])


def trained_leaderboards(board: Board) -> Iterator[Leaderboard]:
    """Yields the leaderboard of each task."""
    for task in board.tasks:
        metric, table = metric_of(task.metric), main_table(board, task)
        is_decisive = task in board.decisive
        told = task_verdict(board, task) if is_decisive and board.claim else None
        claimed = task.row(*board.claim) if board.claim else None
        gain = claimed.difference if claimed else None
        yield Leaderboard(
            subject=task.task,
            title=task.title,
            score=f"{metric.measured} on held-out domains",
            unit=unit_of_difference(task.metric),
            factor=metric.factor,
            better=metric.better,
            reference=board.reference,
            claim=told.sentence if told else "",
            outcome=told.outcome if told else None,
            gain=f"{show_estimate(task.metric, gain, signed=True)} {unit_of_difference(task.metric)}"
            if gain and told
            else "",
            rows=tuple(_row(task, row, line) for row, line in zip(task.rows, table.rows, strict=False)),
            table=table,
            more=(*published_tables(task.title, task.published), domain_table(task, "held_out")),
        )


def _row(task: TaskBoard, row: Row, line: tuple[str, ...]) -> LeaderboardRow:
    return LeaderboardRow(
        method=row.method,
        shown=line[1],
        space=row.space,
        series=row.label,
        place=line[0],
        rank=row.rank,
        score=row.held_out,
        score_text=line[HELD_OUT],
        difference=_estimate(row.difference),
        difference_text=line[HELD_OUT + 1],
        seeds=len(row.seeds),
        is_control=row.is_variant,
        is_apart=row.is_floor,
    )


def _estimate(found: Difference | None) -> Estimate | None:
    return Estimate(found.value, found.low, found.high) if found else None


def trained_found(run: Run) -> Iterator[FoundNetwork]:
    """Yields the architectures that rows of a space trained, of the first seeds of each."""
    counted: dict[tuple[str, str, str], int] = {}
    for final in run.planned(FINAL):
        spec, result = final.spec, run.result(final)
        if spec.space is None or spec.variant or result is None or not result.architecture:
            continue
        row = (spec.task, spec.method, spec.space)
        counted[row] = counted.get(row, 0) + 1
        if counted[row] <= MOST_SEEDS:
            yield FoundNetwork(
                task=spec.task,
                method=spec.method,
                space=spec.space,
                seed=spec.select_seed,
                parameters=result.parameters,
                architecture=result.architecture,
            )
