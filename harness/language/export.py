"""Our tasks in lm-eval: a folder of YAML and JSONL that plain `lm-eval run --include_path` runs."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from harness import catalog
from harness.data.load import load_split
from harness.data.prepare import prepare_domain
from harness.data.text.questions import questions
from harness.errors import DataUnavailableError, HarnessError
from harness.files import write_atomically
from harness.guard.paths import path_part
from harness.learn.modality import Export, modality_of
from harness.task.split import Split
from harness.task.task import Domain, Task

FORMATS = ("lm-eval",)
TEMPLATE = """\
# Test documents of {task}/{domain}: {origin}
# Licence: {licence}
task: {name}
task_alias: {domain}
custom_dataset: !function loader.read
dataset_kwargs:
  documents_file: {name}.jsonl
test_split: test
{asked}
metadata:
  version: 1.0
  prepared_sha256: {sha256}
  document_bytes: {document_bytes}
"""
GROUP = """\
# All domains of {task}; the mean gives each of them the same weight, as a board does.
group: {task}
task:
{members}
aggregate_metric_list:
  - metric: {measure}
    aggregation: mean
    weight_by_size: false
metadata:
  version: 1.0
"""


class Exported(NamedTuple):
    """What was written: lm-eval's task names, domain -> why it is missing, and what is left out as sealed."""

    tasks: tuple[str, ...]
    failures: dict[str, str]
    sealed: tuple[str, ...] = ()


def export_task(
    name: str,
    task: Task,
    out: Path,
    data: Path,
    *,
    offline: bool = False,
    document_bytes: int | None = None,
    limit: int | None = None,
) -> Exported:
    """Writes the test documents of a task of bytes or questions as lm-eval tasks.

    NAME stands for all of them, NAME_DOMAIN for one domain. Sealed ones are left out, as nobody would count
    who scores them. Domains that are not prepared are prepared; one whose package is absent fails alone. The
    folder can be moved: run it by `lm-eval run --include_path OUT --tasks NAME`.

    Args:
        out: a new folder, or one of an earlier export of the task, which is replaced.
        document_bytes: cut documents to so many bytes, or up to three less where a character would be cut.
        limit: at most so many documents of a domain, spread over groups.

    Raises:
        HarnessError: lm-eval does not read tasks of its kind, or the folder holds other things.
    """
    export = _export(name, task)
    _clear(out, path_part("task", name))
    written, failures = [], {}
    sealed = tuple(domain.name for domain in task.domains if domain.sealed)
    for domain in task.domains:
        if domain.sealed:
            continue
        try:
            prepared = prepare_domain(name, domain, data, offline=offline)
            split = load_split(name, task, domain, "test", data, limit=limit)
            member = write_domain(
                out, name, task, domain, split, sha256=prepared.sha256, document_bytes=document_bytes
            )
        except DataUnavailableError as error:
            failures[domain.name] = str(error)
            continue
        written.append(member)
    if written:
        members = "\n".join(f"  - {member}" for member in written)
        group = GROUP.format(task=name, members=members, measure=export.measure)
        write_atomically(out / f"{name}.yaml", group)
    return Exported(tuple(written), failures, sealed)


def write_domain(
    out: Path,
    name: str,
    task: Task,
    domain: Domain,
    split: Split,
    *,
    sha256: str,
    document_bytes: int | None = None,
) -> str:
    """Writes one domain as an lm-eval task, and returns what lm-eval calls it.

    Args:
        out: the folder.
        sha256: of the prepared arrays.
        document_bytes: cut documents to so many bytes, or up to three less where a character would be cut.

    Raises:
        DataUnavailableError: a document is not UTF-8.
    """
    member = f"{path_part('task', name)}_{path_part('domain', domain.name)}"
    asks = modality_of(task.signature.kind).form == "question"
    if asks:  # lm-eval puts a space between the text and an answer
        told: list[dict[str, Any]] = [
            {"text": f"{one.question}\nAnswer:", "choices": list(one.choices), "gold": one.gold}
            for one in questions(split)
        ]
    else:
        told = [{"text": _text(one, document_bytes, split.domain)} for one in split.documents()]
    groups = [split.group_names[group] for group in split.groups]
    rows = [
        {"document": number, "group": group, **one}
        for number, (group, one) in enumerate(zip(groups, told, strict=True))
    ]
    lines = [json.dumps(row, ensure_ascii=True, sort_keys=True) for row in rows]
    write_atomically(out / f"{member}.jsonl", "\n".join(lines) + "\n")
    fields = {
        "task": name,
        "domain": domain.name,
        "name": member,
        "origin": " ".join(domain.origin.split()),
        "licence": " ".join(domain.licence.split()),
        "asked": _export(name, task).asked,
        "sha256": sha256,
        "document_bytes": json.dumps(document_bytes),
    }
    write_atomically(out / f"{member}.yaml", TEMPLATE.format(**fields))
    write_atomically(out / "loader.py", Path(__file__).with_name("loader.py").read_text(encoding="utf-8"))
    return member


def _export(name: str, task: Task) -> Export:
    modality = modality_of(task.signature.kind)
    if modality.export is not None:
        return modality.export
    if modality.form == "image":
        raise HarnessError(f"{name} is a task of images, and lm-eval has text only; export a byte task.")
    can = [kind for kind in catalog.names("modality") if modality_of(kind).export]
    raise HarnessError(
        f"{name} is a task of kind {task.signature.kind}; export one of kind {' or '.join(can)}."
    )


def _clear(out: Path, name: str) -> None:
    """Removes an earlier export of the task, so that no domain of it is left behind."""
    if not out.exists():
        return
    ours = [*out.glob(f"{name}_*.yaml"), *out.glob(f"{name}_*.jsonl"), out / f"{name}.yaml"]
    kept = {*ours, out / "loader.py", out / "__pycache__"}
    if not out.is_dir() or not kept.issuperset(out.iterdir()):
        raise HarnessError(f"{out} holds more than an export of {name}; choose another --out.")
    for file in ours:
        file.unlink(missing_ok=True)


def _text(document: bytes, document_bytes: int | None, domain: str) -> str:
    try:
        text = document.decode()
    except UnicodeDecodeError as error:
        raise DataUnavailableError(
            f"Domain {domain!r} has documents that are not UTF-8, and lm-eval has text only."
        ) from error
    if document_bytes is None:
        return text
    return text.encode()[:document_bytes].decode(errors="ignore")
