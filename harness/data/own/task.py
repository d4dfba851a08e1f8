"""A task that one TOML file beside its data says, so that users' own tasks need no code."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness import catalog
from harness.catalog import metric_of
from harness.data.own.domain import class_folders, domain_rows, user_domain
from harness.data.own.place import OwnPlace
from harness.data.own.rows import cell, question_of
from harness.errors import DataUnavailableError, HarnessError
from harness.guard.paths import path_part
from harness.learn.modality import modality_of
from harness.task.metric import uniform_guess
from harness.task.signature import LONGEST_CONTEXT, Signature
from harness.task.task import Archives, Domain, Sample, Task
from harness.toml import merged, parse, read_toml

VARIABLE = "$HARNESS_DATASETS"
SOURCES = ("folder", "file", "dataset", "images")
"""Where the data of a domain may lie; its kind allows some."""
OF_ONE_SOURCE = ("labels", "period", "revision", "configuration")
"""What a domain that names a source of its own does not take over from the others."""
KEYS = ("classes", "size", "channels", "context")
"""Keys of the file that are not for every kind."""
LONGEST_SIDE = 8_192
"""Pixels of a picture's side."""
MOST_CLASSES = 100_000


@dataclass(frozen=True, kw_only=True)
class TaskFile:
    """What the file says.

    Attributes:
        kind: of input: a modality of the catalog, such as `image`, `text`, `bytes` or `choice`.
        summary: one line.
        sources: default source domains.
        held_out: default held-out domains.
        data: where every domain lies. In its paths `{domain}` is the domain's name; they are relative to the
            file, or start with `$HARNESS_DATASETS/`, the folder of that name.
        domains: domain -> what is other than in `data`.
        classes: names, or how many; 0 for those in the sources. Of questions, the most answers.
        size: of pictures in pixels, one side or height and width.
        channels: of pictures, 1 or 3.
        context: bytes of a window.
        metric: of the kind where it is empty.
    """

    kind: str
    summary: str
    sources: list[str]
    held_out: list[str]
    data: OwnPlace = field(default_factory=OwnPlace)
    domains: dict[str, dict[str, Any]] = field(default_factory=dict)
    classes: int | list[str] = 0
    size: int | list[int] = 32
    channels: Literal[1, 3] = 3
    context: int = 64
    metric: str = ""


def read_task(path: Path, datasets: Path | None) -> Task:
    """Returns the task that the TOML file `path` says.

    Args:
        datasets: the folder that `$HARNESS_DATASETS` in it means, and where repositories lie that were saved
            under their id; None for none.

    Raises:
        HarnessError: the file has a wrong key, type or value.
        DataUnavailableError: it does not name the classes, and the sources that have them are not there.
    """
    raw = read_toml(path)
    file = parse(TaskFile, raw, path)
    wrong = _wrong(file, raw)
    if wrong:
        raise HarnessError(f"{path}: {wrong}.")
    places = {name: _place(file, raw, name, path) for name in dict.fromkeys([*file.sources, *file.held_out])}
    located = {name: _located(place, path, datasets) for name, place in places.items()}
    missing = {name: reason for name, (_, reason) in located.items()}
    found = {name: place for name, (place, reason) in located.items() if not reason}
    classes, chance = _classes(file, found, path)
    height, width = file.size if isinstance(file.size, list) else (file.size, file.size)
    modality = modality_of(file.kind)
    signature = Signature(
        kind=file.kind,
        classes=modality.classes or len(classes),
        channels=file.channels,
        height=height,
        width=width,
        context=file.context,
    )
    names = classes if modality.names_classes else ()
    return Task(
        summary=file.summary,
        signature=signature,
        metric=file.metric or modality.metric,
        chance=chance,
        domains=tuple(
            _absent(places[name], name, missing[name])
            if missing[name]
            else user_domain(found[name], name, signature, names)
            for name in places
        ),
        sources=tuple(file.sources),
        held_out=tuple(file.held_out),
        class_names=names,
        awaits="" if found else missing[file.sources[0]],
    )


