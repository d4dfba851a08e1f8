"""Scores on each held-out domain and on each source."""

from harness import Block, Board, Figure, Heat, Run, Section, TaskBoard
from harness.board.wording import MISSING, show
from harness.catalog import metric_of
from harness.study.trained.boards.tables import domain_table, worst_group_table


def render(run: Run, board: Board) -> Block:
    tables, appendix = [], []
    for task in board.tasks:
        worst = worst_group_table(task)
        tables += [domain_table(task, "held_out"), *([worst] if worst else [])]
        if task.sources:
            appendix.append(domain_table(task, "source"))
    return Block(
        paragraphs=("✗ failed or skipped, — not run yet, ‡ limited; reasons stand under Failures.",),
        figures=tuple(_figure(board, task) for task in board.tasks if _is_matrix(task)),
        tables=tuple(tables),
        appendix=tuple(appendix),
    )


def _is_matrix(task: TaskBoard) -> bool:
    cells = [cell for row in task.rows for cell in row.on("held_out") if cell.difference]
    return len(task.held_out) > 1 and bool(cells)


def _figure(board: Board, task: TaskBoard) -> Figure:
    """Draws every row's difference to the reference on every domain."""
    sign = metric_of(task.metric).sign
    rows = [
        row for row in task.rows if any(cell.difference for cell in row.on("held_out")) and not row.is_floor
    ]
    found = [[cell.difference for cell in row.on("held_out")] for row in rows]
    most = max((abs(one.value) for line in found for one in line if one), default=0.0) or 1.0
    heat = Heat(
        title=f"{task.title}: less {board.reference}; blue is better",
        rows=tuple(row.label for row in rows),
        columns=task.held_out,
        shades=tuple(tuple(sign * one.value / most if one else None for one in line) for line in found),
        texts=tuple(
            tuple(show(task.metric, one.value, signed=True) if one else MISSING for one in line)
            for line in found
        ),
        corner="Row",
    )
    mixed = [
        row.name
        for row, line in zip(rows, found, strict=True)
        if {one.call for one in line if one} >= {"higher", "lower"}
    ]
    alt = (
        f"{task.title}: differences to {board.reference} on each held-out domain. "
        + (f"On some domains better and on others worse: {', '.join(mixed)}." if mixed else "")
        + ("" if mixed else "No row is shown to be better on one domain and worse on another.")
    )
    data = [
        {"method": row.method, "space": row.space, "domain": domain}
        | {"difference": one and one.value, "low": one and one.low, "high": one and one.high}
        for row, line in zip(rows, found, strict=True)
        for domain, one in zip(task.held_out, line, strict=True)
    ]
    return Figure(name=f"differences-{task.slug}", alt=alt, plots=(heat,), data=data)


SECTION = Section(
    title="Every domain",
    order=32,
    summary="Difference, score and 95 % interval on each domain, with the samples and groups behind it.",
    render=render,
    studies=("trained",),
)
