"""What each row cost: parameters, MACs, evaluations, steps and tokens; seconds apart."""

from collections.abc import Sequence

from harness import MARKERS, Axes, Block, Board, Figure, Run, Section, TaskBoard, draw, palette
from harness.board.wording import metric_name
from harness.catalog import metric_of
from harness.study.trained.boards.tables import cost_table
from harness.study.trained.boards.timing import timing_table


def render(run: Run, board: Board) -> Block:
    figures = [_figure(task) for task in board.tasks if _points(task)]
    tables = []
    for task in board.tasks:
        tables += [cost_table(task), timing_table(run, task)]
    hosts = sorted({timing.host for timing in run.timings.values() if timing.host})
    machines = ", ".join(hosts) or "nothing yet"
    paragraphs = (
        "MACs count multiply-accumulates of one sample: one image, or one window of bytes. Seconds are read "
        f"from timing files and enter no other number of this report. Timed on: {machines}.",
    )
    return Block(paragraphs=paragraphs, figures=tuple(figures), tables=tuple(tables))


def _points(task: TaskBoard) -> list[tuple[str, float, float]]:
    return [
        (row.label, sum(row.macs) / len(row.macs), row.held_out.value)
        for row in task.rows
        if row.held_out and row.macs and not row.is_floor
    ]


def _figure(task: TaskBoard) -> Figure:
    points = _points(task)
    scale = metric_of(task.metric).factor
    sign = metric_of(task.metric).sign

    def paint(axes: Sequence[Axes]) -> None:
        axis = axes[0]
        colours = palette(10)
        for index, (name, macs, value) in enumerate(points):
            marker, colour = MARKERS[index % 10], colours[index % 10]
            axis.plot([macs / 1e6], [scale * value], marker, color=colour, markersize=9, label=name)
        axis.margins(0.12)
        axis.set_xlabel("million MACs of one sample, mean over seeds")
        axis.set_ylabel("held-out score")
        axis.set_title(f"{task.title}: {metric_name(task.metric)}")
        axis.grid()
        axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)

    front = [
        name
        for name, macs, value in points
        if not any(
            other_macs <= macs and sign * other >= sign * value and (other_macs, other) != (macs, value)
            for _, other_macs, other in points
        )
    ]
    alt = (
        f"{task.title}: held-out score against MACs. By point estimates, no row is both cheaper and better "
        f"than {', '.join(front)}."
    )
    data = [{"row": name, "macs": macs, "held_out": value} for name, macs, value in points]
    return draw(paint, name=f"cost-{task.slug}", alt=alt, data=data, size=(9.0, 3.4))


SECTION = Section(
    title="Cost",
    order=80,
    summary="Parameters, MACs, evaluations, training steps and tokens; seconds stand in their own table.",
    render=render,
    studies=("trained",),
)
