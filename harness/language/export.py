"""Our tasks in lm-eval: a folder of YAML and JSONL that plain `lm-eval run --include_path` runs."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness import catalog
from harness.data.corruptions import domain_of
from harness.data.load import load_split
from harness.data.prepare import prepare_domain
from harness.data.text.questions import questions
from harness.errors import DataUnavailableError, HarnessError
from harness.files import content_hash, write_atomically
from harness.guard.paths import path_part
from harness.learn.modality import Export, modality_of
from harness.task.split import Split
from harness.task.task import Domain, Task

FORMATS = ("lm-eval",)
OURS = "crossdomain"
"""What names in lm-eval start with, as it has tasks of its own."""
TEMPLATE = """\
# Documents of {task}/{domain}: {origin}
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
# {what} of {task}; the mean gives each of them the same weight, as a board does.
group: {group}
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
    """What was written: lm-eval's names of group and tasks, what lacks and why, what is sealed."""

    group: str
    tasks: tuple[str, ...]
    failures: dict[str, str]
    sealed: tuple[str, ...] = ()


class SuitePart(NamedTuple):
    """What a suite scores of a held-out domain.

    Attributes:
        load: returns the samples, once the domain is prepared.
        document_bytes: leading bytes of a document that are scored; None for all.
    """

    load: Callable[[], Split]
    document_bytes: int | None


def lm_eval_name(task: str, domain: str = "", suite: str = "") -> str:
    """Returns what lm-eval calls a task, or a domain of it, or what a suite scores of that.

    No two share a name, and none has that of a task of lm-eval's own.
    """
    parts = [f"{OURS}_suite", suite, task] if suite else [OURS, task]
    return "__".join([*parts[:1], *map(_plain, [*parts[1:], *([domain] if domain else [])])])


def _plain(name: str) -> str:
    """Returns a name without what parts names from one another, and a hash where that took something."""
    plain = re.sub(r"[^\w.+-]+|__+", "_", name).strip("_")
    return name if plain == name else f"{plain}_{content_hash(name)[:8]}"


def export_task(
    name: str,
    task: Task,
    out: Path,
    data: Path,
    *,
    offline: bool = False,
    document_bytes: int | None = None,
    limit: int | None = None,
    suite: str = "",
    parts: Mapping[str, SuitePart] | None = None,
) -> Exported:
    """Writes the test documents of a task, or what a suite scores of it, as lm-eval tasks.

    A group stands for all of them, see `lm_eval_name`. Sealed ones are left out, as nobody would count who
    scores them. Domains that are not prepared are prepared; one whose package is absent fails alone. The
    folder can be moved: run it by `lm-eval run --include_path OUT --tasks GROUP`.

    Args:
        out: a new folder, or one of an earlier export of the same, which is replaced.
        document_bytes: cut documents to so many bytes, or up to three less where a character would be cut.
        limit: at most so many documents of a domain, spread over groups.
        suite: name of a suite whose parts are written, in place of the test documents.
        parts: domain -> what it scores, which the two above do not change.

    Raises:
        HarnessError: lm-eval does not read tasks of its kind, or the folder holds other things.
    """
    export = _export(name, task)
    group = lm_eval_name(name, suite=suite)
    _clear(out, group)
    written, failures = [], {}
    domains = [domain_of(task, one) for one in parts] if parts else list(task.domains)
    sealed = tuple(domain.name for domain in domains if domain.sealed)
    for domain in domains:
        if domain.sealed:
            continue
        try:
            prepared = prepare_domain(name, domain, data, offline=offline)
            if parts:
                split, cut = parts[domain.name].load(), parts[domain.name].document_bytes
            else:
                split, cut = load_split(name, task, domain, "test", data, limit=limit), document_bytes
            member = write_domain(
                out, name, task, domain, split, sha256=prepared.sha256, document_bytes=cut, suite=suite
            )
        except DataUnavailableError as error:
            failures[domain.name] = str(error)
            continue
        written.append(member)
    if written:
        what = f"What {suite} scores" if suite else "All domains"
        members = "\n".join(f"  - {member}" for member in written)
        text = GROUP.format(what=what, task=name, group=group, members=members, measure=export.measure)
        write_atomically(out / f"{group}.yaml", text)
    return Exported(group, tuple(written), failures, sealed)


def write_domain(
    out: Path,
    name: str,
    task: Task,
    domain: Domain,
    split: Split,
    *,
    sha256: str,
    document_bytes: int | None = None,
    suite: str = "",
) -> str:
    """Writes one domain as an lm-eval task, and returns what lm-eval calls it.

    Args:
        out: the folder.
        sha256: of the prepared arrays.
        document_bytes: cut documents to so many bytes, or up to three less where a character would be cut.
        suite: that scores these documents; empty for the test split.

    Raises:
        DataUnavailableError: a document is not UTF-8.
    """
    member = lm_eval_name(path_part("task", name), path_part("domain", domain.name), suite)
    told = _told(task, split, document_bytes)
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


def _told(task: Task, split: Split, document_bytes: int | None) -> list[dict[str, Any]]:
    """Returns what lm-eval reads of each document; it puts a space between a text and an answer."""
    modality = modality_of(task.signature.kind)
    if modality.form == "question":
        return [
            {"text": f"{one.question}\nAnswer:", "choices": list(one.choices), "gold": one.gold}
            for one in questions(split)
        ]
    texts = [_text(one, document_bytes, split.domain) for one in split.documents()]
    if not modality.names_classes:
        return [{"text": text} for text in texts]
    choices = list(task.class_names)
    return [
        {"text": f"{text}\nClass:", "choices": choices, "gold": gold}
        for text, gold in zip(texts, split.labels.tolist(), strict=True)
    ]


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


def _clear(out: Path, group: str) -> None:
    """Removes an earlier export, so that no domain of it is left behind."""
    if not out.exists():
        return
    ours = [*out.glob(f"{group}__*.yaml"), *out.glob(f"{group}__*.jsonl"), out / f"{group}.yaml"]
    kept = {*ours, out / "loader.py", out / "__pycache__"}
    if not out.is_dir() or not kept.issuperset(out.iterdir()):
        raise HarnessError(f"{out} holds more than an export of {group}; choose another --out.")
    for file in ours:
        file.unlink(missing_ok=True)


def _text(document: bytes, document_bytes: int | None, domain: str) -> str:
    """Returns a document as text; one that is cut loses what is left of its last character."""
    try:
        return document[:document_bytes].decode()
    except UnicodeDecodeError as error:
        if document_bytes is not None and error.reason == "unexpected end of data":
            return document[: error.start].decode()
        raise DataUnavailableError(
            f"Domain {domain!r} has documents that are not UTF-8, and lm-eval has text only."
        ) from error
