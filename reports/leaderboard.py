"""The ranked board of every task, as tables and as intervals."""

from collections.abc import Sequence
from itertools import chain

from harness import INK, SOFT, Axes, Block, Board, Figure, Run, Section, TaskBoard, draw, forest, palette
from harness.board.wording import metric_name, show
from harness.catalog import metric_of
from harness.study.published_table import published_tables
from harness.study.trained.boards.tables import main_table


def render(run: Run, board: Board) -> Block:
    figures = [_figure(task) for task in board.tasks if any(row.held_out for row in task.rows)]
    tables = []
    for task in board.tasks:
        tables += [main_table(board, task), *published_tables(task.title, task.published)]
    return Block(figures=tuple(figures), tables=tuple(tables))


def _figure(task: TaskBoard) -> Figure:
    rows = [row for row in task.rows if row.held_out]
    scale = metric_of(task.metric).factor
    estimates = [row.held_out for row in rows if row.held_out]

    def paint(axes: Sequence[Axes]) -> None:
        axis = axes[0]
        every = palette(10)
        colours = [SOFT if row.rank is None else every[index % 10] for index, row in enumerate(rows)]
        forest(axis, [row.label for row in rows], estimates, scale=scale, colours=colours, top=-0.9)
        low, high = scale * min(chain(*estimates)), scale * max(chain(*estimates))
        chance = None if task.chance is None else scale * task.chance
        if chance is not None and low - chance < 0.5 * (high - low + 1e-9) and chance <= high:
            axis.axvline(chance, color=SOFT, linestyle=":", linewidth=1)
            axis.annotate("chance", (chance, -0.75), color=SOFT, fontsize=9, ha="left", va="bottom")
        axis.set_xlabel(f"held-out {metric_name(task.metric)}")
        axis.set_title(task.title, color=INK, pad=16)

    data = [
        {"method": row.method, "space": row.space, "held_out": est.value, "low": est.low, "high": est.high}
        for row in rows
        if (est := row.held_out)
    ]
    size = (9.0, 1.2 + 0.36 * len(rows))
    return draw(paint, name=f"leaderboard-{task.slug}", alt=_finding(task), data=data, size=size)


def _finding(task: TaskBoard) -> str:
    ranked = [row for row in task.rows if row.rank is not None and row.held_out]
    start = f"{task.title}: means over held-out domains with 95 % intervals. "
    if not ranked or ranked[0].held_out is None:
        return start + "No row is complete enough to be ranked."
    first = ranked[0]
    value = show(task.metric, ranked[0].held_out.value, unit=True)
    unbeaten = [row.name for row in ranked if row.unbeaten]
    if first.unbeaten and len(unbeaten) == 1:
        end = "and some ranked rows are significantly worse; no other row shares its place."
    elif unbeaten:
        end = f"but no significant difference parts the {len(unbeaten)} best rows."
    else:
        end = "but no difference between ranked rows is significant."
    return f"{start}{first.name} comes first with {value}, {end}"


SECTION = Section(
    title="Leaderboard",
    order=30,
    summary="Ranked by the mean over held-out domains; only rows with every score are ranked.",
    render=render,
    studies=("trained",),
)
