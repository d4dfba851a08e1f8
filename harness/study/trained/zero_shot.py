"""The units of zero-shot boards: what a task's networks score where nothing was trained for."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness import catalog
from harness.errors import HarnessError
from harness.identity.unit import AnyUnit, Unit
from harness.learn.modality import modality_of
from harness.study.opening import Openings, opened_by
from harness.study.plan import Plan, members, planned, prepare_unit
from harness.study.settings import LM_EVAL, ZeroShotSettings
from harness.study.trained.results import Final
from harness.study.trained.units import ZERO_SHOT, FinalSpec, SelectedSpec, ZeroShotSpec
from harness.study.work.specs import refuse_sealed
from harness.task.task import Task


def with_tasks(settings: ZeroShotSettings, opens: Sequence[str] = ()) -> ZeroShotSettings:
    """Returns the settings with the tasks of their folder where they name none of lm-eval.

    Raises:
        UnknownNameError: a task, domain or metric does not exist.
        HarnessError: a domain has no questions, the trained task is not one of bytes, or there is no folder.
    """
    catalog.metric_of(settings.metric)
    trained: Task = catalog.load("task", settings.trained_on)
    if modality_of(trained.signature.kind).gives != "bits":
        raise HarnessError(
            f"zero_shot {settings.name!r} needs language models, and {settings.trained_on!r} is a task of "
            f"kind {trained.signature.kind}; name a byte task."
        )
    for domain in settings.held_out:
        if not domain.startswith(LM_EVAL):
            _check_questions(settings, domain, opens)
    if not settings.lm_eval_tasks or any(domain.startswith(LM_EVAL) for domain in settings.held_out):
        return settings
    from harness.language.scores import tasks_of

    found = [f"{LM_EVAL}{name}" for name in tasks_of(Path(settings.lm_eval_tasks))]
    return replace(settings, held_out=[*settings.held_out, *found])


def refuse_code(plan: Plan) -> None:
    """Looks at the folders of lm-eval's tasks that a plan reads, before any of its units runs."""
    from harness.language.task_folder import check_folder

    boards = [unit.spec for unit in plan.units if isinstance(unit.spec, ZeroShotSpec)]
    for folder in sorted({spec.folder for spec in boards if spec.folder}):
        check_folder(Path(folder), is_trusted=False)


def _check_questions(settings: ZeroShotSettings, domain: str, opens: Sequence[str]) -> None:
    task_name, _, name = domain.partition("/")
    task: Task = catalog.load("task", task_name)
    refuse_sealed(task_name, name, opens)
    if modality_of(task.signature.kind).form != "question" or settings.metric != task.metric:
        raise HarnessError(
            f"zero_shot {settings.name!r} is a board of {settings.metric}, and {domain!r} is of kind "
            f"{task.signature.kind} and has {task.metric}; name a task that asks questions."
        )


class ZeroShotPlan:
    """The units of one board, beside those of the task that its networks are trained on."""

    def __init__(self, settings: ZeroShotSettings, openings: Openings) -> None:
        ours = [domain for domain in settings.held_out if not domain.startswith(LM_EVAL)]
        self.settings = settings
        self.prepared = {domain: prepare_unit(*domain.split("/")) for domain in ours}
        self.data = {
            domain: (unit.hash, *opened_by(openings, *domain.split("/")))
            for domain, unit in self.prepared.items()
        }
        self.sha256 = _content(Path(settings.lm_eval_tasks)) if settings.lm_eval_tasks else ""

    def scores(self, final: Unit[FinalSpec, Final]) -> Iterator[AnyUnit]:
        """Yields the scores of one row's network on every domain of the board."""
        for domain in self.settings.held_out:
            is_theirs = domain.startswith(LM_EVAL)
            spec = ZeroShotSpec(
                **members(final.spec, SelectedSpec) | {"task": self.settings.name},
                trained_on=self.settings.trained_on,
                domain=domain,
                role="held_out",
                metric=self.settings.metric,
                samples=None if self.settings.whole else self.settings.test_samples,
                folder=self.settings.lm_eval_tasks if is_theirs else "",
                sha256=self.sha256 if is_theirs else "",
            )
            yield planned(ZERO_SHOT, spec, needs=(final.hash, *self.data.get(domain, ())))


def _content(folder: Path) -> str:
    """Returns the hash of all files of a folder, so that an edited task is another unit."""
    if not folder.is_dir():
        raise HarnessError(f"There is no folder {folder}; give one with lm-eval's YAML tasks.")
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
