"""Another metric from the scores kept per sample, without any model."""

from dataclasses import replace
from typing import Any

from harness import catalog
from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.run.loaded import Run
from harness.study.trained.board import build_trained_board
from harness.study.trained.values import Board


def with_metric(run: Run, metric: str) -> Run:
    """Returns the run as if its suite's metric were `metric`, in every task whose samples can give it.

    Chance stays where a blind guess has the same expectation under both metrics, and is not known elsewhere.

    Raises:
        UnknownNameError: there is no such metric.
        HarnessError: the run keeps no per-sample scores, or those of no task can give the metric.
    """
    wanted = metric_of(metric)
    if "tasks" not in run.suite:
        raise HarnessError(f"{run.name} keeps no scores per sample, so no other metric can be had from it.")
    tasks: list[dict[str, Any]] = run.suite["tasks"]
    own = {task["name"]: metric_of(task["metric"]) for task in tasks}
    if not any(one.needs == wanted.needs for one in own.values()):
        kept = {one.needs for one in own.values()}
        has = [name for name in catalog.names("metric") if metric_of(name).needs in kept]
        raise HarnessError(
            f"The samples that {run.name} keeps cannot give {metric}; they give {' and '.join(has)}."
        )
    changed = [
        task
        | {"metric": metric, "chance": task["chance"] if own[task["name"]].chance is wanted.chance else None}
        if own[task["name"]].needs == wanted.needs
        else task
        for task in tasks
    ]
    return replace(run, suite={**run.suite, "tasks": changed})


def rescore(run: Run, metric: str) -> Board:
    """Returns the board of `run` with another metric, and notes that say what chose its rows.

    Raises:
        UnknownNameError: there is no such metric.
        HarnessError: the samples cannot give it.
    """
    board = build_trained_board(with_metric(run, metric))
    tasks = []
    entries = {entry["name"]: entry for entry in run.suite["tasks"]}
    for task in board.tasks:
        entry = entries[task.task]
        title, other = (metric_of(one).title for one in (task.metric, entry["metric"]))
        note = f"Scored again with {title} from the kept samples: searches and learning rates "
        note += f"were chosen by {other}, the suite's metric."
        if task.metric == entry["metric"]:
            note = f"{title} is the suite's own metric here, so nothing was scored again."
        tasks.append(replace(task, notes=(*task.notes, note[0].upper() + note[1:])))
    return replace(board, tasks=tuple(tasks))
