"""What of code and files makes a unit another one. Truth: `ast.dump`, and files written here."""

import ast
import hashlib
import os
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.identity import content
from harness.identity.code import closure, code_digest, combined, module_file
from harness.identity.content import code_of_module, reader_of, toml_digest
from harness.identity.unit import Read, Spec, Unit, UnitKind, apart

FUNCTION = "def f(a, b=1):\n    return a + b\n"
SAME = [
    (FUNCTION, "# what\n\n" + FUNCTION),
    (FUNCTION, '"""A file."""\ndef f(a, b = 1):\n    """Adds."""\n    return (a +\n            b)\n'),
    ("class A:\n    x = 1\n", 'class A:\n    """A."""\n\n    x = 1\n    """Its x."""\n'),
    ("async def f():\n    pass\n", 'async def f():\n    "doc"\n    pass\n'),
    ("x = 'a'\n", 'x = "a"\n'),
    ("x: int = 1  # type: int\n", "x: int = 1\n"),
]
OTHER = [
    ("x = 1", "x = 2"),
    ("x = 1", "x = True"),
    ("x = 1", "x = 1.0"),
    ("x = 1", "y = 1"),
    ("x = '1'", "x = b'1'"),
    (
        "x = None",
        "x = ...",
    ),
    ("def f():\n    return", "def f():\n    return None"),
    ("x = a + b", "x = a - b"),
    ("x = a + b", "x = b + a"),
    ("x = [a, [b]]", "x = [[a], b]"),
    ("x = [[], a]", "x = [a, []]"),
    ("f(a)(b)", "f(a, b)"),
    ("f(a, b=c)", "f(a, b)"),
    ("f(a, **b)", "f(a, b=b)"),
    ("x = {**a}", "x = {None: a}"),
    ("def f(a, /): pass", "def f(a): pass"),
    ("def f(*, a): pass", "def f(a): pass"),
    ("def f(*, a=None): pass", "def f(*, a): pass"),
    ("async def f(): pass", "def f(): pass"),
    ("import a", "from a import a"),
    ("from . import a", "from .. import a"),
    ("if a:\n    'text'\n", "if a:\n    'other'\n"),
    ("if a:\n    b\nelse:\n    c", "if a:\n    b\n    c"),
    ("x = a[1:]", "x = a[:1]"),
    ("x: int", "x: str"),
]


