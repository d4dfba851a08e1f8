"""The rules of the house that no linter knows. Truth: the syntax trees of every file."""

import ast
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    file.relative_to(ROOT)
    for folder in ("harness", "tasks", "search_spaces", "reports")
    for file in (ROOT / folder).rglob("*.py")
    if not file.is_relative_to(ROOT / "harness" / "catalog" / folder)
)
TREES = {file: ast.parse((ROOT / file).read_text()) for file in FILES}
STUDIES = ("trained", "lookup", "ranking", "diversity")
KINDS = ("searchers", "baselines", "metrics", "modalities")
ENTRIES = [
    file
    for file in FILES
    if file.parts[0] != "harness" or (file.parts[1] == "catalog" and file.parts[2] in KINDS)
]
INSIDE = ("run", "identity", "workers", "cli", "checks", "report")
"""Rooms that no entry imports but through the names of `harness`."""


def imported(file: Path) -> Iterator[str]:
    """Yields the modules that a file imports, also inside of functions and for type checking."""
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def reaches(file: Path, *prefixes: str) -> list[str]:
    return [
        f"{file} imports {name}"
        for name in imported(file)
        if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
    ]


def test_the_rules_see_files() -> None:
    assert len(FILES) > 250
    assert len(ENTRIES) > 60


def test_entries_import_the_stable_names_and_open_rooms_alone() -> None:
    closed = [f"harness.{room}" for room in INSIDE]
    assert [wrong for file in ENTRIES for wrong in reaches(file, *closed)] == []


def test_no_entry_imports_another() -> None:
    others = [f"harness.catalog.{kind}" for kind in (*KINDS, "tasks", "search_spaces", "reports")]
    assert [wrong for file in ENTRIES for wrong in reaches(file, *others)] == []


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_imports_no_other(study: str) -> None:
    others = [f"harness.study.{other}" for other in STUDIES if other != study]
    mine = [file for file in FILES if file.is_relative_to(f"harness/study/{study}")]
    assert mine
    assert [wrong for file in mine for wrong in reaches(file, *others)] == []


def test_the_spine_knows_no_study_by_name() -> None:
    spine = [
        file
        for file in FILES
        if file.parts[:2] in [("harness", room) for room in ("run", "board", "report", "workers")]
    ]
    spine += [file for file in FILES if file.parent == Path("harness/study")]
    studies = [f"harness.study.{study}" for study in STUDIES]
    assert [wrong for file in spine for wrong in reaches(file, *studies)] == []


def test_only_the_command_line_prints() -> None:
    printing = [
        str(file)
        for file in FILES
        if file.parts[:2] != ("harness", "cli")
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def test_a_room_has_at_most_twelve_modules_and_the_engine_four_without_a_room() -> None:
    doors = ("__init__.py", "__main__.py")
    rooms = Counter(file.parent for file in FILES if file.name not in doors and file not in ENTRIES)
    assert {str(room): count for room, count in rooms.items() if count > 12} == {}
    assert rooms[Path("harness")] <= 4


def test_a_public_class_name_stands_once() -> None:
    places: dict[str, list[str]] = {}
    for file in FILES:
        for node in TREES[file].body:
            if (
                file.parts[0] == "harness"
                and isinstance(node, ast.ClassDef)
                and not node.name.startswith("_")
            ):
                places.setdefault(node.name, []).append(str(file))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_file_has_more_than_four_hundred_lines() -> None:
    long = {str(file): (ROOT / file).read_text().count("\n") for file in FILES}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}


def test_specifications_and_results_are_never_read_by_a_text_key() -> None:
    found = []
    for file in FILES:
        for node in ast.walk(TREES[file]):
            match node:
                case ast.Subscript(value=value, slice=ast.Constant(value=str())):
                    pass
                case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[ast.Constant(), *_]):
                    pass
                case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(), *_]):
                    pass
                case _:
                    continue
            last = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
            if last in ("spec", "suite", "result") or last.endswith(("_spec", "_result")):
                found.append(f"{file}:{node.lineno}")
    assert found == []


def test_what_is_committed_speaks_of_no_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("this is no checkout")
    words = ("/home/", "/root/", "/Users/")
    texts = (ROOT / name for name in tracked.stdout.splitlines() if name.endswith((".py", ".md", ".toml")))
    wrong = [str(file) for file in texts if file.is_file() and file.name != Path(__file__).name]
    assert [name for name in wrong if any(word in Path(name).read_text() for word in words)] == []
