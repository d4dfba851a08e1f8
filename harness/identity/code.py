"""The digest of code as it is parsed: comments, docstrings and white space are no part of it."""

import ast
import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

from harness import catalog
from harness.errors import HarnessError
from harness.files import content_hash, file_hash
from harness.identity.memory import remembered

ROOT = Path(__file__).parents[1]
PRINTING = frozenset(
    f"harness.{name}"
    for name in (
        "catalog",
        "errors",
        *(f"guard.{name}" for name in ("inert", "keys", "network", "tied", "walls")),
        *("identity.code", "identity.content", "identity.memory", "cli.progress", "cli.cards"),
    )
)
"""Modules that units import and that change no result: they print, find files, name what is there, or send a
key to its host."""
POSITIONS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
"""Fields of syntax trees that say nothing, or not the same in all versions of Python."""

BODIES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
"""What may have a docstring."""


def closure(*files: Path) -> dict[str, str]:
    """Returns module -> digest of its parsed code, for the files and all that they import from here.

    Imports inside of functions count, those under TYPE_CHECKING do not; a package that only hands names on
    stands for the modules that the names come from. Packages that are installed beside the harness are left
    out, their versions being provenance, but for plug-ins of the catalog and what lies on no such path.
    """
    key = (files, os.environ.get("HARNESS_CATALOG", ""))
    known = _closures.get(key)
    if known is not None and all(_mark(file) == mark for file, mark in known.marks.items()):
        return dict(known.digests)
    found: dict[Path, tuple[int, int]] = {}
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file in found or _name(file) in PRINTING:
            continue
        found[file] = _mark(file)
        waiting += [one for one in _imports(file, found[file]) if one not in found]
    named = {_name(file): file for file in found}
    digests = {name: code_digest(file) for name, file in sorted(named.items())}
    _closures[key] = _Closure(found, digests)
    return dict(digests)


class _Closure(NamedTuple):
    """What was found from some files, which holds as long as no file changes."""

    marks: dict[Path, tuple[int, int]]
    digests: dict[str, str]


_closures: dict[tuple[tuple[Path, ...], str], _Closure] = {}


def code_digest(file: Path) -> str:
    """Returns 16 hexadecimal digits over the parsed code of a Python file."""
    return _parsed(file, _mark(file)).digest


def module_file(name: str) -> Path | None:
    """Returns the file of a module of the harness or the catalog; None where there is none."""
    parts = name.split(".")
    if parts[:2] == ["harness", "catalog"]:
        places = [root.joinpath(*parts[2:]) for root in catalog.roots()]
    elif parts[0] == "harness":
        places = [ROOT.joinpath(*parts[1:])]
    else:
        own = _own_package(parts[0])
        places = [] if own is None else [own.joinpath(*parts[1:])]
    for place in places:
        if (place / "__init__.py").is_file():
            return place / "__init__.py"
        if place.with_suffix(".py").is_file():
            return place.with_suffix(".py")
    return None


def _mark(file: Path) -> tuple[int, int]:
    try:
        state = file.stat()
    except OSError as error:
        raise HarnessError(f"Cannot read {file}: {error.strerror}.") from error
    return state.st_mtime_ns, state.st_size


class _Parsed(NamedTuple):
    """What of a file's code its digest and its imports follow from.

    Attributes:
        digest: over the parsed code.
        imports: level, module and name of each import; no name of a plain one.
        handed: the same, with the name under which it is handed on, of a file that does nothing else.
    """

    digest: str
    imports: Sequence[tuple[int, str, str | None]]
    handed: Sequence[tuple[int, str, str, str]] | None


@cache
def _parsed(file: Path, mark: tuple[int, int]) -> _Parsed:
    """Returns what is known of a file, which is parsed once on a machine while its bytes are the same."""
    try:
        source = file.read_bytes()
    except OSError as error:
        raise HarnessError(f"Cannot read {file}: {error.strerror}.") from error
    key = [hashlib.sha256(source).hexdigest(), _reader(), list(sys.version_info[:2])]
    return _Parsed(*remembered(key, lambda: _parse(file, source)))


@cache
def _reader() -> str:
    """Returns the hash of this file, which says what is known of another."""
    return file_hash(Path(__file__))


def _parse(file: Path, source: bytes) -> _Parsed:
    try:
        tree = ast.parse(source, str(file))
    except (SyntaxError, ValueError) as error:
        raise HarnessError(f"{file} is not Python: {error}.") from error
    imports: list[tuple[int, str, str | None]] = []
    for node in _executed(tree):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports += [(node.level, node.module or "", alias.name) for alias in node.names]
    digest = hashlib.sha256("".join(_words(tree)).encode()).hexdigest()[:16]
    return _Parsed(digest, imports, _handed_by(tree))


def _handed_by(tree: ast.Module) -> list[tuple[int, str, str, str]] | None:
    found = []
    for statement in _without_docstring(tree.body):
        if isinstance(statement, ast.ImportFrom) and statement.level < 2 and statement.module:
            names = [(alias.asname or alias.name, alias.name) for alias in statement.names]
            found += [(statement.level, statement.module, own, there) for own, there in names]
        elif not ast.unparse(statement).startswith(("__all__", "__version__")):
            return None
    return found


