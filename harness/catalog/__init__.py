"""The catalog: kind and name -> file -> object, one file per entry and no registry.

`harness/catalog/KINDFOLDER/NAME.py` is an entry in every mode: installed wheels carry the folders inside the
package; in a checkout the repository's root is appended to this package's search path, and so are the
folders named by `HARNESS_CATALOG` (separated as in PATH). In tasks/ a TOML file whose top level has the key
`kind` is a task, and another one a table.
"""

import ast
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from harness.errors import HarnessError, UnknownNameError
from harness.guard.paths import path_part
from harness.toml import LARGEST_BYTES, read_toml

if TYPE_CHECKING:
    from harness.task.metric import Metric

T = TypeVar("T")


class Kind(NamedTuple):
    """Where entries of a kind stand, and what their constant is called (None: a TOML file).

    `reader` is MODULE:FUNCTION of what makes an entry of a TOML file all the same. It stands on a higher
    floor, as entries do, and is imported by its name as they are. Where `file` is given an entry is a folder
    that holds it; those of the package stand in `harness/study`.
    """

    folder: str
    constant: str | None
    reader: str = ""
    file: str = ""


KINDS: Final[dict[str, Kind]] = {
    "task": Kind("tasks", "TASK", "harness.data.own.task:read_task"),
    "table": Kind("tasks", None),
    "space": Kind("search_spaces", "SPACE"),
    "searcher": Kind("searchers", "SEARCHER"),
    "baseline": Kind("baselines", "BASELINE"),
    "suite": Kind("leaderboards", None),
    "section": Kind("reports", "SECTION"),
    "study": Kind("studies", "STUDY", file="study.py"),
    "metric": Kind("metrics", "METRIC"),
    "modality": Kind("modalities", "MODALITY"),
}


_SUMMARY: Final = re.compile(rb'(?:[ \t]*(?:#[^\n]*)?\r?\n)*"""([^"\\\r\n]+)("""|\r?\n)')
"""The first line of a docstring as nearly all have it; parsing the others takes a hundred times as long."""
FAMILIES: Final = ("baseline", "searcher")
"""Kinds of which an entry may stand for many members, each named `FAMILY:MEMBER`."""


def _shipped() -> list[Path]:
    package = Path(__file__).parent
    checkout = package.parents[1]
    is_checkout = (checkout / "pyproject.toml").is_file() and (checkout / "tasks").is_dir()
    return [package, checkout] if is_checkout else [package]


def roots() -> list[Path]:
    """Returns the folders that hold kind folders: the package, the checkout, plug-ins, HARNESS_CATALOG."""
    found = [*_shipped(), *_plugin_folders()]
    for text in os.environ.get("HARNESS_CATALOG", "").split(os.pathsep):
        if not text:
            continue
        folder = Path(text).expanduser().resolve()
        if not folder.is_dir():
            raise HarnessError(f"HARNESS_CATALOG names {folder}, which is not a folder.")
        found.append(folder)
    return found


@cache
def _plugin_folders() -> dict[Path, str]:
    """Returns folder -> package of installed plug-ins; reading the metadata of all packages is slow."""
    found: dict[Path, str] = {}
    for point in entry_points(group="harness.catalog"):
        package = point.dist.name if point.dist is not None else point.name
        try:
            module = importlib.import_module(point.value)
            found |= {Path(place): package for place in module.__path__}
        except (Exception, SystemExit) as error:
            raise HarnessError(
                f"The plug-in {point.name!r} of package {package!r} does not import: "
                f"{type(error).__name__}: {error}; mend it, or uninstall the package."
            ) from error
    return found


class Told(NamedTuple):
    """What a list says of an entry.

    Attributes:
        name: of the entry.
        summary: the first line of its file, or what its TOML says.
        origin: `shipped`, the package of a plug-in, or the folder that HARNESS_CATALOG names.
        file: where it stands.
    """

    name: str
    summary: str
    origin: str
    file: Path


def told(kind: str) -> list[Told]:
    """Returns what a list says of every entry of `kind`, importing none."""
    engine = Path(__file__).parents[1]
    origins = dict.fromkeys([*_shipped(), engine], "shipped") | _plugin_folders()
    found = []
    for name, file in files(kind).items():
        above = [root for root in [*roots(), engine] if file.is_relative_to(root)]
        root = max(above, key=lambda one: len(one.parts), default=file.parent)
        found.append(Told(name, _summary(file), origins.get(root, str(root)), file))
    return found


def _summary(file: Path) -> str:
    if file.suffix == ".toml":
        table = read_toml(file)
        return str(next((table[key] for key in ("summary", "title") if key in table), ""))
    try:
        source = file.read_bytes()
        if plain := _SUMMARY.match(source):
            return plain[1].decode().strip()
        said = ast.get_docstring(ast.parse(source)) or ""
    except (SyntaxError, ValueError, OSError):
        return "cannot be read as Python"
    return said.partition("\n")[0]


