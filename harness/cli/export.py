"""The verb that writes a task for another evaluation harness."""

from pathlib import Path

from harness import catalog
from harness.errors import HarnessError
from harness.language.export import FORMATS, export_task
from harness.task.task import Task


def export_task_verb(
    name: str, *, format_name: str, out: Path, data: Path, offline: bool = False, limit: int | None = None
) -> int:
    """Exports a task of the catalog, says what was written and what lacks, and returns the exit status."""
    if format_name not in FORMATS:
        raise HarnessError(f"There is no format {format_name!r} of tasks; there is {', '.join(FORMATS)}.")
    task: Task = catalog.load("task", name)
    done = export_task(name, task, out, data, offline=offline, limit=limit)
    for member in done.tasks:
        print(f"ok   {member}")
    for domain, reason in done.failures.items():
        print(f"FAIL {name}/{domain}: {reason}")
    for domain in done.sealed:
        print(f"wait {name}/{domain}: sealed, so only a suite that opens it scores it")
    if done.tasks:
        print(
            f"Run it: lm-eval run --include_path {out} --tasks {name} --model hf --model_args pretrained=PATH"
        )
    return 1 if done.failures else 0