def _words(node: object) -> Iterator[str]:
    """Yields a text of the tree that no version of Python changes."""
    if isinstance(node, list):
        yield "["
        for one in node:
            yield from _words(one)
        yield "]"
    elif isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for field in sorted(node._fields):
            value = getattr(node, field, None)
            if field in POSITIONS or value is None or value == []:
                continue
            if field == "body" and isinstance(node, BODIES):
                value = _without_docstring(value)
            yield f" {field}="
            yield from _words(value)
        # None is a constant as well as an absent field.
        yield f"{node.value!r})" if isinstance(node, ast.Constant) and node.value is None else ")"
    else:
        yield f"{type(node).__name__}:{node!r},"


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Returns the statements without those that are only a text, be it of a function or of a name."""
    return [
        one
        for one in body
        if not (
            isinstance(one, ast.Expr)
            and isinstance(one.value, ast.Constant)
            and isinstance(one.value.value, str)
        )
    ]


@cache
def _imports(file: Path, mark: tuple[int, int]) -> tuple[Path, ...]:
    """Returns the files that a file imports, in the order in which it names them."""
    found: dict[Path, None] = {}
    package = _name(file) if file.name == "__init__.py" else _name(file).rpartition(".")[0]
    for level, module, what in _parsed(file, mark).imports:
        if what is None:
            found |= dict.fromkeys([*_files_of(module), *_all_of(module)])
            continue
        base = package.split(".")[: len(package.split(".")) - level + 1] if level else []
        name = ".".join([*base, *([module] if module else [])])
        found |= dict.fromkeys(_files_from(name, what))
    return tuple(found)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """Yields all nodes but those under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from (one for other in child.orelse for one in [other, *_executed(other)])
        else:
            yield child
            yield from _executed(child)


def _files_of(name: str) -> list[Path]:
    """Returns the files that `import NAME` runs: the module's and those of the packages around it."""
    parts = name.split(".")
    found = [module_file(".".join(parts[:end])) for end in range(1, len(parts) + 1)]
    return [one for one in found if one is not None and _names_of(one) is None]


def _files_from(name: str, what: str) -> list[Path]:
    """Returns the files that `from NAME import WHAT` needs."""
    if module_file(f"{name}.{what}") is not None:
        return _files_of(f"{name}.{what}")
    file = module_file(name)
    if file is None or (handed := _names_of(file)) is None:
        return _files_of(name)
    if what in handed:
        return [*_files_of(name), *_files_from(*handed[what])]
    # `__version__` is the package's own; a star, or a name that is not there, needs all that it hands on.
    return [*_files_of(name), *([file] if what.startswith("__") else _all_of(name))]


def _all_of(name: str) -> list[Path]:
    """Returns the files of a package that only hands names on, any of which may be meant; none of others."""
    file = module_file(name)
    handed = _names_of(file) if file is not None else None
    if file is None or handed is None:
        return []
    return [file, *(one for module, inner in handed.values() for one in _files_from(module, inner))]


def _names_of(file: Path) -> Mapping[str, tuple[str, str]] | None:
    """Returns what a package hands on that does nothing but import names; None for any other file."""
    return _handed(file, _mark(file)) if file.name == "__init__.py" else None


@cache
def _handed(file: Path, mark: tuple[int, int]) -> Mapping[str, tuple[str, str]] | None:
    """Returns name -> (module, name there) of a package that only hands names on; None for any other."""
    stub = file.with_suffix(".pyi")
    if stub.is_file():  # what is handed on stands there
        file, mark = stub, _mark(stub)
    handed = _parsed(file, mark).handed
    if handed is None:
        return None
    inside = f"{_name(file.with_suffix('.py'))}."
    return {own: (f"{inside * bool(level)}{module}", there) for level, module, own, there in handed}


def _name(file: Path) -> str:
    """Returns the module name of a file; its path where it belongs to no package."""
    parts: list[str] | None = None
    for root in catalog.roots():
        if file.is_relative_to(root) and file.relative_to(root).parts[:1] != ("harness",):
            relative = file.relative_to(root).with_suffix("").parts
            if len(relative) > 1:
                parts = ["harness", "catalog", *relative]
    if parts is None:
        top = file.parent
        while (top / "__init__.py").is_file():
            top = top.parent
        parts = [*file.relative_to(top).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _own_package(name: str) -> Path | None:
    """Returns where a top-level module lies that is no installed package; None for one that is."""
    if name in sys.builtin_module_names or name in sys.stdlib_module_names:
        return None
    spec = PathFinder.find_spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    file = Path(spec.origin).resolve()
    place = file.parent if file.name == "__init__.py" else file.with_suffix("")
    plugins = {folder.parts[-1] for folder in catalog._plugin_folders()} | {
        folder.parts[-2] for folder in catalog._plugin_folders() if len(folder.parts) > 1
    }
    installed = [Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib", "stdlib")]
    if name not in plugins and any(file.is_relative_to(folder) for folder in installed):
        return None
    return place


def combined(modules: Mapping[str, str]) -> str:
    """Returns the digest of several modules, whichever machine they lie on."""
    return content_hash(sorted(modules.items()))