def files(kind: str) -> dict[str, Path]:
    """Returns name -> file of every entry of `kind`, sorted by name, importing none.

    Raises:
        HarnessError: two folders hold the same name, or there is no such kind.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    return dict(once(("files", kind), lambda: _found(kind)))


_held: dict[Any, Any] | None = None


@contextmanager
def held() -> Iterator[None]:
    """Takes the catalog, and the code of its entries, not to change while it is open."""
    global _held
    before, _held = _held, {} if _held is None else _held
    try:
        yield
    finally:
        _held = before


def once(key: Any, compute: Callable[[], T]) -> T:
    """Returns what `compute` does, which is called once for a key while the catalog is held."""
    if _held is None:
        return compute()
    if key not in _held:
        _held[key] = compute()
    found: T = _held[key]
    return found


def _found(kind: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for root in roots():
        for file in _files_of(kind, root):
            name = file.parent.name if KINDS[kind].file else file.stem
            if name.startswith("_"):
                continue
            if name in found and found[name] != file:
                raise HarnessError(f"{kind} {name!r} stands in {found[name]} and in {file}; rename one.")
            found[name] = file
    return dict(sorted(found.items()))


def _files_of(kind: str, root: Path) -> list[Path]:
    folder, constant, reader, file = KINDS[kind]
    if file:
        place = root.parent / "study" if root == Path(__file__).parent else root / folder
        return sorted(place.glob(f"*/{file}"))
    tables = sorted((root / folder).glob("*.toml")) if constant is None or reader else []
    if folder == KINDS["task"].folder:
        tables = [file for file in tables if _is_task(file) == (kind == "task")]
    return tables if constant is None else sorted([*(root / folder).glob("*.py"), *tables])


def _is_task(file: Path) -> bool:
    """Returns whether a TOML file has `kind` at its top level; it need not be right otherwise."""
    if not file.is_file():
        return False
    with file.open(encoding="utf-8", errors="replace") as opened:
        for line in opened.read(LARGEST_BYTES).splitlines():
            key, sign, _ = line.partition("=")
            if sign and key.strip() == "kind":
                return True
            if line.lstrip().startswith("["):
                return False
    return False


def names(kind: str) -> list[str]:
    """Returns the names of every entry of `kind`, importing none."""
    return list(files(kind))


def load(kind: str, name: str) -> Any:
    """Returns the entry's constant, a suite's parsed TOML table, or the member `FAMILY:MEMBER` of an entry.

    Raises:
        UnknownNameError: there is no such entry, or it is the name of a member without that of its family.
        HarnessError: its file does not import or lacks the constant.
    """
    if kind in FAMILIES and ":" in name:
        family, _, member = name.partition(":")
        entry = load(kind, family)
        if getattr(entry, "named", None) is None:
            told = f"{kind.capitalize()} {family!r}"
            raise HarnessError(f"{told} has no members; write it without {':' + member!r}.")
        return entry.named(member)
    found = files(kind)
    if name not in found:
        raise UnknownNameError(kind, name, _families_of(kind, name) or found)
    path_part(kind, name)
    folder, constant, reader, file = KINDS[kind]
    if constant is None:
        return read_toml(found[name])
    if found[name].suffix == ".toml":
        text = os.environ.get("HARNESS_DATASETS", "")
        datasets = Path(text).expanduser().resolve() if text else None
        return _read(reader, found[name], found[name].stat().st_mtime_ns, datasets)
    for root in once("roots", roots):
        if str(root) not in __path__:
            __path__.append(str(root))
    module_name = f"{__name__}.{folder}.{name}" + (f".{Path(file).stem}" if file else "")
    if found[name].is_relative_to(Path(__file__).parents[1] / "study"):
        module_name = f"harness.study.{name}.{Path(file).stem}"
    try:
        with _no_bytecode():
            module = importlib.import_module(module_name)
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        sys.modules.pop(module_name, None)
        raise HarnessError(
            f"{kind} {name!r} does not import: {type(error).__name__}: {error} ({found[name]})."
        ) from error
    if not hasattr(module, constant):
        raise HarnessError(f"{found[name]} has no constant {constant}; define it to offer the {kind}.")
    return getattr(module, constant)


def _families_of(kind: str, member: str) -> list[str]:
    """Returns the `FAMILY:MEMBER` of each family that has a member of that name and can list its members."""
    entries = {name: load(kind, name) for name in names(kind)} if kind in FAMILIES else {}
    listed = {name: getattr(entry, "members", None) for name, entry in entries.items()}
    return [f"{name}:{member}" for name, members in listed.items() if members and member in members()]


def metric_of(name: str) -> "Metric":
    """Returns the metric called `name`."""
    return _metric(name, os.environ.get("HARNESS_CATALOG", ""))


@cache
def _metric(name: str, places: str) -> "Metric":
    """Returns a metric, whose file is looked for once, as boards print thousands of values."""
    metric: Metric = load("metric", name)
    return metric


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Keeps no compiled form of entries: Python takes one for an edit of equal length in the same second."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


@cache
def _read(reader: str, file: Path, changed: int, datasets: Path | None) -> Any:
    """Returns the entry of a TOML file, once in a process, as what it reads may be large."""
    module, _, function = reader.partition(":")
    return getattr(importlib.import_module(module), function)(file, datasets)


with suppress(HarnessError):  # a wrong folder is told where the catalog is read, not where it is imported
    for _root in roots():
        if str(_root) not in __path__:
            __path__.append(str(_root))