def _wrong(file: TaskFile, raw: dict[str, Any]) -> str:
    """Returns what is wrong with the file as a whole; empty for nothing."""
    both = sorted(set(file.sources) & set(file.held_out))
    if both or not file.sources or not file.held_out:
        what = f"{', '.join(both)} is in both" if both else "one of them is empty"
        return f"sources and held_out need a domain each and share none; {what}"
    unknown = sorted(set(file.domains) - {*file.sources, *file.held_out})
    if unknown:
        return f"domains.{unknown[0]} is neither among the sources nor held out"
    known = catalog.files("modality")
    if file.kind not in known:
        return f"kind must be {' or '.join(map(repr, known))}, not {file.kind!r}"
    modality = modality_of(file.kind)
    foreign = [key for key in raw if key in KEYS and key not in modality.keys]
    if foreign:
        return f"a task of kind {file.kind} has no {foreign[0]}"
    metrics = catalog.files("metric")
    if file.metric and (file.metric not in metrics or metric_of(file.metric).needs != modality.gives):
        fit = sorted(metrics, key=lambda name: name != modality.metric)
        fit = [name for name in fit if metric_of(name).needs == modality.gives]
        return f"metric of kind {file.kind} must be {' or '.join(fit)}, not {file.metric!r}"
    return _wrong_numbers(file)


def _wrong_numbers(file: TaskFile) -> str:
    sides = file.size if isinstance(file.size, list) else [file.size, file.size]
    if len(sides) != 2 or not all(isinstance(side, int) and 0 < side <= LONGEST_SIDE for side in sides):
        what = "pixels of one side or of height and width"
        return f"size must be {what}, not {file.size!r}, and at most {LONGEST_SIDE}"
    if not 1 <= file.context <= LONGEST_CONTEXT:
        return f"context must be 1 byte or more, not {file.context}, and at most {LONGEST_CONTEXT}"
    if isinstance(file.classes, int):
        right = file.classes == 0 or 1 < file.classes <= MOST_CLASSES
    else:
        right = isinstance(file.classes, list) and len(set(map(str, file.classes))) == len(file.classes) > 1
        named = modality_of(file.kind).names_classes
        right = right and all(isinstance(name, str) for name in file.classes) and named
    if right:
        return ""
    what = "different names, or their number, 2 or more"
    return f"classes must be {what}, not {file.classes!r}, and at most {MOST_CLASSES}"


def _place(file: TaskFile, raw: dict[str, Any], name: str, path: Path) -> OwnPlace:
    """Returns where a domain lies, `{domain}` filled in."""
    path_part("domain", name)
    base, own = dict(raw.get("data", {})), file.domains.get(name, {})
    if any(key in own for key in SOURCES):
        base = {key: value for key, value in base.items() if key not in (*SOURCES, *OF_ONE_SOURCE)}
    place = parse(OwnPlace, merged(base, own), path, f"domains.{name}")
    given = [key for key in SOURCES if getattr(place, key)]
    allowed = modality_of(file.kind).sources
    if len(given) != 1 or given[0] not in allowed or bool(place.images) != bool(place.labels):
        there = f"not {' and '.join(given)}" if given else "and has none"
        lacks = " (images need labels)" if bool(place.images) != bool(place.labels) else ""
        raise HarnessError(
            f"{path}: domain {name!r} of kind {file.kind} needs one of {', '.join(allowed)}, {there}{lacks}."
        )
    varied = (place.folder, place.file, place.dataset, place.images, place.configuration)
    if not own and not place.columns.domain and not any("{domain}" in text for text in varied):
        raise HarnessError(
            f"{path}: every domain would be the same {given[0]}; write {{domain}} in it, name the column of "
            f"domains as columns.domain, or add [domains.{name}]."
        )
    revision = place.revision
    if revision and not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise HarnessError(
            f"{path}: revision {revision!r} of domain {name!r} is not the 40 hexadecimal digits of a commit, "
            "and names of branches move."
        )
    texts = ("folder", "file", "dataset", "images", "labels", "configuration")
    return replace(place, **{key: getattr(place, key).replace("{domain}", name) for key in texts})


