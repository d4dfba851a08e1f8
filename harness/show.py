"""What `describe`, `count`, `data list` and `doctor` say of catalog entries and of this machine."""

import random
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import catalog
from harness.errors import HarnessError, UnknownNameError
from harness.space import Architecture, SearchSpace, SpaceFamily
from harness.task import Domain, Signature, Task
from harness.text import parse_json, shown

if TYPE_CHECKING:
    from harness.data.prepare import Prepared

MOST_SHOWN = 500
"""Characters of what is wrong with an architecture that are shown."""


class Finding(NamedTuple):
    """One claim of `doctor` and whether it holds."""

    claim: str
    holds: bool
    detail: str


def describe(kind: str, name: str, data: Path) -> dict[str, Any]:
    """Returns the card of a catalog entry as JSON-able values.

    Raises:
        UnknownNameError: there is no such kind or entry.
    """
    if kind == "space":
        plain, _, preset = name.partition(":")
        return _space(name, catalog.load("space", plain), preset or None)
    if kind == "table":
        return _table(name)
    entry = catalog.load(kind, name)
    if kind == "task":
        return _task(name, entry, data)
    if kind == "suite":
        from harness.suite import load_suite

        return asdict(load_suite(name)[1])
    card: dict[str, Any] = {"name": name, "summary": entry.summary}
    if kind == "searcher":
        card |= {
            "needs_llm": entry.needs_llm,
            "is_anytime": entry.is_anytime,
            "options": dict(entry.options),
            "allowed": {option: list(values) for option, values in entry.allowed.items()},
        }
    if kind == "baseline":
        card |= {
            "reads": ", ".join(getattr(entry, "kinds", ())) or None,
            "follows_the_size_of_the_suite": getattr(entry, "is_matched", None),
            "trained_before_on": getattr(entry, "outside", None),
        }
    return card


def _task(name: str, task: Task, data: Path) -> dict[str, Any]:
    from harness.data.corruptions import names

    cards = []
    for domain in task.domains:
        prepared, wrong = _prepared(name, domain, data)
        cards.append(
            {
                "domain": domain.name,
                "role": "source"
                if domain.name in task.sources
                else "held out"
                if domain.name in task.held_out
                else "spare",
                "origin": domain.origin,
                "licence": domain.licence,
                "groups": domain.groups,
                "counts": dict(prepared.samples) if prepared else None,
                "sha256": prepared.sha256 if prepared else None,
                "damaged": wrong,
            }
        )
    return {
        "name": name,
        "summary": task.summary,
        "inputs": _inputs(task.signature),
        "metric": task.metric,
        "chance": task.chance,
        "waits_for": task.awaits or None,
        "domains": cards,
        "corruptions": ", ".join(f"DOMAIN+{one}-1 to -5" for one in names(task.signature)) or None,
        "sample": _sample(name, task, data),
    }


def _prepared(task_name: str, domain: Domain, data: Path) -> "tuple[Prepared | None, str | None]":
    """Returns the card of a prepared domain, or None, and what is wrong with it, or None."""
    from harness.data.prepare import read_card

    try:
        return read_card(task_name, domain, data), None
    except HarnessError as error:
        return None, str(error)


def _table(name: str) -> dict[str, Any]:
    from harness.data.card import read_card

    known = catalog.files("table")
    if name not in known:
        raise UnknownNameError("table", name, known)
    card = read_card(known[name])
    told = {key: value for key, value in asdict(card).items() if value not in ("", [], {}, None, False)}
    lists = {
        f"{kind}s": [{kind: key, **one} for key, one in told[f"{kind}s"].items()]
        for kind in ("domain", "cost")
        if f"{kind}s" in told
    }
    return {"name": name, **told, **lists}


def _inputs(signature: Signature) -> str:
    if signature.kind == "bytes":
        return f"bytes, windows of {signature.context}"
    if signature.kind == "text":
        return f"text, windows of {signature.context} bytes, {signature.classes} classes"
    if signature.kind == "choice":
        return f"questions with at most {signature.classes} answers"
    return f"images {signature.channels}x{signature.height}x{signature.width}, {signature.classes} classes"


