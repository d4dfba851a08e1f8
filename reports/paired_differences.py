"""Differences to the reference row on the same samples."""

from collections.abc import Sequence

from harness import SOFT, Axes, Block, Board, Figure, Run, Section, TaskBoard, draw, forest
from harness.board.wording import unit_of_difference
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

    def paint(axes: Sequence[Axes]) -> None:
        axis = axes[0]
        axis.axvline(0, color=SOFT, linewidth=1)
        found = [row.difference for row in rows if row.difference]
        forest(
            axis,
            [row.label for row in rows],
            [(one.value, one.low, one.high) for one in found],
            scale=metric.factor,
        )
        for index, (row, difference) in enumerate(zip(rows, found, strict=True)):
            if (row.method, row.space) == board.claim:
                high = metric.factor * difference.high
                axis.annotate(
                    "the claim",
                    (high, index),
                    (12, 0),
                    textcoords="offset points",
                    va="center",
                    color=SOFT,
                    fontsize=9,
                )
        axis.margins(x=0.12)
        side = "right" if metric.higher_is_better else "left"
        unit = f"{unit_of_difference(task.metric)}; {side} of 0 is better"
        axis.set_xlabel(f"minus {board.reference}, {unit}")
        axis.set_title(task.title)

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
    name = f"paired-differences-{task.slug}"
    return draw(paint, name=name, alt=alt, data=data, size=(9.0, 1.2 + 0.36 * len(rows)))


SECTION = Section(
    title="Paired differences",
    order=60,
    summary="Every row minus the reference, on the same samples.",
    render=render,
    studies=("trained",),
)
