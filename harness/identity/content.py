"""What a unit is: the content of all that it runs and reads, besides its parameters and its needs.

A unit's *plan key* is over kind, parameters, this content and the plan keys of its needs: it is known before
anything runs and names the unit's folder. Its *input key*, the results of its needs, is kept in its record
and compared before the record is believed. Versions of packages and machines are in neither.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

from harness import catalog
from harness.errors import HarnessError
from harness.files import content_hash
from harness.identity.code import closure, combined, module_file
from harness.identity.kinds import work_of
from harness.identity.unit import Unit
from harness.task.task import Task
from harness.toml import read_toml

LARGE_BYTES: Final = 2**32
"""Beyond, a file is told apart by its size and the time of its change, as reading it takes minutes."""
UNSCORED: Final = ("prepare", "supernet", "proxies")
"""Kinds of units whose results hold no score."""
Parts = dict[str, str]
"""Module or file -> digest of its content."""


def code_of(kind: str, spec: Mapping[str, Any]) -> dict[str, str]:
    """Returns label -> digest of what a unit runs and reads, as `Unit.code` has it."""
    return {label: combined(parts) for label, parts in parts_of(kind, spec).items()}


def check_code(unit: Unit) -> None:
    """Makes sure that what a unit runs is still what its plan was made of.

    Raises:
        HarnessError: it was edited since; what was edited meanwhile is run by the next command.
    """
    if not unit.code:
        return
    now = code_of(unit.kind, unit.spec)
    edited = [label for label in sorted({*now, *unit.code}) if now.get(label) != unit.code.get(label)]
    if edited:
        raise HarnessError(f"{' and '.join(edited)} was edited while the run went on; run the command again.")


def parts_of(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    """Returns label -> what is behind it, module or file -> digest.

    Raises:
        UnknownNameError: there is no such entry.
        HarnessError: a file cannot be read.
    """
    work = module_file(work_of(kind, spec)[0])
    assert work is not None
    engine = closure(work)
    found: dict[str, Parts] = {"engine": engine}
    for entries in INPUTS.values():
        for label, parts in entries(kind, spec).items():
            # What every unit of this kind runs is the engine's; what only an entry imports is the entry's.
            found[label] = {name: digest for name, digest in parts.items() if name not in engine}
    return found


def code_of_module(name: str) -> str:
    """Returns the digest of a module of the engine and of all that it imports."""
    file = module_file(name)
    assert file is not None
    return combined(closure(file))


def reader_of(task_name: str, readers: tuple[Path, ...]) -> Parts:
    """Returns what defines the samples of a task's domains: its file with its imports, and the readers'.

    Args:
        task_name: of the task, which need not be in the catalog.
        readers: where what reads a domain stands.
    """
    entry = catalog.files("task").get(task_name)
    preparation = module_file("harness.data.prepare")
    assert preparation is not None
    starts = [preparation, *([entry] if entry and entry.suffix == ".py" else []), *readers]
    found = closure(*starts)
    if entry is not None and entry.suffix == ".toml":
        reader = module_file("harness.data.own.task")
        assert reader is not None
        found |= closure(reader)
        found[entry.stem] = toml_digest(entry)
    return found


def _task(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    """A preparation runs the task's reader; all others see what the task says it is, and the data."""
    names = [spec[key] for key in ("task", "trained_on") if key in spec]
    if kind == "prepare":
        return {f"task {spec['task']}": reader_of(spec["task"], ())}
    found = {}
    for name in names:
        if name in catalog.files("task"):  # a board of zero-shot scores bears a name of its own
            task: Task = catalog.load("task", name)
            said = [asdict(task.signature), task.metric, task.chance, list(task.class_names)]
            found[f"task {name}"] = {name: content_hash(said)}
    return found


