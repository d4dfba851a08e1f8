"""Another metric from the scores kept per sample, without any model."""

from dataclasses import replace
from math import isclose

from harness import catalog
from harness.board.wording import listed
from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.run.loaded import Run
from harness.run.samples import read_samples
from harness.study.settings import PlannedTask
from harness.study.trained.boards.board import build_trained_board
from harness.study.trained.boards.values import Board, scores_of
from harness.study.trained.settings import PlannedBoard, PlannedSuite
from harness.task.metric import Metric, Need

CLASSES = 50_000
"""Classes up to which a chance says how many there are."""


def with_metric(run: Run, metric: str) -> Run:
    """Returns the run as if its suite's metric were `metric`, in every task whose samples can give it.

    Chance is that of the same blind guess among as many classes, where both metrics know one.

    Raises:
        UnknownNameError: there is no such metric.
        HarnessError: the run keeps no per-sample scores, those of no task can give the metric, or the run
            opened sealed domains, on which a metric that was chosen afterwards is another look.
    """
    wanted = metric_of(metric)
    suite = PlannedSuite.of(run)
    if suite.opens:
        raise HarnessError(
            f"{run.name} opened {' and '.join(suite.opens)}, and what is sealed has no other metric than the "
            "one that was fixed before; score a run that opens nothing again."
        )
    gives = {task.name: _gives(run, task) for task in suite.tasks}
    if not any(wanted.needs in kept for kept in gives.values()):
        kept = {need for needs in gives.values() for need in needs}
        has = [name for name in catalog.names("metric") if metric_of(name).needs in kept]
        raise HarnessError(
            f"The samples that {run.name} keeps cannot give {metric}, which needs {wanted.needs}; they give "
            f"{listed(has) or 'nothing yet'}."
        )
    changed = [
        replace(task, metric=metric, chance=_chance(task.chance, own, wanted))
        if wanted.needs in gives[task.name]
        else task
        for task, own in ((task, metric_of(task.metric)) for task in suite.tasks)
    ]
    return replace(run, suite=replace(suite, tasks=changed))


def _chance(chance: float | None, own: Metric, wanted: Metric) -> float | None:
    """Returns the chance under another metric; None where one of the two does not know it.

    The classes are as many as give the known chance: a run keeps no other number of them.
    """
    if own.chance is wanted.chance:
        return chance
    if chance is None or own.chance is None or wanted.chance is None:
        return None
    for classes in range(2, CLASSES + 1):
        if isclose(own.chance(classes), chance, rel_tol=1e-6):
            return wanted.chance(classes)
    return None


def _gives(run: Run, task: PlannedTask | PlannedBoard) -> set[Need]:
    """Returns what the samples of a task, of one row at least, can feed."""
    own = metric_of(task.metric).needs
    found: set[Need] = {own}
    if own == "prediction":
        units = (unit for rule in PlannedSuite.of(run).selection for unit in scores_of(run, task.name, rule))
        done = (unit for unit in units if run.result(unit) is not None)
        if any(read_samples(run, unit, "probabilities") is not None for unit in done):
            found.add("probabilities")
    return found


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
        title, other = (metric_of(one).title for one in (task.metric, own))
        note = f"Scored again with {title} from the kept samples: searches and learning rates "
        note += f"were chosen by {other}, the suite's metric."
        if task.metric == own:
            note = f"{title} is the suite's own metric here, so nothing was scored again."
        tasks.append(replace(task, notes=(*task.notes, note[0].upper() + note[1:])))
    return replace(board, tasks=tuple(tasks))