def _sample(name: str, task: Task, data: Path) -> str | None:
    """Returns one training sample of the first prepared source, drawn in characters, or None."""
    from harness.data.choices import questions
    from harness.data.load import load_split
    from harness.data.prepare import blamed

    for source in task.sources:
        domain = task.domain(source)
        if _prepared(name, domain, data)[0] is None:
            continue
        try:
            with blamed(source):
                split = load_split(name, task, domain, "train", data, limit=1)
        except HarnessError as error:
            return str(error)
        if task.signature.kind == "choice":
            asked = questions(split)[0]
            answers = [
                f"{'*' if place == asked.gold else '-'} {one}" for place, one in enumerate(asked.choices)
            ]
            return "\n".join([f"{source}: {asked.question}", *answers])
        if task.signature.kind != "image":
            kind = f", {task.class_names[split.labels[0]]}" if task.class_names else ""
            return f"{source}{kind}: {split.documents()[0][:300].decode(errors='replace')}"
        shades = " .:-=+*#%@"
        image = split.images[0].mean(axis=0)
        rows = ["".join(shades[int(pixel) * len(shades) // 256] for pixel in row) for row in image]
        return f"{source}, class {split.labels[0]}:\n" + "\n".join(rows)
    return None


def _space(name: str, family: SpaceFamily, preset: str | None) -> dict[str, Any]:
    space = family.space(preset)
    default = space.default()
    return {
        "name": space.name,
        "summary": family.summary,
        "presets": sorted(family.presets),
        "choices": {choice.name: list(choice.options) for choice in space.choices},
        "size": space.size(),
        "default": space.to_json(default),
        "parameters": space.parameters(default),
        "macs": space.macs(default),
        "card": space.card(),
    }


def as_text(card: Mapping[str, Any]) -> str:
    """Returns the card for a terminal."""
    lines = []
    for key, value in card.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines.append(f"{key}:")
            for entry in value:
                inner = "; ".join(f"{name} {one}" for name, one in entry.items() if one is not None)
                lines.append(f"  - {inner}")
        elif isinstance(value, str) and "\n" in value:
            lines.append(f"{key}:")
            lines += [f"  {line}" for line in value.splitlines()]
        elif value is not None:
            lines.append(f"{key}: {value}")
    return "\n".join(lines)


def architecture(space: SearchSpace, text: str, where: str = "--architecture") -> Architecture:
    """Returns the architecture that `text` means: JSON, default, smallest, largest or random:SEED.

    Raises:
        HarnessError: it means none.
    """
    if text == "default":
        return space.default()
    if text in ("smallest", "largest"):
        return space.extreme(largest=text == "largest")
    if text.startswith("random:"):
        seed = text.removeprefix("random:")
        if not re.fullmatch(r"[0-9]{1,20}", seed):
            raise HarnessError(f"{where}: random:SEED needs a whole number, not {shown(seed)}.")
        return space.sample(random.Random(int(seed)))
    try:
        value = parse_json(text)
    except ValueError as error:
        raise HarnessError(
            f"{where}: {shown(text)} is neither JSON ({error}) nor default, smallest, largest or random:SEED."
        ) from None
    if not isinstance(value, dict):
        raise HarnessError(f"{where}: an architecture is a JSON object, not {shown(text)}.")
    try:
        return space.from_json(value)
    except HarnessError as error:
        raise HarnessError(f"{where}: {str(error)[:MOST_SHOWN]}") from None


def count(space: SearchSpace, chosen: Architecture) -> dict[str, Any]:
    """Returns the closed-form counts of one architecture."""
    return {
        "architecture": space.to_json(chosen),
        "parameters": space.parameters(chosen),
        "macs": space.macs(chosen),
    }


def domains(data: Path) -> list[dict[str, Any]]:
    """Returns every domain of every task: origin, licence, whether it is prepared, and what is wrong.

    A task that does not load has one row, without a domain.
    """
    rows: list[dict[str, Any]] = []
    for name in catalog.names("task"):
        try:
            task: Task = catalog.load("task", name)
        except HarnessError as error:
            about = dict.fromkeys(("domain", "origin", "licence"))
            rows.append({"task": name, **about, "prepared": False, "damaged": str(error)})
            continue
        for domain in task.domains:
            prepared, wrong = _prepared(name, domain, data)
            rows.append(
                {
                    "task": name,
                    "domain": domain.name,
                    "prepared": prepared is not None,
                    "origin": domain.origin,
                    "licence": domain.licence,
                    "damaged": wrong,
                }
            )
    return rows


def doctor(data: Path, base_url: str | None) -> list[Finding]:
    """Returns what this machine has and lacks."""
    findings = [_package(name) for name in ("torch", "timm", "datasets", "openai", "xllamacpp", "seaborn")]
    findings.append(Finding("pip is there to fetch data", True, "through this interpreter"))
    npm = shutil.which("npm")
    findings.append(Finding("npm, optional", True, npm or "absent: npm domains cannot be fetched"))
    place = data if data.exists() else data.parent if data.parent.exists() else Path.cwd()
    free = shutil.disk_usage(place).free / 2**30
    findings.append(Finding("disk for data", free > 2, f"{free:.1f} GiB free at {data}"))
    model = base_url or "embedded (no HARNESS_LLM_BASE_URL)"
    findings.append(Finding("language model", True, model))
    for row in domains(data):
        state = "prepared" if row["prepared"] else "not prepared; `harness data prepare` fetches it"
        what = f"domain {row['task']}/{row['domain']}" if row["domain"] else f"task {row['task']} loads"
        findings.append(Finding(what, row["damaged"] is None, row["damaged"] or state))
    return findings


def _package(name: str) -> Finding:
    try:
        return Finding(f"package {name}", True, version(name))
    except PackageNotFoundError:
        return Finding(f"package {name}", False, f"absent; pip install {name}")
