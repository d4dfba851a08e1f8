"""Differences to the reference row on the same samples."""

from harness import Axis, Bar, Block, Board, Figure, Forest, Run, Section, TaskBoard, interval
from harness.board.wording import show_estimate, unit_of_difference
from harness.catalog import metric_of
from harness.study.trained.boards.tables import difference_table


def render(run: Run, board: Board) -> Block:
    figures = [_figure(board, task) for task in board.tasks if any(row.difference for row in task.rows)]
    return Block(
        paragraphs=(
            "Rows are scored on the same samples, so a difference is surer than two separate intervals "
            "suggest. p-values here are not corrected; the bold of the board is, and only the claim was "
            "fixed in advance.",
        ),
        figures=tuple(figures),
        tables=tuple(difference_table(board, task) for task in board.tasks),
    )


def _figure(board: Board, task: TaskBoard) -> Figure:
    rows = [row for row in task.rows if row.difference and not row.is_floor]
    metric = metric_of(task.metric)
    bars = []
    for row in rows:
        equal = row.at_equal.difference if row.at_equal and task.line and not task.line.lacks else None
        assert row.difference is not None
        is_claim = (row.method, row.space) == board.claim
        bars.append(
            Bar(
                series=row.label,
                label=f"{row.label}, the claim" if is_claim else row.label,
                main=interval(row.difference, metric.factor),
                second=interval(equal, metric.factor),
                dots=tuple(metric.factor * value for value in row.difference.by_seed),
                text=show_estimate(task.metric, row.difference, signed=True),
            )
        )
    axis = Axis(
        label=f"{unit_of_difference(task.metric)}, less {board.reference}",
        better=metric.better,
        zero=(0.0, "no difference"),
    )
    forest = Forest(
        title=task.title, axis=axis, bars=tuple(bars), main="raw score", second="at equal in-domain score"
    )
    clear = [row for row in rows if row.difference and row.difference.call in ("higher", "lower")]
    alt = (
        f"{task.title}: paired differences to {board.reference} on held-out domains with 95 % intervals. "
        f"{len(clear)} of {len(rows)} differences are decided, before any correction for their number. "
        "The floor is left out of the plot and stands in the table."
    )
    data = [
        {"method": row.method, "space": row.space, "difference": one.value, "low": one.low, "high": one.high}
        for row in rows
        if (one := row.difference)
    ]
    return Figure(name=f"paired-differences-{task.slug}", alt=alt, plots=(forest,), data=data)


SECTION = Section(
    title="Paired differences",
    order=34,
    summary="Every row minus the reference, on the same samples.",
    render=render,
    studies=("trained",),
)
