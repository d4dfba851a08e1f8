"""What a suite scores of a task, for whoever scores the same elsewhere."""

from functools import partial

from harness import catalog
from harness.data.view import DataPlace
from harness.errors import HarnessError
from harness.language.export import SuitePart
from harness.study.plan import Plan
from harness.study.trained.units import ScoreSpec, ZeroShotSpec
from harness.task.split import Split
from harness.task.task import Task


def suite_parts(plan: Plan, name: str, place: DataPlace) -> dict[str, SuitePart]:
    """Returns domain -> what the plan's rows are scored on, of the held-out domains of a task.

    Raises:
        HarnessError: there is none.
    """
    found: dict[str, SuitePart] = {}
    for spec in (unit.spec for unit in plan.units):
        if isinstance(spec, ScoreSpec) and spec.task == name and spec.role == "held_out":
            load = partial(_documents, spec, place)
            found.setdefault(spec.domain, SuitePart(load, spec.document_bytes))
        elif isinstance(spec, ZeroShotSpec) and spec.domain.startswith(f"{name}/"):
            found.setdefault(spec.domain.partition("/")[2], SuitePart(partial(_questions, spec, place), None))
    if not found:
        raise HarnessError(
            f"{plan.name} holds out no domain of {name}; `harness describe suite` shows which it does."
        )
    return found


def _documents(spec: ScoreSpec, place: DataPlace) -> Split:
    from harness.study.trained.work.score import scored_part

    task: Task = catalog.load("task", spec.task)
    return scored_part(spec, task, place)[0]


def _questions(spec: ZeroShotSpec, place: DataPlace) -> Split:
    from harness.study.trained.work.zero_shot import asked

    return asked(spec, place)[0]
