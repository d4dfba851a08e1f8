"""Two rows of a run that trains, by the code and the samples of its board."""

from collections.abc import Sequence

import numpy as np

from harness.board.changed import Changed
from harness.board.comparison import (
    OVERALL,
    Compared,
    ComparedPart,
    RowComparison,
    adjusted,
    find_row,
    sentence,
)
from harness.board.scale import Scale
from harness.board.wording import metric_name
from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.run.loaded import Run
from harness.study.trained.boards.board import board_of
from harness.study.trained.boards.changed import changed, class_names_of, row_samples
from harness.study.trained.boards.rescore import with_metric
from harness.study.trained.boards.rows import TaskRows, task_rows
from harness.study.trained.boards.values import Key, Row, TaskBoard


def compare_trained(run: Run, first: str, second: str, metric: str | None = None) -> RowComparison:
    """Returns two rows of a run that trains, over its held-out domains.

    Raises:
        UnknownNameError: there is no such row.
        HarnessError: a name means several rows, both mean one, or their samples differ or are damaged.
    """
    run = run if metric is None else with_metric(run, metric)
    tasks = task_rows(run)
    board = board_of(run, tasks)
    names = sorted({row.name for task in board.tasks for row in task.rows})
    chosen = [find_row(name, names) for name in (first, second)]
    if chosen[0] == chosen[1]:
        raise HarnessError(f"{chosen[0]} cannot be compared with itself; name two rows.")
    parts = []
    for of, task in zip(tasks, board.tasks, strict=True):
        rows = [row for name in chosen for row in task.rows if row.name == name]
        if len(rows) < 2:
            continue
        for row in rows:
            if row.marks.is_apart:
                raise HarnessError(
                    f"{row.name} {row.marks.why}, so nothing pairs with it; run `{run.command}` again."
                )
        parts.append(_part(of, task, rows))
    return RowComparison(
        name=run.name,
        first=chosen[0],
        second=chosen[1],
        sentence=" ".join(part.sentence for part in parts),
        parts=tuple(parts),
    )


def _part(of: TaskRows, task: TaskBoard, rows: Sequence[Row]) -> ComparedPart:
    metric = metric_of(task.metric)
    scale = Scale(
        unit="raw" if metric.factor == 1 else "percent",
        higher_is_better=metric.higher_is_better,
        decimals=metric.decimals,
    )
    domains = [_compared(of, rows, [domain], domain, scale) for domain in task.held_out]
    overall = _compared(of, rows, task.held_out, OVERALL, scale)
    paired = overall.difference is not None and overall.difference.by_seed
    return ComparedPart(
        heading=task.title,
        what=metric.measured if metric.higher_is_better else metric_name(task.metric),
        overall=overall,
        domains=adjusted(domains),
        sentence=sentence(
            task.title,
            (rows[0].name, rows[1].name),
            overall,
            over="on held-out domains",
            kind="paired difference" if paired else "difference",
            raw=metric.unit,
        ),
    )


def _compared(
    of: TaskRows, rows: Sequence[Row], domains: Sequence[str], where: str, scale: Scale
) -> Compared:
    for row in rows:
        for cell in row.cells:
            if cell.domain in domains and cell.state != "ok":
                reason = f"{row.name} has no score on {cell.domain} ({cell.state}: {cell.reason})"
                return Compared(where=where, scale=scale, state=cell.state, reason=reason)
    first, second = (row.key for row in rows)
    for domain in domains:
        sizes = [of.scores.found[key, domain].sums.denominators[0] for key in (first, second)]
        if of.metric.read is None and not np.array_equal(*sizes):
            raise HarnessError(
                f"The rows were scored on different samples of {of.task}/{domain}, so nothing pairs them."
            )
    means = [of.scores.mean(key, domains) for key in (first, second)]
    return Compared(
        where=where,
        scale=scale,
        first=means[0].value if means[0] else None,
        second=means[1].value if means[1] else None,
        difference=of.scores.difference(first, second, domains),
        samples=sum(cell.samples or 0 for cell in rows[0].cells if cell.domain in domains),
        changed=_changed(of, (first, second), where) if where in of.held_out else None,
    )


def _changed(of: TaskRows, keys: Sequence[Key], domain: str) -> Changed:
    try:
        rows = [row_samples(of.run, of.units[key, domain], of.metric.needs) for key in keys]
        return changed(rows[0], rows[1], class_names_of(of.task))
    except HarnessError as error:
        return Changed(reason=f"No sample is named, because {str(error).rstrip('.')}.")