def _located(place: OwnPlace, path: Path, datasets: Path | None) -> tuple[OwnPlace, str]:
    """Returns the place with absolute paths, and what the user must give first; empty for nothing.

    The id of a repository stays where no such folder is.
    """
    found: dict[str, Any] = {}
    for key in ("folder", "file", "dataset", "images", "labels"):
        text = getattr(place, key)
        if not text.startswith(VARIABLE):
            file = (path.parent / Path(text).expanduser()).resolve()
        elif datasets is None:
            return (
                place,
                f"{VARIABLE[1:]} must name the folder that holds {text.removeprefix(VARIABLE + '/')}",
            )
        else:
            file = datasets / text.removeprefix(VARIABLE).lstrip("/")
            if not file.exists():
                return place, f"{file} is not there"
        found[key] = str(file) if text else ""
    if place.dataset:
        saved = [] if datasets is None else [datasets / place.dataset]
        folders = [folder for folder in (Path(found["dataset"]), *saved) if folder.is_dir()]
        if not folders and not place.revision:
            return place, (
                f"{path} has no revision of {place.dataset}; write the commit that the repository's page "
                "shows under the history of its files (into a copy of another name if the task is a shipped "
                f"one), or save the dataset as {VARIABLE}/{place.dataset}"
            )
        found["dataset"] = str([*folders, place.dataset][0])
    return replace(place, **found), ""


def _absent(place: OwnPlace, name: str, reason: str) -> Domain:
    """Returns a domain that can be described and not be read."""

    def read(archives: Archives) -> Iterator[Sample]:
        raise DataUnavailableError(f"Domain {name!r} is not here: {reason}.")

    made = f"{place.origin}; " if place.origin else ""
    return Domain(
        name=name,
        origin=f"{made}not here",
        licence=place.licence,
        stratum=place.stratum,
        family=place.family,
        sealed=place.sealed,
        groups="sample",
        read=read,
        awaits=reason,
    )


def _classes(file: TaskFile, places: dict[str, OwnPlace], path: Path) -> tuple[tuple[str, ...], float]:
    """Returns the names of the classes, or as many as a question has answers at most, and chance."""
    modality = modality_of(file.kind)
    guess = metric_of(file.metric or modality.metric).chance or uniform_guess
    if modality.classes:
        return (), guess(modality.classes)
    if isinstance(file.classes, list):
        return tuple(file.classes), guess(len(file.classes))
    asks = modality.form == "question"
    if asks and not file.classes:
        return _answers(places, path)
    sources = {name: places[name] for name in file.sources if name in places}
    readable = bool(sources) and all(one.folder or one.file for one in sources.values())
    numbered = tuple(f"class {number}" for number in range(file.classes))
    if asks or (file.classes and not readable):
        return numbered, guess(file.classes)
    if not readable or len(sources) < len(file.sources):
        raise DataUnavailableError(
            f"{path}: it has no `classes`, and they can be read of folders and files that are there alone; "
            "name them, in the order of their numbers, or say how many there are."
        )
    distinct = {name for domain, place in sources.items() for name in _labels(place, domain)}
    key: Callable[[str], Any] = int if all(name.isdecimal() for name in distinct) else str
    names = tuple(sorted(distinct, key=key))
    if len(names) < 2 or (file.classes and len(names) != file.classes):
        wanted = f"{file.classes} classes" if file.classes else "two classes or more"
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise HarnessError(f"{path}: it needs {wanted} and the sources have {len(names)}: {shown}.")
    return names, guess(len(names))


def _labels(place: OwnPlace, domain: str) -> Iterable[str]:
    if place.folder:
        return class_folders(Path(place.folder))
    return (str(cell(row, place.columns.label)) for row in domain_rows(place, domain))


def _answers(places: dict[str, OwnPlace], path: Path) -> tuple[tuple[str, ...], float]:
    counts = []
    for name, place in places.items():
        if place.file and Path(place.file).is_file():
            counts += [len(question_of(row, place.columns).choices) for row in domain_rows(place, name)]
    if not counts:
        raise DataUnavailableError(
            f"{path}: it has no `classes`, the most answers of a question, and no file to count them in."
        )
    return tuple(map(str, range(max(counts)))), sum(1 / count for count in counts) / len(counts)
