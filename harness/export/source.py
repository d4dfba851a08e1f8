"""The code of a network as one file that needs torch alone, taken from ours name by name."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from harness.errors import HarnessError

ROOMS: Final = ("harness.nn.", "harness.task.")
"""Where code may lie that needs torch alone."""


class _Module(NamedTuple):
    """A module: its lines, name -> statement that defines it, name -> module that it comes from."""

    name: str
    lines: list[str]
    defined: dict[str, ast.stmt]
    imported: dict[str, tuple[str, ast.stmt]]


class StandAlone(NamedTuple):
    """Imports, and definitions of a class and of all that it uses of ours, each before what needs it."""

    imports: str
    definitions: str


def stand_alone(module: str, name: str) -> StandAlone:
    """Returns the code of a class, with all that it uses of the harness.

    Raises:
        HarnessError: a part of it lies where code may need more than torch.
    """
    used: dict[str, dict[str, ast.stmt]] = {}  # what is needed stands before what needs it
    imports: dict[str, None] = {}
    modules: dict[str, _Module] = {}

    def take(of: str, wanted: str) -> None:
        if of not in modules:
            modules[of] = _read(of)
        module, taken = modules[of], used.setdefault(of, {})
        if wanted in taken:
            return
        taken[wanted] = statement = module.defined[wanted]
        for name in _names(statement):
            if name in module.defined:
                take(of, name)
            elif name in module.imported:
                source, node = module.imported[name]
                if source.startswith("harness."):
                    take(source, name)
                else:
                    imports[_only(node, name)] = None

    take(module, name)
    order = list(_ordered(module, modules, used))
    names = [one for of in order for one in used[of]]
    if twice := sorted({one for one in names if names.count(one) > 1}):
        raise HarnessError(f"The code of {name} is no one file, as it has {' and '.join(twice)} twice.")
    texts = [
        _text(modules[one].lines, statement)
        for one in order
        for statement in sorted(used[one].values(), key=lambda statement: statement.lineno)
    ]
    return StandAlone("\n".join(sorted(imports)), "\n\n\n".join(texts))


def _read(name: str) -> _Module:
    if not name.startswith(ROOMS):
        raise HarnessError(f"The network has code in {name}, which may need more than torch.")
    source = Path(str(import_module(name).__file__)).read_text(encoding="utf-8")
    defined: dict[str, ast.stmt] = {}
    imported: dict[str, tuple[str, ast.stmt]] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined |= {target.id: node for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Import):
            imported |= {_local(alias): (alias.name, node) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {_local(alias): (str(node.module), node) for alias in node.names}
    return _Module(name, source.splitlines(), defined, imported)


def _local(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _names(statement: ast.stmt) -> Iterator[str]:
    """Yields the names that a statement reads, wherever in it."""
    for node in ast.walk(statement):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("harness."):
            raise HarnessError(f"The network has code that imports {node.module} when it runs.")
        if isinstance(node, ast.Name):
            yield node.id


def _only(node: ast.stmt, name: str) -> str:
    """Returns an import of one name of those that a statement imports."""
    assert isinstance(node, ast.Import | ast.ImportFrom)
    names = [one for one in node.names if _local(one) == name]
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import(names=names))
    return ast.unparse(ast.ImportFrom(module=node.module, names=names, level=node.level))


def _ordered(name: str, modules: dict[str, _Module], used: dict[str, dict[str, ast.stmt]]) -> Iterator[str]:
    """Yields the modules that something was taken of, each after those that it imports."""
    done: set[str] = set()

    def visit(one: str) -> Iterator[str]:
        if one in done or one not in used:
            return
        done.add(one)
        for source in dict.fromkeys(source for source, _ in modules[one].imported.values()):
            yield from visit(source)
        yield one

    yield from visit(name)


def _text(lines: list[str], statement: ast.stmt) -> str:
    """Returns a statement as it is written, with its decorators."""
    decorators = getattr(statement, "decorator_list", [])
    start = min([statement.lineno, *(one.lineno for one in decorators)])
    return "\n".join(lines[start - 1 : statement.end_lineno])
