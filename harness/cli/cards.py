"""What `describe`, `count`, `data list` and `doctor` say of catalog entries and of this machine."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from harness import catalog
from harness.board.wording import metric_name
from harness.data.corruptions import family_of
from harness.data.overview import prepared_card
from harness.data.sealed import openings
from harness.errors import HarnessError, UnknownNameError
from harness.files import canonical_json
from harness.guard.text import parse_json, shown
from harness.learn.modality import modality_of
from harness.space.choices import SearchSpace, SpaceFamily
from harness.space.form import Architecture
from harness.task.task import Task

COUNTED = "by tracing the network, not in closed form"
MOST_SHOWN = 500
"""Characters of what is wrong with an architecture that are shown."""


def describe(kind: str, name: str, data: Path) -> dict[str, Any]:
    """Returns the card of a catalog entry as JSON-able values."""
    if kind == "space":
        plain, _, preset = name.partition(":")
        return _space(name, catalog.load("space", plain), preset or None)
    if kind == "table":
        return _table(name)
    entry = catalog.load(kind, name)
    if kind == "task":
        return _task(name, entry, data)
    if kind == "suite":
        from harness.study.suite import load_suite

        return asdict(cast(Any, load_suite(name)[1]))
    return {"name": name, "summary": entry.summary, **_ABOUT[kind](name, entry)}


_ABOUT: dict[str, Callable[[str, Any], dict[str, Any]]] = {
    "searcher": lambda name, entry: {
        "needs_llm": entry.needs_llm,
        "is_anytime": entry.is_anytime,
        "options": dict(entry.options),
        "allowed": {option: list(values) for option, values in entry.allowed.items()},
    },
    "metric": lambda name, entry: {
        "printed": metric_name(name),
        "decimals": entry.decimals,
        "needs": entry.needs,
        "averages_classes": entry.is_balanced,
    },
    "modality": lambda name, entry: {
        "form": entry.form,
        "gives": entry.gives,
        "metric": entry.metric,
        "trained_on": entry.is_trained,
        "corruptions": ", ".join(entry.corruptions) or None,
    },
    "baseline": lambda name, entry: {
        "reads": ", ".join(getattr(entry, "kinds", ())) or None,
        "follows_the_size_of_the_suite": getattr(entry, "is_matched", None),
        "trained_before_on": getattr(entry, "outside", None),
    },
    "section": lambda name, entry: {},
    "study": lambda name, entry: {},
}
"""Kind -> what a card says of an entry beside its name and summary."""


def _task(name: str, task: Task, data: Path) -> dict[str, Any]:
    modality = modality_of(task.signature.kind)
    roles = dict.fromkeys(task.held_out, "held out") | dict.fromkeys(task.sources, "source")
    cards = []
    for domain in task.domains:
        prepared, wrong = prepared_card(name, domain, data)
        about = {"family": family_of(task, domain.name), "stratum": domain.stratum or None}
        about |= {"origin": domain.origin, "licence": domain.licence, "groups": domain.groups}
        there: dict[str, Any] = {"counts": dict(prepared.samples) if prepared else None}
        there |= {"groups_in_splits": dict(prepared.groups) if prepared else None}
        there |= {"sha256": prepared.sha256 if prepared else None, "damaged": wrong}
        cards.append({"domain": domain.name, "role": roles.get(domain.name, "spare"), **about, **there})
        if domain.sealed:
            cards[-1]["sealed"] = f"opened {len(openings(name, domain.name, data))} times so far"
    return {
        "name": name,
        "summary": task.summary,
        "inputs": modality.describe(task.signature),
        "metric": task.metric,
        "chance": task.chance,
        "waits_for": task.awaits or None,
        "domains": cards,
        "corruptions": ", ".join(f"DOMAIN+{one}-1 to -5" for one in modality.corruptions) or None,
        "sample": _sample(name, task, data),
    }


def _table(name: str) -> dict[str, Any]:
    from harness.data.table.card import TableCard, read_card
    from harness.study.schema import described

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
    meanings = described(TableCard)
    left_out = [{"key": key, "meaning": text} for key, text in meanings.items() if key not in told]
    return {"name": name, **told, **lists, "further_keys": left_out}


def _sample(name: str, task: Task, data: Path) -> str | None:
    """Returns one training sample of the first prepared source, drawn in characters, or None."""
    from harness.data.load import load_split
    from harness.data.prepare import blamed

    for source in task.sources:
        domain = task.domain(source)
        if prepared_card(name, domain, data)[0] is None:
            continue
        try:
            with blamed(source):
                split = load_split(name, task, domain, "train", data, limit=1)
        except HarnessError as error:
            return str(error)
        return modality_of(task.signature.kind).show(split, task.class_names)
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
        "counted": COUNTED if space.is_counted else None,
        "card": space.card(),
    }


def as_text(card: Mapping[str, Any]) -> str:
    """Returns the card for a terminal: what says nothing is left out, entries of a list stand in blocks."""
    lines: list[str] = []
    for key, value in card.items():
        label = _words(key)
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines.append(f"{label}:")
            for entry in value:
                (_, head), *others = entry.items()
                lines.append(f"  {_told(head)}")
                inner = [(_words(name), _told(one)) for name, one in others]
                lines += [f"    {name}: {one}" for name, one in inner if one]
        elif key in ("architecture", "default") and isinstance(value, Mapping):
            lines.append(f"{label}: {canonical_json(value)}")  # to be given back
        elif (
            isinstance(value, Mapping)
            and len(value) > 1
            and all(isinstance(one, list) for one in value.values())
        ):
            lines += [f"{label}:", *(f"  {name}: {_told(one)}" for name, one in value.items())]
        elif isinstance(value, str) and "\n" in value:
            lines += [f"{label}:", *(f"  {line}" for line in value.splitlines())]
        elif told := _told(value):
            lines.append(f"{label}: {told}")
    return "\n".join(lines)


def _told(value: Any) -> str:
    """Returns a value as people read it; empty where it says nothing."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        parts = [(name, _told(one)) for name, one in value.items() if one not in (0, False)]
        return ", ".join(f"{_words(str(name))} {one}" for name, one in parts if one)
    if isinstance(value, list | tuple):
        return ", ".join(map(_told, value))
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
    )


def _words(key: str) -> str:
    """Returns a key as words; what holds a dot is a file's name, and stays."""
    return key if "." in key else key.replace("_", " ")


def architecture(space: SearchSpace, text: str, where: str = "--architecture") -> Architecture:
    """Returns the architecture that `text` means: JSON, default, smallest, largest or random:SEED."""
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
    whole = (space.parameters(chosen), space.macs(chosen))
    counted = {"architecture": space.to_json(chosen), "parameters": whole[0], "macs": whole[1]}
    paths = space.on_paths(chosen)
    if space.is_counted:
        counted["counted"] = COUNTED
    if paths != whole:
        counted |= {"parameters on paths to the output": paths[0], "macs on paths to the output": paths[1]}
    return counted