def digest(folder: Path, source: str) -> str:
    file = folder / f"{hashlib.sha256(source.encode()).hexdigest()}.py"
    file.write_text(source)
    return code_digest(file)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_is_no_code_changes_no_digest(tmp_path: Path, one: str, other: str) -> None:
    assert digest(tmp_path, one) == digest(tmp_path, other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_other_code_has_another_digest(tmp_path: Path, one: str, other: str) -> None:
    assert ast.dump(ast.parse(one)) != ast.dump(ast.parse(other))
    assert digest(tmp_path, one) != digest(tmp_path, other)


def test_the_digest_is_of_a_text_of_the_tree_that_holds_in_every_version_of_python(tmp_path: Path) -> None:
    text = (
        "(Module body=[(FunctionDef args=(arguments args=[(arg arg=str:'a',)] "
        "defaults=[(Constant value=int:1,)]) body=[(Return)] name=str:'f',)"
        "(Assign targets=[(Name id=str:'y',)] value=(ConstantNone))])"
    )
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert digest(tmp_path, "def f(a=1):\n    'd'\n    return\ny = None") == expected


@pytest.fixture
def catalog_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "catalog"
    (folder / "searchers").mkdir(parents=True)
    monkeypatch.setenv("HARNESS_CATALOG", str(folder))
    return folder


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        parts = ["__init__" if part == "package" else part for part in name.split("__")]
        place = folder.joinpath(*parts).with_suffix(".py")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def names(folder: Path, name: str) -> set[str]:
    """Returns the modules of the folder that an entry of it imports, itself left out."""
    found = set(closure(folder / "searchers" / f"{name}.py"))
    assert f"harness.catalog.searchers.{name}" in found
    return {one.removeprefix("harness.catalog.") for one in found if "catalog" in one} - {f"searchers.{name}"}


def test_a_closure_holds_what_is_imported_anywhere_and_not_for_types_alone(catalog_folder: Path) -> None:
    write(
        catalog_folder,
        searchers__main=(
            "from typing import TYPE_CHECKING\nimport typing\n"
            "import harness.catalog.searchers.whole\n"
            "from harness.catalog.searchers import sibling\n"
            "from harness.catalog.searchers.part import thing as other\n"
            "from . import beside\nfrom .near import thing\nfrom ..tasks.far import thing\n"
            "if TYPE_CHECKING:\n    from . import typed\nelse:\n    from . import otherwise\n"
            "    if a:\n        from . import nested\n"
            "if typing.TYPE_CHECKING:\n    from . import typed\n"
            "def f():\n    from . import late\n"
        ),
        **{f"searchers__{name}": f"x = '{name}'" for name in ("whole", "sibling", "part", "near", "typed")},
        **{f"searchers__{name}": f"x = '{name}'" for name in ("otherwise", "nested", "unused")},
        searchers__beside="from .chain import x",
        searchers__chain="from .main import f",
        searchers__late="x = 1",
        tasks__far="thing = 1",
    )
    inner = {"whole", "sibling", "part", "beside", "near", "otherwise", "nested", "late", "chain"}
    assert names(catalog_folder, "main") == {*(f"searchers.{one}" for one in inner), "tasks.far"}
    digests = closure(catalog_folder / "searchers" / "main.py")
    late = catalog_folder / "searchers" / "late.py"
    assert digests["harness.catalog.searchers.late"] == code_digest(late)
    write(catalog_folder, loose="x = 1")
    assert set(closure(catalog_folder / "loose.py")) == {"loose"}
    assert set(closure(Path(str(module_file("harness.seeds"))))) == {"harness.seeds"}
    assert closure(late) == {"harness.catalog.searchers.late": code_digest(late)}


def test_a_closure_follows_files_that_change(catalog_folder: Path) -> None:
    write(catalog_folder, searchers__one="x = 1", searchers__two="x = 2", searchers__main="from . import one")
    file = catalog_folder / "searchers" / "one.py"
    before = closure(catalog_folder / "searchers" / "main.py")
    assert closure(catalog_folder / "searchers" / "main.py") == before
    write(catalog_folder, searchers__one="from . import two")
    os.utime(file, ns=(1, 1))
    after = closure(catalog_folder / "searchers" / "main.py")
    assert set(after) == {*before, "harness.catalog.searchers.two"}
    assert after["harness.catalog.searchers.one"] != before["harness.catalog.searchers.one"]
    file.unlink()
    with pytest.raises(HarnessError, match=r"Cannot read .*one\.py"):
        closure(catalog_folder / "searchers" / "main.py")


def test_a_name_of_the_harness_stands_for_the_module_that_it_comes_from(catalog_folder: Path) -> None:
    write(catalog_folder, searchers__main="from harness import HarnessError, seeds")
    found = set(closure(catalog_folder / "searchers" / "main.py"))
    assert "harness.seeds" in found
    assert found <= {"harness.catalog.searchers.main", "harness.seeds"}, "errors change no result"
    write(catalog_folder, searchers__all="from harness import *")
    write(catalog_folder, searchers__whole="import harness\nharness.Metric")
    for name in ("all", "whole"):
        found = set(closure(catalog_folder / "searchers" / f"{name}.py"))
        assert {"harness", "harness.task.metric", "harness.search.archive"} <= found
    write(catalog_folder, searchers__version="from harness import __version__")
    assert set(closure(catalog_folder / "searchers" / "version.py")) == {
        "harness",
        "harness.catalog.searchers.version",
    }


@pytest.mark.parametrize("work", ["work.prepare", "work.supernet", "trained.work.final", "lookup.search"])
def test_no_unit_depends_on_how_boards_print(work: str) -> None:
    found = closure(Path(str(module_file(f"harness.study.{work}"))))
    assert "harness.run.place" in found
    assert not [name for name in found if name.startswith(("harness.board", "harness.report", "harness.cli"))]


def test_a_package_of_ones_own_counts_and_an_installed_one_does_not(
    catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        catalog_folder.parent,
        lib__digested__package='"""Hands on."""\nfrom .inner import thing as name\n__all__ = ["name"]\n',
        lib__digested__inner="thing = 1",
        lib__digested__beside="x = 1",
        lib__digested__up__package="from ..inner import thing",
        lib__digested__doing__package="x = 1 + 1",
        lib__digested__doing__deep="from ..inner import thing",
        lib__single_digested="import json, sys, numpy, no_such_module_anywhere",
        searchers__none="x = 1",
    )
    monkeypatch.syspath_prepend(str(catalog_folder.parent / "lib"))

    def of(text: str) -> set[str]:
        write(catalog_folder, searchers__main=text)
        return set(closure(catalog_folder / "searchers" / "main.py")) - {"harness.catalog.searchers.main"}

    assert of("from digested import name") == {"digested.inner"}
    assert of("from digested import beside") == {"digested.beside"}
    for text in (
        "from digested import *",
        "import digested",
        "import digested as d",
        "from digested import no",
    ):
        assert of(text) == {"digested", "digested.inner"}, text
    assert of("import digested.doing.deep") == {"digested.doing", "digested.doing.deep", "digested.inner"}
    assert of("from digested.doing import x") == {"digested.doing"}
    assert of("from digested.up import thing") == {"digested.up", "digested.inner"}
    assert of("import single_digested") == {"single_digested"}
    assert of("import sys, ast, numpy.linalg, no_such_module_anywhere") == set()


def test_of_what_is_installed_a_plug_in_alone_counts(
    catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lib = catalog_folder.parent / "lib"
    names = ("plugged_whole", "plugged_part", "plugged_not")
    write(lib, **{f"{name}__package": "x = 1" for name in names})
    (lib / "plugged_part" / "catalog").mkdir()
    monkeypatch.syspath_prepend(str(lib))
    monkeypatch.setattr("sysconfig.get_path", lambda kind: str(lib))
    places = {lib / "plugged_whole": "a", lib / "plugged_part" / "catalog": "b", Path("catalog"): "c"}
    monkeypatch.setattr("harness.catalog._plugin_folders", lambda: places)
    found = [module_file(name) for name in names]
    assert found == [*(lib / name / "__init__.py" for name in names[:2]), None]


def test_modules_lie_where_they_are_imported_from(catalog_folder: Path) -> None:
    import harness

    engine = Path(str(harness.__file__)).parent
    write(catalog_folder, searchers__mine="x = 1")
    assert module_file("harness.identity") == engine / "identity" / "__init__.py"
    assert module_file("harness.identity.code") == engine / "identity" / "code.py"
    assert module_file("harness.catalog.searchers.tpe") == engine / "catalog" / "searchers" / "tpe.py"
    assert module_file("harness.catalog.searchers.mine") == catalog_folder / "searchers" / "mine.py"
    for name in ("harness.nothing", "harness.catalog.searchers.nothing", "sys", "json", "numpy", "nothing"):
        assert module_file(name) is None


def test_what_cannot_be_read_or_is_no_python_is_told(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"is not Python: .*"):
        digest(tmp_path, "x = (")
    with pytest.raises(HarnessError, match=r"is not Python"):
        digest(tmp_path, "x = '\0'")
    with pytest.raises(HarnessError, match=r"Cannot read .*nowhere\.py: No such file"):
        code_digest(tmp_path / "nowhere.py")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(HarnessError, match=r"Cannot read .*folder\.py: Is a directory"):
        code_digest(tmp_path / "folder.py")


def test_modules_are_combined_in_any_order() -> None:
    assert combined({"a": "1", "b": "2"}) == combined({"b": "2", "a": "1"}) != combined({"a": "2", "b": "1"})
    assert code_of_module("harness.seeds") == combined(closure(Path(str(module_file("harness.seeds")))))


def test_a_table_is_what_its_file_says(tmp_path: Path) -> None:
    def of(text: str) -> str:
        (tmp_path / "a.toml").write_text(text)
        return toml_digest(tmp_path / "a.toml")

    assert of("a = 1\nb = [1, { c = 'd' }]") == of('# said\nb = [1, {c = "d"}]\n\na = 1')
    told = [
        "a = 1",
        "a = 1.0",
        "a = '1'",
        "a = true",
        "a = [1]",
        "a = 2",
        "b = 1",
        "a = 1979-05-27",
        "a = inf",
    ]
    assert len({of(text) for text in told}) == len(told)


def test_files_are_told_apart_by_content_and_large_ones_by_their_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "prompts"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.txt").write_text("b")
    (folder / "deep" / "a.txt").write_text("a")
    (folder / "deep" / "a.pyc").write_text("a")

    def of(kind: str, *files: Path) -> dict[str, dict[str, str]]:
        return content.INPUTS[kind](Read(kind, "it", files))

    before = of("prompts", folder)
    assert set(before["files of searcher it"]) == {"prompts/b.txt", "prompts/deep/a.txt"}
    assert set(of("prompts", folder / "b.txt")["files of searcher it"]) == {"b.txt/"}
    assert of("prompts") == {}
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"1234")
    small = of("model", weights)
    assert small == {"model weights.bin": {"weights.bin": hashlib.sha256(b"1234").hexdigest()[:16]}}
    assert of("model_file", weights) == {"model_file weights.bin": small["model weights.bin"]}
    assert of("model_file", tmp_path / "nowhere") == {}
    with pytest.raises(HarnessError, match=r"There is no file .*nowhere"):
        of("model", tmp_path / "nowhere")
    monkeypatch.setattr(content, "LARGE_BYTES", 4)
    assert of("model", weights) == small
    monkeypatch.setattr(content, "LARGE_BYTES", 3)
    large = of("model", weights)
    assert large != small
    os.utime(weights, ns=(5, 5))
    assert of("model", weights) != large


def test_an_edit_while_a_run_goes_on_is_told_by_what_was_edited(catalog_folder: Path) -> None:
    write(catalog_folder, searchers__main="x = 1")
    kind = UnitKind(name="kept", spec=Spec, result=Spec, work="harness.catalog.searchers.main:f", seconds=1.0)
    spec = Spec()
    unit = Unit(kind=kind, spec=spec, code=content.code_of(kind, spec))
    assert list(unit.code) == ["engine"]
    content.check_code(unit)
    content.check_code(Unit(kind=kind, spec=spec))
    write(catalog_folder, searchers__main="x = 10")
    with pytest.raises(HarnessError, match=r"^engine was edited while the run went on"):
        content.check_code(unit)
    assert apart({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "3", "d": "4"}) == ["b", "c", "d"]


def test_a_reader_is_its_task_and_what_prepares_it(catalog_folder: Path) -> None:
    write(catalog_folder, tasks__mine="from harness import seeds")
    (catalog_folder / "tasks" / "told.toml").write_text("kind = 'bytes'")
    engine, mine, told = (reader_of(name, ()) for name in ("nothing", "mine", "told"))
    assert set(mine) - set(engine) <= {"harness.catalog.tasks.mine", "harness.seeds"}
    assert mine["harness.catalog.tasks.mine"] == code_digest(catalog_folder / "tasks" / "mine.py")
    assert told["told"] == toml_digest(catalog_folder / "tasks" / "told.toml")
    assert "harness.data.own.task" in told
    assert "harness.data.own.task" not in mine
