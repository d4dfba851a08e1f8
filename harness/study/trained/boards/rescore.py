"""Another metric from the scores kept per sample, without any model."""

from dataclasses import replace

from harness import catalog
from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.run.loaded import Run
from harness.study.trained.boards.board import build_trained_board
from harness.study.trained.boards.values import Board
from harness.study.trained.settings import PlannedSuite


def with_metric(run: Run, metric: str) -> Run:
    """Returns the run as if its suite's metric were `metric`, in every task whose samples can give it.

    Chance stays where a blind guess has the same expectation under both metrics, and is not known elsewhere.

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
    own = [metric_of(task.metric) for task in suite.tasks]
    if not any(one.needs == wanted.needs for one in own):
        kept = {one.needs for one in own}
        has = [name for name in catalog.names("metric") if metric_of(name).needs in kept]
        raise HarnessError(
            f"The samples that {run.name} keeps cannot give {metric}; they give {' and '.join(has)}."
        )
    changed = [
        replace(task, metric=metric, chance=task.chance if one.chance is wanted.chance else None)
        if one.needs == wanted.needs
        else task
        for task, one in zip(suite.tasks, own, strict=True)
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
        title, other = (metric_of(one).title for one in (task.metric, own))
        note = f"Scored again with {title} from the kept samples: searches and learning rates "
        note += f"were chosen by {other}, the suite's metric."
        if task.metric == own:
            note = f"{title} is the suite's own metric here, so nothing was scored again."
        tasks.append(replace(task, notes=(*task.notes, note[0].upper() + note[1:])))
    return replace(board, tasks=tuple(tasks))
