"""Differences to the reference row on the same samples."""

from harness import (
    Axis,
    Bar,
    Block,
    Board,
    Estimate,
    Figure,
    Forest,
    Run,
    Section,
    TaskBoard,
    interval,
)
from harness.board.wording import show_estimate, unit_of_difference
from harness.catalog import metric_of
from harness.study.trained.boards.tables import difference_table
from harness.study.trained.boards.values import Row


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
    ranked = [row for row in task.rows if row.rank and row.method != board.reference]
    others = {row.label: (_less(task, row),) for row in ranked}
    known = {pair.first for pair in task.pairs} | {pair.second for pair in task.pairs}
    return Figure(
        name=f"paired-differences-{task.slug}",
        alt=alt,
        plots=(forest,),
        data=data,
        choice=("Less", board.reference),
        others={label: plots for label, plots in others.items() if label in known},
    )


def _less(task: TaskBoard, reference: Row) -> Forest:
    """Returns the same for another row as the reference, of ranked rows alone."""
    metric = metric_of(task.metric)
    bars = []
    for row in task.rows:
        for pair in task.pairs:
            if {pair.first, pair.second} != {row.label, reference.label} or row is reference:
                continue
            is_first = pair.first == row.label
            ends = (pair.low, pair.high) if is_first else (-pair.high, -pair.low)
            found = Estimate(pair.value if is_first else -pair.value, *ends)
            bars.append(
                Bar(
                    series=row.label,
                    main=interval(found, metric.factor),
                    text=show_estimate(task.metric, found, signed=True),
                )
            )
    axis = Axis(
        label=f"{unit_of_difference(task.metric)}, less {reference.label}",
        better=metric.better,
        zero=(0.0, "no difference"),
    )
    return Forest(title=f"{task.title}, less {reference.label}", axis=axis, bars=tuple(bars))


SECTION = Section(
    title="Paired differences",
    order=34,
    summary="Every row minus the reference, on the same samples.",
    render=render,
    studies=("trained",),
)
