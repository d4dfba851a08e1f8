"""The catalog finds entries by file name, here and in folders of the user. Truth: the files themselves."""

import configparser
import os
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from command import apart, python

from harness import catalog
from harness.errors import HarnessError, UnknownNameError


def test_an_unknown_name_is_answered_with_near_names() -> None:
    with pytest.raises(UnknownNameError, match="did you mean digits"):
        catalog.load("task", "digit")


def test_two_files_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "digits.py").write_text("TASK = None\n")
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path))
    with pytest.raises(HarnessError, match="rename one"):
        catalog.names("task")


def test_a_toml_with_a_kind_at_its_top_is_a_task_and_another_one_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "my_table.toml").write_text('space = "x"\n[choices]\nkind = ["a", "b"]\n')
    (tmp_path / "tasks" / "my_task.toml").write_text('# mine\nkind = "image"\nbroken\n[data]\n')
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path))
    assert "my_table" in catalog.names("table")
    assert "my_task" in catalog.names("task")
    assert not {"my_table", "my_task"} & set(catalog.names("space"))
    assert "my_task" not in catalog.names("table")
    assert "my_table" not in catalog.names("task")


def test_an_entry_that_does_not_import_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "broken_task.py").write_text("import nowhere_at_all\n")
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path))
    with pytest.raises(HarnessError, match=r"broken_task.*nowhere_at_all"):
        catalog.load("task", "broken_task")


HEAVY = {
    "torch",
    "pandas",
    "datasets",
    "numpy",
    "matplotlib",
    "seaborn",
    "scipy",
    "pyarrow",
    "jinja2",
    "lm_eval",
}
VERB = """
    import sys
    from harness.cli.main import main
    sys.argv = ["harness", *"{}".split()]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, stop.code
"""
COUNTING = """
    from harness import catalog
    for name in catalog.names("space"):
        family = catalog.load("space", name)
        for preset in family.presets:
            space = family.space(preset)
            space.parameters(space.default()), space.macs(space.default()), space.size()
"""
PROXY = """
    from harness import catalog
    from harness.search.proxies import proxy_score
    space = catalog.load("space", "nasbench201").space("cifar10")
    assert proxy_score("parameters", space, (3,) * 6, 0) == space.parameters((3,) * 6)
"""
LIGHT = {
    **{verb: (VERB.format(verb), set()) for verb in ("--help", "list", "list --json", "leaderboard --help")},
    "counting": (COUNTING, HEAVY - {"torch"}),
    "the proxy by parameters": (PROXY, HEAVY - {"torch"}),
    "board and report": ("import harness.board, harness.report.page", {"numpy", "datasets", "lm_eval"}),
    "verbs and export": ("import harness.cli.main, harness.language.export", HEAVY - {"torch", "lm_eval"}),
}


@pytest.mark.parametrize("what", LIGHT)
def test_what_is_light_imports_no_heavy_package(what: str) -> None:
    code, allowed = LIGHT[what]
    done = python(f"{textwrap.dedent(code)}\nimport sys\nprint(*sys.modules, file=sys.stderr)")
    assert done.returncode == 0, done.stderr
    assert (HEAVY - allowed) & {*done.stderr.splitlines()[-1].split()} == set()


class Point:
    """An entry point as packages declare one."""

    name = "mine"
    value = "a_plug_in_of_mine"
    dist = type("Distribution", (), {"name": "my-package"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "import nothing_of_that_name",
            "'mine' of package 'my-package' does not import: ModuleNotFoundError",
        ),
        ("raise SystemExit(3)", "'mine' of package 'my-package' does not import: SystemExit: 3"),
        ("x = 1", "'mine' of package 'my-package' does not import: AttributeError"),
    ],
)
def test_a_broken_plug_in_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (tmp_path / "a_plug_in_of_mine.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(catalog, "entry_points", lambda group: [Point])
    catalog._plugin_folders.cache_clear()
    sys.modules.pop(Point.value, None)
    try:
        with pytest.raises(HarnessError, match=message):
            catalog.names("task")
    finally:
        catalog._plugin_folders.cache_clear()
        sys.modules.pop(Point.value, None)


def test_a_list_says_where_an_entry_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = tmp_path / "packed" / "searchers"
    plugin.mkdir(parents=True)
    (tmp_path / "packed" / "__init__.py").write_text("")
    (plugin / "packed_one.py").write_text('"""Packed: first line.\n\nMore."""\nSEARCHER = 1\n')
    (tmp_path / "mine" / "searchers").mkdir(parents=True)
    (tmp_path / "mine" / "searchers" / "mine_one.py").write_text("SEARCHER = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path / "mine"))
    monkeypatch.setattr(catalog, "entry_points", lambda group: [type("P", (Point,), {"value": "packed"})])
    catalog._plugin_folders.cache_clear()
    try:
        told = {one.name: one for one in catalog.told("searcher")}
        assert told["packed_one"][1:3] == ("Packed: first line.", "my-package")
        assert told["mine_one"][1:3] == ("", str(tmp_path / "mine"))
        assert told["random_search"].origin == "shipped"
        assert told["random_search"].summary
        assert {one.origin for one in catalog.told("study")} == {"shipped"}
    finally:
        catalog._plugin_folders.cache_clear()
        sys.modules.pop("packed", None)


def test_a_package_with_an_entry_point_adds_entries_that_are_listed_with_it_and_checked() -> None:
    place = Path(__file__).parent / "plug_in"
    project = tomllib.loads((place / "pyproject.toml").read_text())["project"]
    (installed,) = place.glob("*.dist-info")
    points = configparser.ConfigParser()
    points.read(installed / "entry_points.txt")
    assert {key: dict(points[key]) for key in points.sections()} == project["entry-points"]
    path = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])
    listed = apart("list", "searchers", PYTHONPATH=path).stdout
    assert "sample_scan: Evaluates the architectures of a space in the order of their genes." in listed
    assert f"({project['name']}: {place}" in listed
    checked = apart("check", "searcher", "sample_scan", PYTHONPATH=path)
    assert checked.returncode == 0, checked.stdout
    assert "ok   searcher sample_scan: exhausts toy" in checked.stdout


def test_a_folder_that_is_none_is_one_sentence() -> None:
    done = apart("list", HARNESS_CATALOG="/nowhere/at/all")
    assert done.returncode == 2
    assert done.stderr == "harness: HARNESS_CATALOG names /nowhere/at/all, which is not a folder.\n"


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("harness ev", ["eval"]),
        ("harness eval quicks", ["quickstart", "quickstart_smoke"]),
        ("harness check task digi", ["digits"]),
        ("harness describe searchers tp", ["tpe"]),
        ("harness new sp", ["space"]),
        ("harness describe nothing t", []),
    ],
)
def test_a_shell_completes_verbs_kinds_and_names(typed: str, completed: list[str]) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    code = "import sys; sys.argv = ['harness']; from harness.cli.start import main; main()"
    done = python(code, _HARNESS_COMPLETE="complete_bash", **words)
    assert done.stdout.split() == completed
