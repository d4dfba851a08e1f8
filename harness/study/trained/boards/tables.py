"""The tables people look at: the board, its domains, differences, costs and, apart, the timings."""

from statistics import fmean
from typing import Any

from harness.board.marks import OUTSIDE
from harness.board.table import Table
from harness.board.values import Cell, Role
from harness.board.wording import (
    MISSING,
    metric_name,
    show,
    show_cell,
    show_counts,
    show_estimate,
    unit_of_difference,
)
from harness.catalog import metric_of
from harness.stats.aggregates import LEAST_IN_GROUP
from harness.stats.equal import MOST_OUTSIDE
from harness.study.published import PUBLISHED, UNRANKED, Published, published_tables
from harness.study.trained.boards.notes import line_note
from harness.study.trained.boards.overall import overall_table
from harness.study.trained.boards.values import Board, Row, TaskBoard, show_method


def main_table(board: Board, task: TaskBoard) -> Table:
    """Returns the ranked board of one task."""
    has_line = task.line is not None and not task.line.lacks
    rows = tuple(
        (
            _rank(row),
            show_method(row),
            row.space or MISSING,
            _mean(task, row, "held_out"),
            _against(board, task, row),
            *([_at_equal(board, task, row)] if has_line else []),
            _mean(task, row, "source"),
            show_estimate(task.metric, row.gap, signed=True),
            _count(row),
            str(len(row.seeds)),
        )
        for row in task.rows
    )
    bold = frozenset((index, 3) for index, row in enumerate(task.rows) if row.unbeaten)
    notes = [
        "Rank (and the ranks that the paired tests allow) by the mean over held-out domains.",
        "Intervals: 95 %, training seeds and groups of samples inside; of one seed, groups alone.",
        "Bold: no ranked row is significantly better (5 %, paired tests, Holm over all pairs)."
        if bold
        else "Nothing is bold, because no difference between ranked rows is significant "
        "(5 %, paired tests, Holm over all pairs).",
        f"Chance: {show(task.metric, task.chance)}. Gap: what a row loses from sources to held-out domains.",
        *([line_note(board.reference, task.line)] if task.line else []),
        *([UNRANKED] if task.published else []),
        *task.notes,
    ]
    columns = (
        "Rank",
        "Method",
        "Space",
        "Held out",
        f"Minus {board.reference}",
        *(["At equal in-domain score"] if has_line else []),
        "In domain",
        "Gap",
        "n (groups)",
        "Seeds",
    )
    dashes = (MISSING,) * (len(columns) - 4)
    rows += tuple(
        (PUBLISHED, row.name, MISSING, _published_mean(task, row), *dashes) for row in task.published
    )
    caption = f"{task.title}: {metric_name(task.metric)}, mean over {', '.join(task.held_out)}"
    return Table(
        caption=caption,
        columns=columns,
        rows=rows,
        labels=3,
        heading=1,
        bold=bold,
        notes=tuple(notes),
        lesser=("Seeds", "n (groups)", "Gap", "In domain"),
    )


def domain_table(task: TaskBoard, role: Role) -> Table:
    """Returns one column per domain of `role`."""
    names = task.sources if role == "source" else task.held_out
    head = next((row for row in task.rows if row.is_complete), None)
    sizes = (
        {cell.domain: f" (n {cell.samples:,}, {cell.groups:,} groups)" for cell in head.cells} if head else {}
    )
    rows = tuple(
        (show_method(row), row.space or MISSING, *(show_cell(task.metric, cell) for cell in row.on(role)))
        for row in task.rows
    )
    for one in task.published if role == "held_out" else ():
        scores = (show(task.metric, one.scores.get(name)) for name in names)
        rows += ((f"{one.name} ({PUBLISHED})", MISSING, *scores),)
    what = "source domains (test split)" if role == "source" else "held-out domains"
    return Table(
        caption=f"{task.title}: {metric_name(task.metric)}, on {what}",
        columns=("Method", "Space", *(f"{name}{sizes.get(name, '')}" for name in names)),
        rows=rows,
        labels=2,
        notes=tuple(filter(None, (show_extent(cell) for cell in (head.on(role) if head else ())))),
    )


def show_extent(cell: Cell) -> str:
    """Says how much of a held-out domain was scored; empty for other domains."""
    if cell.of is None:
        return ""
    there = cell.of
    parts = [(cell.groups, there.groups, "groups"), (cell.samples, there.samples, "samples")]
    told = [f"{mine or 0:,} of {every:,} {what}" for mine, every, what in parts]
    return f"{cell.domain}: {', '.join(told)}, {cell.bytes or 0:,} of {there.bytes:,} bytes were scored."


