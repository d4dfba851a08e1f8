"""In-domain against held-out scores, with the line of the reference."""

from harness import Axis, Block, Board, Curve, Figure, Plane, Point, Run, Section, TaskBoard
from harness.board.wording import metric_name, show
from harness.catalog import metric_of


def render(run: Run, board: Board) -> Block:
    figures = [_figure(board, task) for task in board.tasks if any(row.gap for row in task.rows)]
    paragraphs = (
        ("Small dots are single trainings of the reference for less and for more steps; the line is theirs.",)
        if any(task.line for task in board.tasks)
        else ()
    )
    return Block(
        paragraphs=paragraphs if figures else ("No row has all of its scores yet.",), figures=tuple(figures)
    )


def _figure(board: Board, task: TaskBoard) -> Figure:
    every = [(row, row.in_domain, row.held_out) for row in task.rows if row.in_domain and row.held_out]
    rows = [one for one in every if not one[0].is_floor] or every
    metric = metric_of(task.metric)
    points = [
        Point(
            series=row.label,
            x=metric.factor * inside.value,
            y=metric.factor * outside.value,
            across=(metric.factor * inside.low, metric.factor * inside.high),
            along=(metric.factor * outside.low, metric.factor * outside.high),
        )
        for row, inside, outside in rows
    ]
    lines: tuple[Curve, ...] = ()
    reference = task.row(board.reference)
    if task.line is not None and reference is not None:
        pairs = sorted(zip(task.line.inside, task.line.outside, strict=True))
        points = [
            *(
                Point(series=reference.label, x=metric.factor * x, y=metric.factor * y, is_small=True)
                for x, y in pairs
            ),
            *points,
        ]
        if reference.in_domain and reference.held_out and not task.line.lacks:
            at = reference.in_domain.value, reference.held_out.value
            ends = (pairs[0][0], pairs[-1][0])
            lines = (
                Curve(
                    series=reference.label,
                    points=tuple(
                        (metric.factor * x, metric.factor * (at[1] + task.line.slope * (x - at[0])))
                        for x in ends
                    ),
                    is_marked=False,
                ),
            )
    plane = Plane(
        title=task.title,
        x=Axis(label=f"{metric.measured}, in domain", better=metric.better),
        y=Axis(label=f"{metric.measured}, held out", better=metric.better),
        lines=lines,
        points=tuple(points),
        is_named=True,
    )
    ranked = [row for row, _, _ in rows if row.rank] or [row for row, _, _ in rows]
    losses = sorted((row.gap.value, row.name) for row in ranked if row.gap)
    least, most = (
        f"{name} ({show(task.metric, value, signed=True, unit=True)})"
        for value, name in (losses[0], losses[-1])
    )
    alt = (
        f"{task.title}: {metric_name(task.metric)}, on sources and on held-out domains. Of ranked rows "
        f"{least} loses least, {most} most. Floors stand in the table of the board."
    )
    data = [
        {"method": row.method, "space": row.space, "in_domain": inside.value, "held_out": outside.value}
        | {"gap": row.gap.value, "gap_low": row.gap.low, "gap_high": row.gap.high}
        for row, inside, outside in every
        if row.gap
    ]
    return Figure(name=f"domain-gap-{task.slug}", alt=alt, plots=(plane,), data=data)


SECTION = Section(
    title="In domain against held out",
    order=30,
    summary="What a row loses when the domain changes; its interval stands in the board.",
    render=render,
    studies=("trained",),
)
