"""In-domain against held-out scores: what each row loses when the domain changes."""

from collections.abc import Sequence

from harness import RULE, Axes, Block, Board, Figure, Run, Section, TaskBoard, draw, forest, palette
from harness.board.wording import metric_name, show
from harness.catalog import metric_of


def render(run: Run, board: Board) -> Block:
    figures = [_figure(task) for task in board.tasks if any(row.gap for row in task.rows)]
    paragraphs = () if figures else ("No row has all of its scores yet.",)
    return Block(paragraphs=paragraphs, figures=tuple(figures))


def _figure(task: TaskBoard) -> Figure:
    rows = [(row, row.in_domain, row.held_out) for row in task.rows if row.in_domain and row.held_out]
    scale = metric_of(task.metric).factor
    points = [(scale * inside.value, scale * outside.value) for _, inside, outside in rows]

    def paint(axes: Sequence[Axes]) -> None:
        axis = axes[0]
        blue, orange = palette(2)
        for index, (inside, outside) in enumerate(points):
            axis.plot([inside, outside], [index, index], color=RULE, linewidth=4, zorder=1)
        heights = range(len(points))
        axis.plot([x for x, _ in points], heights, "o", color=blue, markersize=8, label="source domains")
        axis.plot([x for _, x in points], heights, "D", color=orange, markersize=7, label="held-out domains")
        forest(axis, [row.label for row, _, _ in rows], (), top=-0.9)
        axis.set_xlabel(metric_name(task.metric))
        axis.set_title(task.title)
        axis.legend(loc="upper right", ncols=2, bbox_to_anchor=(1, 1.16), borderaxespad=0)

    ranked = [row for row, _, _ in rows if row.rank] or [row for row, _, _ in rows]
    losses = sorted((row.gap.value, row.name) for row in ranked if row.gap)
    least, most = (
        f"{name} ({show(task.metric, value, signed=True, unit=True)})"
        for value, name in (losses[0], losses[-1])
    )
    alt = (
        f"{task.title}: test score on sources and on held-out domains. Of ranked rows {least} loses least, "
        f"{most} most."
    )
    data = [
        {"method": row.method, "space": row.space, "in_domain": inside.value, "held_out": outside.value}
        | {"gap": row.gap.value, "gap_low": row.gap.low, "gap_high": row.gap.high}
        for row, inside, outside in rows
        if row.gap
    ]
    name = f"domain-gap-{task.slug}"
    return draw(paint, name=name, alt=alt, data=data, size=(9.0, 1.3 + 0.36 * len(rows)))


SECTION = Section(
    title="In domain against held out",
    order=50,
    summary="The distance is what a row loses when the domain changes; its interval stands in the board.",
    render=render,
    studies=("trained",),
)