def worst_group_table(task: TaskBoard) -> Table | None:
    """Returns the accuracy of each row's worst group on each held-out domain; None where no group counts."""
    if not any(cell.worst for row in task.rows for cell in row.on("held_out")):
        return None
    rows = tuple(
        (
            show_method(row),
            row.space or MISSING,
            *(
                f"{show(task.metric, cell.worst.value)} of {cell.worst.groups}" if cell.worst else MISSING
                for cell in row.on("held_out")
            ),
        )
        for row in task.rows
    )
    return Table(
        caption=f"{task.title}: accuracy of the worst group on held-out domains, and of how many, in %",
        columns=("Method", "Space", *task.held_out),
        rows=rows,
        labels=2,
        notes=(f"Groups of at least {LEAST_IN_GROUP} samples; the least of many is low by chance, too.",),
    )


def difference_table(board: Board, task: TaskBoard) -> Table:
    """Returns the paired differences to the reference, over all held-out domains and on each."""
    rows = []
    for row in task.rows:
        if row.difference is None:
            continue
        by_seed = ", ".join(show(task.metric, value, signed=True) for value in row.difference.by_seed)
        rows.append(
            (
                show_method(row),
                row.space or MISSING,
                show_estimate(task.metric, row.difference, signed=True),
                MISSING if row.difference.p is None else f"{row.difference.p:.4f}",
                show(task.metric, row.difference.detectable),
                by_seed or MISSING,
                *(show_estimate(task.metric, cell.difference, signed=True) for cell in row.on("held_out")),
            )
        )
    better = "positive" if metric_of(task.metric).higher_is_better else "negative"
    unit = f"{unit_of_difference(task.metric)}; {better} is better"
    return Table(
        caption=f"{task.title}: difference to {board.reference} on held-out domains, {unit}",
        columns=("Method", "Space", "Mean", "p", "Detectable", "Each seed", *task.held_out),
        rows=tuple(rows),
        labels=2,
        notes=(
            "Intervals and p: training seeds and groups of samples inside. Detectable: the true difference "
            "that a run like this finds four times in five.",
        ),
    )


def cost_table(task: TaskBoard) -> Table:
    """Returns what each row cost, in units that no machine changes."""
    rows = []
    for row in task.rows:
        tokens = (
            (
                f"{row.llm.calls:,}",
                row.llm.told(row.llm.prompt_tokens),
                row.llm.told(row.llm.completion_tokens),
            )
            if row.llm
            else (MISSING, MISSING, MISSING)
        )
        rows.append(
            (
                show_method(row),
                row.space or MISSING,
                *(MISSING if row.is_floor else show_counts(size) for size in (row.parameters, row.macs)),
                show_counts(row.evaluations),
                *((MISSING, MISSING) if row.is_floor else (show_counts(row.steps), show_compute(row))),
                *tokens,
            )
        )
    return Table(
        caption=f"{task.title}: cost of each row per seed, a range where seeds differ; LLM columns are sums",
        columns=(
            "Method",
            "Space",
            "Parameters",
            "MACs per sample",
            "Evaluations",
            "Training steps",
            "Compute (TMAC)",
            "LLM calls",
            "Prompt tokens",
            "Completion tokens",
        ),
        rows=tuple(rows),
        labels=2,
        notes=(
            "Compute: all that it takes to get to one final, its search or trials and the whole of the "
            "supernet included; a training step counts as three forward passes.",
        ),
    )


def show_compute(row: Row) -> str:
    """Returns the mean over seeds, in 10^12 multiply-accumulates."""
    return f"{fmean(row.compute) / 1e12:.3g}" if row.compute else MISSING


NEAR = 0.25
"""How far the compute of a row of equal compute is from that of the claim's, at most, as a share."""


def equal_compute_table(board: Board, task: TaskBoard) -> Table | None:
    """Returns the rows that took about as much as the claim's row, best first; None where it has no peers."""
    claimed = task.row(*board.claim) if board.claim else None
    centre = fmean(claimed.compute) if claimed and claimed.compute else 0.0
    if claimed is None or not centre or task.trained_on is not None:
        return None
    peers = [
        row
        for row in task.rows
        if row.rank is not None and row.compute and abs(fmean(row.compute) / centre - 1) <= NEAR
    ]
    if len(peers) < 2:
        return None
    rows = tuple(
        (
            show_method(row),
            row.space or MISSING,
            show_compute(row),
            _mean(task, row, "held_out"),
            _against(board, task, row),
            _mean(task, row, "source"),
        )
        for row in peers
    )
    return Table(
        caption=f"{task.title}: rows at equal compute (within {100 * NEAR:.0f} % of {claimed.name})",
        columns=("Method", "Space", "Compute (TMAC)", "Held out", f"Minus {board.reference}", "In domain"),
        rows=rows,
        labels=2,
        notes=("In the order of the board, whose other rows took less, or more.",),
    )


