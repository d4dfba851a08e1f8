"""What each row cost: parameters, MACs, evaluations, steps and tokens; seconds apart."""

from typing import NamedTuple

from harness import Axis, Block, Board, Estimate, Figure, Plane, Point, Run, Section, Table, TaskBoard
from harness.board.wording import MISSING, show_seconds
from harness.catalog import metric_of
from harness.study.trained.boards.tables import cost_table
from harness.study.trained.boards.values import Row, chosen_by, show_method
from harness.study.trained.speed import latency_of, row_speeds, speed_tables
from harness.study.work.units import SUPERNET


def render(run: Run, board: Board) -> Block:
    figures = [_figure(task, MACS, points) for task in board.tasks if (points := _points(task))]
    for task in board.tasks:
        measured = row_speeds(run, task) if task.trained_on is None else {}
        for index, ((device, threads, _), speeds) in enumerate(measured.items()):
            label = f"median milliseconds of a sample on {device}, threads {threads}"
            cost = Cost(f"latency{f'-{index + 1}' * (index > 0)}", label, "milliseconds")
            of = [row for row in task.rows if row.held_out and row.key in speeds]
            points = [(row, latency_of(speeds[row.key]), row.held_out) for row in of if row.held_out]
            figures += [_figure(task, cost, points)] if points else []
    tables = []
    for task in board.tasks:
        tables += [cost_table(task), _timing_table(run, task)]
    tables += speed_tables(run, board)
    hosts = sorted({timing.host for timing in run.timings.values() if timing.host})
    machines = ", ".join(hosts) or "nothing yet"
    paragraphs = (
        "MACs count multiply-accumulates of one sample: one image, or one window of bytes. Seconds are read "
        f"from timing files and enter no other number of this report. Timed on: {machines}.",
    )
    return Block(paragraphs=paragraphs, figures=tuple(figures), tables=tuple(tables))


def _timing_table(run: Run, task: TaskBoard) -> Table:
    """Returns seconds and memory of each row from the timing files; no result depends on them."""
    rows = []
    for row in task.rows:
        finals = task.finals(run, row.key) if task.trained_on is None else []
        scores = [unit for unit in task.scores(run) if unit.spec.key == row.key]
        searches = [unit for final in finals if (unit := chosen_by(run, final))]
        supernets = [unit for unit in (run.needed(search, SUPERNET) for search in searches) if unit]
        columns = [
            _seconds(run, [unit.hash for unit in units]) for units in (supernets, searches, finals, scores)
        ]
        every = (*supernets, *searches, *finals, *scores)
        timings = [run.timings[unit.hash] for unit in every if unit.hash in run.timings]
        peak = max((one.peak_memory_bytes for one in timings if one.peak_memory_bytes), default=None)
        at_most = "" if all(one.is_own_peak for one in timings) else "≤ "
        rows.append(
            (
                show_method(row),
                row.space or MISSING,
                *(show_seconds(value) for value in columns),
                MISSING if peak is None else f"{at_most}{peak / 2**20:,.0f}",
            )
        )
    return Table(
        caption=f"{task.title}: seconds, summed over seeds, on the machine that ran this",
        columns=(
            "Method",
            "Space",
            "Supernet (shared)",
            "Search or trials",
            "Finals",
            "Scoring",
            "Peak memory (MiB)",
        ),
        rows=tuple(rows),
        labels=2,
        notes=(
            "Rows of one space share its supernets, so the first column must not be added up; what else rows "
            "share counts in each. Peak memory: of the process during the unit that took most; ≤ where the "
            "system tells only that of the process's life.",
        ),
    )


def _seconds(run: Run, hashes: list[str]) -> float | None:
    """Returns the sum, or None unless every one of the units was timed."""
    if not hashes or not all(one in run.timings for one in hashes):
        return None
    return sum(run.timings[one].seconds for one in dict.fromkeys(hashes))


class Cost(NamedTuple):
    """What rows cost, as a figure names it."""

    name: str
    label: str
    column: str


MACS = Cost("cost", "million MACs of one sample", "million_macs")
Points = list[tuple[Row, float, Estimate]]


def _points(task: TaskBoard) -> Points:
    return [
        (row, sum(row.macs) / len(row.macs) / 1e6, row.held_out)
        for row in task.rows
        if row.held_out and row.macs and not row.is_floor
    ]


def _figure(task: TaskBoard, cost: Cost, points: Points) -> Figure:
    metric = metric_of(task.metric)
    factor, sign = metric.factor, metric.sign
    plane = Plane(
        title=task.title,
        x=Axis(label=f"{cost.label}, mean over seeds", better="lower"),
        y=Axis(label=f"{metric.measured}, held out", better=metric.better),
        points=tuple(
            Point(
                series=row.label,
                x=each,
                y=factor * found.value,
                along=(factor * found.low, factor * found.high),
            )
            for row, each, found in points
        ),
        is_named=True,
    )
    front = [
        row.label
        for row, each, found in points
        if not any(
            other_each <= each
            and sign * other.value >= sign * found.value
            and (other_each, other.value) != (each, found.value)
            for _, other_each, other in points
        )
    ]
    alt = (
        f"{task.title}: held-out score against {cost.label}. By point estimates, no row is both "
        f"cheaper and better than {', '.join(front)}."
    )
    data = [{"row": row.label, cost.column: each, "held_out": found.value} for row, each, found in points]
    return Figure(name=f"{cost.name}-{task.slug}", alt=alt, plots=(plane,), data=data)


SECTION = Section(
    title="Cost",
    order=70,
    summary="Parameters, MACs, evaluations, training steps and tokens; seconds stand in their own table.",
    render=render,
    studies=("trained",),
)
