"""The ranked board of every task, as tables and as intervals."""

from harness import Axis, Bar, Block, Board, Figure, Forest, Run, Section, TaskBoard, interval
from harness.board.scale import ends
from harness.board.wording import show, show_estimate
from harness.catalog import metric_of
from harness.study.published import published_tables
from harness.study.trained.boards.tables import main_table


def render(run: Run, board: Board) -> Block:
    figures = [_figure(task) for task in board.tasks if any(row.held_out for row in task.rows)]
    tables = []
    for task in board.tasks:
        tables += [main_table(board, task), *published_tables(task.title, task.published)]
    return Block(figures=tuple(figures), tables=tuple(tables))


def _figure(task: TaskBoard) -> Figure:
    metric = metric_of(task.metric)
    bars, data = [], []
    for row in task.rows:
        if row.held_out is None:
            continue
        rank = f"{row.rank}. " if row.rank else ""
        by_seed = _means(task, row.key)
        bars.append(
            Bar(
                series=row.label,
                label=f"{rank}{row.label}",
                main=interval(row.held_out, metric.factor),
                dots=tuple(metric.factor * value for value in by_seed),
                text=show_estimate(task.metric, row.held_out),
                told="ranked" if row.rank else "not ranked",
            )
        )
        data.append(
            {"method": row.method, "space": row.space, "held_out": row.held_out.value}
            | {"low": row.held_out.low, "high": row.held_out.high}
        )
    chance = None if task.chance is None else metric.factor * task.chance
    lowest = min(bar.main.low for bar in bars if bar.main)
    highest = max(bar.main.high for bar in bars if bar.main)
    is_near = chance is not None and abs(chance - lowest) < 0.5 * (highest - lowest + 1e-9)
    low, high = ends(
        [row.held_out for row in task.rows if row.held_out and not row.is_floor],
        [row.held_out for row in task.rows if row.held_out and row.is_floor],
        metric.factor,
    )
    axis = Axis(
        label=f"{metric.measured} on held-out domains",
        better=metric.better,
        low=low,
        high=high,
        zero=(chance, "chance") if is_near and chance is not None else None,
    )
    forest = Forest(title=task.title, axis=axis, bars=tuple(bars), main="mean over domains")
    return Figure(name=f"leaderboard-{task.slug}", alt=_finding(task), plots=(forest,), data=data)


def _means(task: TaskBoard, key: tuple[str, str | None]) -> list[float]:
    """Returns the mean over held-out domains of each seed; nothing where domains differ in seeds."""
    row = task.row(*key)
    by_seed = [cell.by_seed for cell in row.on("held_out")] if row else []
    if len(set(map(len, by_seed))) != 1 or len(by_seed[0]) < 2:
        return []
    return [sum(seed) / len(seed) for seed in zip(*by_seed, strict=True)]


def _finding(task: TaskBoard) -> str:
    ranked = [row for row in task.rows if row.rank is not None and row.held_out]
    start = f"{task.title}: means over held-out domains with 95 % intervals, a dot for each training. "
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
    order=25,
    summary="Ranked by the mean over held-out domains; only rows with every score are ranked.",
    render=render,
    studies=("trained",),
)
