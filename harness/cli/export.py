"""The verb that writes a task for another evaluation harness."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Offline, data_folder, tables
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.language.export import SuitePart


def export_task(
    name: Annotated[str, typer.Argument(help="A task of documents.")],
    out: Annotated[Path, typer.Option(help="Folder of the YAML and JSONL files.")],
    format: Annotated[str, typer.Option(help="lm-eval.")] = "lm-eval",
    suite: Annotated[str | None, typer.Option(help="Whose cuts and samples are written.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Documents of each domain.")] = None,
    offline: Offline = False,
) -> None:
    """Write a task so that another evaluation harness runs it."""
    from harness import catalog
    from harness.language.export import FORMATS, export_task

    if format not in FORMATS:
        raise HarnessError(f"There is no format {format!r} of tasks; there is {', '.join(FORMATS)}.")
    task, data = catalog.load("task", name), data_folder()
    stem, parts = _parts(suite, name, data, limit) if suite else ("", None)
    done = export_task(name, task, out, data, offline=offline, limit=limit, suite=stem, parts=parts)
    for member in done.tasks:
        print(f"ok   {member}")
    for domain, reason in done.failures.items():
        print(f"FAIL {name}/{domain}: {reason}")
    for domain in done.sealed:
        print(f"wait {name}/{domain}: sealed, so only a suite that opens it scores it")
    if done.tasks:
        words = f"--include_path {out} --tasks {done.group} --model hf --model_args pretrained=PATH"
        print(f"Run it: lm-eval run {words}")
    raise typer.Exit(1 if done.failures else 0)


def _parts(suite: str, name: str, data: Path, limit: int | None) -> "tuple[str, dict[str, SuitePart]]":
    """Returns the name of a suite, and what it scores of a task."""
    from harness.data.view import DataPlace
    from harness.study.study import load_study, make_plan
    from harness.study.suite import load_suite

    plan = make_plan(*load_suite(suite), limit=limit, tables=tables())
    place = DataPlace(folder=data, limit=limit)
    return plan.name, dict(load_study(plan.suite.study).scored_parts(plan, name, place))
