"""The scores of a task's networks where nothing was trained for: our questions, and any task of lm-eval."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness import catalog
from harness.data.corruptions import domain_of
from harness.errors import HarnessError
from harness.identity.unit import Unit
from harness.learn.modality import modality_of
from harness.study.plan import Plan, planned, prepare_unit
from harness.study.settings import LM_EVAL, ZeroShotSettings
from harness.study.trained.settings import Suite
from harness.task.task import Task


def with_tasks(settings: ZeroShotSettings) -> ZeroShotSettings:
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
            _check_questions(settings, domain)
    if not settings.lm_eval_tasks or any(domain.startswith(LM_EVAL) for domain in settings.held_out):
        return settings
    from harness.language.scores import tasks_of

    found = [f"{LM_EVAL}{name}" for name in tasks_of(Path(settings.lm_eval_tasks))]
    return replace(settings, held_out=[*settings.held_out, *found])


def refuse_code(plan: Plan) -> None:
    """Looks at the folders of lm-eval's tasks that a plan reads, before any of its units runs.

    Raises:
        HarnessError: a file in one runs code that came with it.
    """
    from harness.language.task_folder import check_folder

    boards = (unit.spec for unit in plan.units if "trained_on" in unit.spec)
    for folder in sorted({spec["folder"] for spec in boards if "folder" in spec}):
        check_folder(Path(folder), is_trusted=False)


def _check_questions(settings: ZeroShotSettings, domain: str) -> None:
    task_name, _, name = domain.partition("/")
    task: Task = catalog.load("task", task_name)
    domain_of(task, name)
    if modality_of(task.signature.kind).form != "question" or settings.metric != task.metric:
        raise HarnessError(
            f"zero_shot {settings.name!r} is a board of {settings.metric}, and {domain!r} is of kind "
            f"{task.signature.kind} and has {task.metric}; name a task that asks questions."
        )


def entries(suite: Suite) -> list[dict[str, Any]]:
    """Returns the boards as `plan.json` keeps them, among the suite's tasks; scores say what chance is."""
    return [{**asdict(one), "sources": [], "chance": None} for one in suite.zero_shot]


class ZeroShotPlan:
    """The units of one board, beside those of the task that its networks are trained on."""

    def __init__(self, settings: ZeroShotSettings, limited: Mapping[str, int]) -> None:
        ours = [domain for domain in settings.held_out if not domain.startswith(LM_EVAL)]
        self.settings = settings
        self.limited = limited
        self.prepared = {domain: prepare_unit(*domain.split("/")) for domain in ours}
        folder = settings.lm_eval_tasks
        self.folder = {"folder": folder, "sha256": _content(Path(folder))} if folder else {}

    def scores(self, final: Unit) -> Iterator[Unit]:
        """Yields the scores of one row's network on every domain of the board."""
        kept = ("method", "space", "tuned_space", "select_seed", "report_seed", "selection")
        for domain in self.settings.held_out:
            spec = {
                **{key: final.spec[key] for key in kept},
                "task": self.settings.name,
                "trained_on": self.settings.trained_on,
                "domain": domain,
                "role": "held_out",
                "metric": self.settings.metric,
                "samples": self.settings.test_samples,
                **(self.folder if domain.startswith(LM_EVAL) else {}),
                **self.limited,
            }
            needs = [self.prepared[domain].hash] if domain in self.prepared else []
            yield planned("score", spec, needs=(final.hash, *needs))


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
