"""Another metric from the scores kept per sample, without any model."""

from dataclasses import replace
from typing import Any, cast

from harness.errors import HarnessError, UnknownNameError
from harness.run.loaded import Run
from harness.study.trained.board import build_trained_board
from harness.study.trained.settings import PlannedSuite
from harness.study.trained.values import Board

GIVES: dict[str, tuple[str, ...]] = {
    "accuracy": ("accuracy", "balanced_accuracy"),
    "balanced_accuracy": ("accuracy", "balanced_accuracy"),
    "bits_per_byte": ("bits_per_byte",),
}
"""The metrics that samples kept for a metric can give: right or wrong images, or bits and bytes."""


def with_metric(run: Run, metric: str) -> Run:
    """Returns the run as if its suite's metric were `metric`, in every task whose samples can give it.

    A blind guess has the same expectation under accuracy and balanced accuracy, so chance stays.

    Raises:
        UnknownNameError: there is no such metric.
        HarnessError: the run keeps no per-sample scores, or those of no task can give the metric.
    """
    if metric not in GIVES:
        raise UnknownNameError("metric", metric, GIVES)
    suite = PlannedSuite.of(run)
    if not any(metric in GIVES[task.metric] for task in suite.tasks):
        has = sorted({one for task in suite.tasks for one in GIVES[task.metric]})
        raise HarnessError(
            f"The samples that {run.name} keeps cannot give {metric}; they give {' and '.join(has)}."
        )
    changed = [
        replace(task, metric=cast(Any, metric)) if metric in GIVES[task.metric] else task
        for task in suite.tasks
    ]
    return replace(run, suite=replace(suite, tasks=changed))


def rescore(run: Run, metric: str) -> Board:
    """Returns the board of `run` with another metric, and notes that say what chose its rows.

    Raises:
        UnknownNameError: there is no such metric.
        HarnessError: the samples cannot give it.
    """
    board = build_trained_board(with_metric(run, metric))
    tasks = []
    suite = PlannedSuite.of(run)
    for task in board.tasks:
        own = suite.task(task.task).metric
        note = f"Scored again with {_words(task.metric)} from the kept samples: searches and learning rates "
        note += f"were chosen by {_words(own)}, the suite's metric."
        if task.metric == own:
            note = f"{_words(task.metric)} is the suite's own metric here, so nothing was scored again."
        tasks.append(replace(task, notes=(*task.notes, note[0].upper() + note[1:])))
    return replace(board, tasks=tuple(tasks))


def _words(metric: str) -> str:
    return metric.replace("_", " ")