def gain_table(task: TaskBoard) -> Table | None:
    """Returns what spaces and searches give beside random architectures; None without such rows."""
    rows = tuple(
        (
            f"the {gain.of}",
            gain.row,
            gain.control,
            show_estimate(task.metric, gain.difference, signed=True),
            MISSING if gain.difference.p is None else f"{gain.difference.p:.4f}",
            show(task.metric, gain.difference.detectable),
        )
        for gain in sorted(task.gains, key=lambda gain: (gain.of != "space", gain.row))
    )
    if not rows:
        return None
    better = "positive" if metric_of(task.metric).higher_is_better else "negative"
    return Table(
        caption=f"{task.title}: what a space gives, and what a search, {unit_of_difference(task.metric)} on "
        f"held-out domains; {better} is better",
        columns=("Gain of", "Row", "Minus", "Difference", "p", "Detectable"),
        rows=rows,
        labels=3,
        notes=(
            "Of the space: random architectures of it minus random ones of the plain space. Of the search: "
            "its row minus random architectures of its space. Each seed draws another architecture.",
        ),
    )


def _rank(row: Row) -> str:
    if row.rank is None:
        if row.is_variant:
            return "control"
        return "floor" if row.is_floor else OUTSIDE if row.outside else str(row.marks) or MISSING
    if row.rank_best == row.rank_worst:
        return str(row.rank)
    return f"{row.rank} ({row.rank_best}–{row.rank_worst})"


def _published_mean(task: TaskBoard, row: Published) -> str:
    """Returns the mean of a published row over the held-out domains, all of which it must have."""
    known = [row.scores[domain] for domain in task.held_out if domain in row.scores]
    return show(task.metric, fmean(known) if len(known) == len(task.held_out) else None)


def _mean(task: TaskBoard, row: Row, role: Role) -> str:
    """Returns the mean over domains, or the sign of the first domain that lacks a score."""
    mean = row.held_out if role == "held_out" else row.in_domain
    lacking = next((cell for cell in row.on(role) if cell.state != "ok"), None)
    return show_estimate(task.metric, mean) if lacking is None else show_cell(task.metric, lacking)


def _against(board: Board, task: TaskBoard, row: Row) -> str:
    if row.method == board.reference:
        return "reference"
    return show_estimate(task.metric, row.difference, signed=True)


def _at_equal(board: Board, task: TaskBoard, row: Row) -> str:
    """Returns a row minus the reference at equal in-domain score, in brackets where much lies beyond."""
    if row.method == board.reference:
        return "reference"
    if row.at_equal is None:
        return MISSING
    shown = show_estimate(task.metric, row.at_equal.difference, signed=True)
    return f"({shown})" if row.at_equal.beyond > MOST_OUTSIDE else shown


def _count(row: Row) -> str:
    """Returns samples and groups over the held-out domains; a dash unless all of them have a score."""
    cells = row.on("held_out")
    samples = [cell.samples for cell in cells if cell.samples is not None]
    groups = [cell.groups for cell in cells if cell.groups is not None]
    return f"{sum(samples):,} ({sum(groups):,})" if cells and len(samples) == len(cells) else MISSING


def leaderboard_tables(board: Board) -> list[Table]:
    """Returns all tasks together; then each task's board, held-out domains, gains and costs."""
    together = overall_table(board)
    tables = [together] if together else []
    for task in board.tasks:
        tables += [main_table(board, task), *published_tables(task.title, task.published)]
        tables.append(domain_table(task, "held_out"))
        tables += [one for one in (equal_compute_table(board, task), gain_table(task)) if one]
        tables.append(cost_table(task))
    return tables


def csv_lines(board: Board) -> list[dict[str, Any]]:
    """Returns a line for each row and domain, and for each mean, in the metric's own unit."""
    lines: list[dict[str, Any]] = []
    for task in board.tasks:
        for row in task.rows:
            head: dict[str, Any] = {"task": task.task, "selection": task.selection, "metric": task.metric}
            head |= {"rank": row.rank, "method": row.method, "space": row.space, "marks": str(row.marks)}
            means = (("held_out", row.held_out), ("in_domain", row.in_domain), ("gap", row.gap))
            equal = row.at_equal.difference if row.at_equal else None
            for name, mean in (*means, ("difference", row.difference), ("at_equal_in_domain", equal)):
                estimate = {"value": mean.value, "low": mean.low, "high": mean.high} if mean else {}
                lines.append(head | {"what": name} | estimate)
            for cell in row.cells:
                estimate = cell.estimate._asdict() if cell.estimate else {}
                about = {"domain": cell.domain, "role": cell.role, "state": cell.state, "reason": cell.reason}
                sizes = {"samples": cell.samples, "groups": cell.groups, "limited": cell.limited}
                lines.append(head | {"what": "domain"} | estimate | about | sizes)
        head = {"task": task.task, "selection": task.selection, "metric": task.metric, "marks": PUBLISHED}
        for one in task.published:
            about = {"what": "domain", "role": "held_out", "method": one.name}
            lines += [head | about | {"domain": at, "value": score} for at, score in one.scores.items()]
    return lines