def _metric(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    """What a score is, of the task and of a board of zero-shot scores."""
    if kind in UNSCORED:
        return {}
    names = {task.metric for task in _tasks(spec)} | {spec[key] for key in ("metric",) if key in spec}
    return {f"metric {name}": _entry("metric", name) for name in sorted(names)}


def _modality(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    """How the inputs of a task are kept, read and scored."""
    names = sorted({task.signature.kind for task in _tasks(spec)})
    return {f"modality {name}": _entry("modality", name) for name in names}


def _tasks(spec: Mapping[str, Any]) -> list[Task]:
    """Returns the tasks of the catalog that a unit reads, among them that of a zero-shot domain."""
    names = {spec[key] for key in ("task", "trained_on") if key in spec}
    names |= {spec["domain"].rpartition("/")[0]} if "trained_on" in spec else set()
    return [catalog.load("task", name) for name in sorted(names & catalog.files("task").keys())]


def _space(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    names = {str(spec[key]).partition(":")[0] for key in ("space", "tuned_space") if spec.get(key)}
    names |= set(_words(kind, spec)) & catalog.files("space").keys()  # as in default:SPACE:PRESET
    if "table" in spec:
        card = catalog.load("table", spec["table"])
        every = [card, *card.get("domains", {}).values()]
        names |= {one["space"].partition(":")[0] for one in every if one.get("space")}
    return {f"space {name}": _entry("space", name) for name in sorted(names)}


def _searcher(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    if "searcher" not in spec:
        return {}
    name = spec["searcher"]
    return {f"searcher {name}": _entry("searcher", name)}


def _prompts(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    """The files that a searcher says it reads, such as prompts."""
    if "searcher" not in spec:
        return {}
    entry = catalog.load("searcher", spec["searcher"])
    folders = entry.reads(spec["options"])
    read = {f"{folder.name}/{name}": one for folder in folders for name, one in _files(folder)}
    return {f"files of searcher {spec['searcher']}": read} if read else {}


def _baseline(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    """A baseline's family, and that of another that it tunes, as in tuned:FAMILY:MEMBER."""
    names = [name for name in _words(kind, spec) if name in catalog.files("baseline")]
    return {f"baseline {name}": _entry("baseline", name) for name in names}


def _floor(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    """The floor that a kind of input names, of the rows of floors."""
    entries = [
        catalog.load("baseline", name) for name in _words(kind, spec) if name in catalog.files("baseline")
    ]
    if not any(hasattr(entry, "restore") for entry in entries):
        return {}
    found: dict[str, Parts] = {}
    for signature in (task.signature for task in _tasks(spec)):
        file = module_file(catalog.load("modality", signature.kind).floor.partition(":")[0])
        found |= {f"floor of {signature.kind}": closure(file)} if file is not None else {}
    return found


def _words(kind: str, spec: Mapping[str, Any]) -> list[str]:
    """Returns the parts of a baseline's name; nothing for what a search in a space chose."""
    if "method" not in spec or spec.get("space") or "searcher" in spec:
        return []
    return str(spec["method"]).split(":")


def _model(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    """The files that a model of the user's own is made of; Python as parsed code with what it imports."""
    if not _baseline(kind, spec):
        return {}
    found = {}
    for file in getattr(catalog.load("baseline", spec["method"]), "files", ()):
        found[f"model {file.name}"] = closure(file) if file.suffix == ".py" else {file.name: _content(file)}
    return found


def _table(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    if "table" not in spec:
        return {}
    return {f"table {spec['table']}": {spec["table"]: toml_digest(catalog.files("table")[spec["table"]])}}


def _model_file(kind: str, spec: Mapping[str, Any]) -> dict[str, Parts]:
    """The weights of a language model of the user's own."""
    path = spec.get("llm", {}).get("model_file", "")
    if not path or not Path(path).expanduser().is_file():
        return {}
    file = Path(path).expanduser()
    return {f"model_file {file.name}": {file.name: _content(file)}}


INPUTS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Parts]]]] = {
    "task": _task,
    "metric": _metric,
    "modality": _modality,
    "space": _space,
    "searcher": _searcher,
    "prompts": _prompts,
    "baseline": _baseline,
    "floor": _floor,
    "model": _model,
    "table": _table,
    "model_file": _model_file,
}
"""Kinds of content beside the engine that a unit may depend on, and what gives label -> parts of each."""


def _entry(kind: str, name: str) -> Parts:
    found = catalog.files(kind)
    if name not in found:
        return {}
    return closure(found[name])


def _files(folder: Path) -> list[tuple[str, str]]:
    """Returns name and digest of a file, or of all files of a folder."""
    if folder.is_file():
        return [("", _content(folder))]
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return [(file.relative_to(folder).as_posix(), _content(file)) for file in files]


def toml_digest(file: Path) -> str:
    """Returns the digest of what a TOML file says, without its comments.

    Raises:
        HarnessError: it cannot be read, or is not TOML.
    """
    return content_hash(_plain(read_toml(file)))


def _plain(value: Any) -> Any:
    """Returns JSON of a TOML value."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | bool) else repr(value)


def _content(file: Path) -> str:
    """Returns the digest of a file, which is read once as long as it does not change."""
    if not file.is_file():
        raise HarnessError(f"There is no file {file}; give one that a model can be read from.")
    state = file.stat()
    if state.st_size > LARGE_BYTES:
        return content_hash([state.st_size, state.st_mtime_ns])
    return _sha256(file, state.st_mtime_ns, state.st_size)


@cache
def _sha256(file: Path, changed: int, size: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
