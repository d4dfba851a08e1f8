"""What a unit is: the content of all that it runs and reads, besides its parameters and its needs.

A unit's *plan key* is over kind, parameters, this content and the plan keys of its needs: it is known before
anything runs and names the unit's folder. Its *input key*, the results of its needs, is kept in its record
and compared before the record is believed. Versions of packages and machines are in neither.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from harness import catalog
from harness.errors import HarnessError
from harness.files import content_hash, known_hash
from harness.identity.code import closure, combined, module_file
from harness.identity.unit import AnyKind, AnyUnit, Read, Spec, apart
from harness.task.task import Task
from harness.toml import read_toml

LARGE_BYTES: Final = 2**32
"""Beyond, a file is told apart by its size and the time of its change, as reading it takes minutes."""
Parts = dict[str, str]
"""Module or file -> digest of its content."""


def code_of(kind: AnyKind, spec: Spec) -> dict[str, str]:
    """Returns label -> digest of what a unit runs and reads, as `Unit.code` has it."""
    with catalog.held():
        reads = tuple(spec.reads())
        return dict(catalog.once((kind.work, reads), lambda: _digests(kind.work, reads)))


def _digests(work: str, reads: tuple[Read, ...]) -> dict[str, str]:
    return {label: combined(parts) for label, parts in _parts_of(work, reads).items()}


def check_code(unit: AnyUnit) -> None:
    """Makes sure that what a unit runs is still what its plan was made of.

    Raises:
        HarnessError: it was edited since; what was edited meanwhile is run by the next command.
    """
    if not unit.code:
        return
    edited = apart(code_of(unit.kind, unit.spec), unit.code)
    if edited:
        raise HarnessError(f"{' and '.join(edited)} was edited while the run went on; run the command again.")


def parts_of(kind: AnyKind, spec: Spec) -> dict[str, Parts]:
    """Returns label -> what is behind it, module or file -> digest."""
    with catalog.held():
        return _parts_of(kind.work, tuple(spec.reads()))


def _parts_of(work: str, reads: tuple[Read, ...]) -> dict[str, Parts]:
    engine = closure(_module(work.partition(":")[0]))
    found: dict[str, Parts] = {"engine": engine}
    for read in reads:
        for label, parts in INPUTS[read.input](read).items() if read.name else ():
            # What every unit of this kind runs is the engine's; what only an entry imports is the entry's.
            found[label] = {name: digest for name, digest in parts.items() if name not in engine}
    return found


def code_of_module(name: str) -> str:
    """Returns the digest of a module of the engine and of all that it imports."""
    return combined(closure(_module(name)))


def reader_of(task_name: str, readers: tuple[Path, ...]) -> Parts:
    """Returns what defines the samples of a task's domains: its file, if any, and the readers' files."""
    entry = catalog.files("task").get(task_name)
    starts = [_module("harness.data.prepare"), *readers]
    if entry is None or entry.suffix == ".py":
        return closure(*starts, *([entry] if entry else []))
    return closure(*starts, _module("harness.data.own.task")) | {entry.stem: toml_digest(entry)}


def _module(name: str) -> Path:
    """Returns the file of a module that there is."""
    file = module_file(name)
    assert file is not None
    return file


def _task(read: Read) -> dict[str, Parts]:
    """What a task says it is; a preparation sees its reader in place of it, and all others the data."""
    task: Task = catalog.load("task", read.name)
    said = [asdict(task.signature), task.metric, task.chance, list(task.class_names)]
    return {f"task {read.name}": {read.name: content_hash(said)}}


def _entry(read: Read) -> dict[str, Parts]:
    """The file of an entry of the catalog."""
    file = catalog.files(read.input).get(read.name)
    return {f"{read.input} {read.name}": closure(file) if file else {}}


def _prompts(read: Read) -> dict[str, Parts]:
    """The files that a searcher says it reads, such as prompts."""
    found = {f"{folder.name}/{name}": one for folder in read.files for name, one in _files(folder)}
    return {f"files of searcher {read.name}": found} if found else {}


def _floor(read: Read) -> dict[str, Parts]:
    """The floor that a kind of input names."""
    file = module_file(catalog.load("modality", read.name).floor.partition(":")[0])
    return {f"floor of {read.name}": closure(file)} if file is not None else {}


def _model(read: Read) -> dict[str, Parts]:
    """The files that a model of the user's own is made of; Python as parsed code with what it imports."""
    return {
        f"model {file.name}": closure(file) if file.suffix == ".py" else {file.name: _content(file)}
        for file in read.files
    }


def _model_file(read: Read) -> dict[str, Parts]:
    """The weights of a language model of the user's own."""
    return {f"model_file {file.name}": {file.name: _content(file)} for file in read.files if file.is_file()}


INPUTS: Final[Mapping[str, Callable[[Read], dict[str, Parts]]]] = {
    **dict.fromkeys(("metric", "modality", "space", "searcher", "baseline"), _entry),
    "reader": lambda read: {f"task {read.name}": reader_of(read.name, ())},
    "task": _task,
    "prompts": _prompts,
    "floor": _floor,
    "model": _model,
    "table": lambda read: {f"table {read.name}": {read.name: toml_digest(catalog.files("table")[read.name])}},
    "model_file": _model_file,
}
"""Kinds of content beside the engine that a unit may depend on, and what gives label -> parts of each."""


def _files(folder: Path) -> list[tuple[str, str]]:
    """Returns name and digest of a file, or of all files of a folder."""
    if folder.is_file():
        return [("", _content(folder))]
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return [(file.relative_to(folder).as_posix(), _content(file)) for file in files]


def toml_digest(file: Path) -> str:
    """Returns the digest of what a TOML file says, without its comments."""
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
    return known_hash(file)[:16]
