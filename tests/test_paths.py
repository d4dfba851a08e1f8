"""Names that become parts of paths, in Python and in TOML.

Truth: where a path of `pathlib` lies once it is resolved, and every name that is shipped.
"""

import json
import os
import shutil
import unicodedata
from pathlib import Path

import filled
import pytest
from command import harness
from hypothesis import given
from hypothesis import strategies as st

from harness import catalog
from harness.data.corruptions import domain_of
from harness.data.fetch import archive_path
from harness.data.own.task import read_task
from harness.data.prepare import prepared_folder
from harness.data.table.card import read_card
from harness.errors import HarnessError
from harness.files import sealed
from harness.guard.paths import path_below, path_part
from harness.learn.modality import modality_of
from harness.run.loaded import load_run
from harness.study.study import make_plan
from harness.study.suite import load_suite
from harness.task.task import Archive, Domain, Task

HOSTILE = [
    *("", ".", "..", "../x", "/etc", "a/b", "a\\b", ".hidden", "-rf", " ", "a\0b", "a\nb", "a\x1b[2Jb"),
    *("a\u202etxt", "a\u200bb", "a\u2028b", "\udcff", "x" * 101, "é" * 51),
]
FINE = [
    *(
        "timm:resnet10t",
        "mnist+gaussian_noise-3",
        "METHOD@SPACE",
        "a b",
        "größe",
        "写真",
        "фото",
        "a..b",
        "x" * 100,
    ),
    "torch-2.6.0-cp311-cp311-manylinux_2_17_x86_64.whl",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_no_part_of_a_path_is_refused(name: str) -> None:
    with pytest.raises(HarnessError, match=r"The name .* of a domain .*; names become parts of paths"):
        domain(name)
    with pytest.raises(HarnessError, match=r"The name .* of a package's file"):
        archive(filename=name)


@pytest.mark.parametrize("name", FINE)
def test_a_plain_name_is_a_part_of_a_path(name: str) -> None:
    assert path_part("domain", name) == name


@given(st.text(max_size=120))
def test_what_is_let_through_stays_in_its_folder(name: str) -> None:
    try:
        part = path_part("domain", name)
    except HarnessError:
        return
    assert (Path("/folder") / part).resolve().parent == Path("/folder")
    assert not any(unicodedata.category(letter).startswith("C") for letter in part)


@pytest.mark.parametrize("name", ["../a.csv", "/a.csv", "a/../../b.csv", ".a.csv", "a/.b"])
def test_a_path_that_leaves_its_folder_is_refused(name: str) -> None:
    with pytest.raises(HarnessError, match="of a file"):
        path_below("file", name)
    assert path_below("file", "tables/a.csv") == "tables/a.csv"


def test_all_that_is_shipped_has_plain_names() -> None:
    for kind in catalog.KINDS:
        for name in catalog.names(kind):
            assert path_part(kind, name) == name
    for name in catalog.names("task"):
        task: Task = catalog.load("task", name)
        for what in [*modality_of(task.signature.kind).corruptions][:3]:
            assert domain_of(task, f"{task.domains[0].name}+{what}-3").name.endswith("-3")


def domain(name: str) -> Domain:
    return filled.domain(name, lambda archives: [])


def archive(**fields: str) -> Archive:
    given = {"name": "toy", "version": "1.0", "filename": "toy.whl", "sha256": "0" * 64} | fields
    return Archive(registry="pypi", **given)


@pytest.mark.parametrize(
    "fields",
    [
        *(
            {"name": one}
            for one in ("--index-url=http://evil", "-r/etc/passwd", "a b", "../x", "@a/b/c", "http://x")
        ),
        *({"version": one} for one in ("-1", "1.0 --pre", "file:../x", "https://evil/x.tgz", "")),
    ],
)
def test_a_package_is_no_option_of_the_client(fields: dict[str, str]) -> None:
    with pytest.raises(HarnessError, match=r"is no (name|version) of a package of pypi"):
        archive(**fields)
    assert archive(name="@scope/a-package", version="1!2.0.post1+cpu").name == "@scope/a-package"


def test_paths_are_checked_where_they_are_made_too(tmp_path: Path) -> None:
    plain, made = domain("plain"), archive()
    object.__setattr__(plain, "name", "../x")
    object.__setattr__(made, "filename", "../x")
    with pytest.raises(HarnessError, match="of a domain has a separator"):
        prepared_folder("task", plain, tmp_path)
    with pytest.raises(HarnessError, match="of a task has a separator"):
        prepared_folder("../x", domain("plain"), tmp_path)
    with pytest.raises(HarnessError, match="of a package's file"):
        archive_path(made, tmp_path)


TASK = """\
kind = "bytes"
summary = "Letters."
sources = ["{name}"]
held_out = ["ben"]
[data]
folder = "{{domain}}"
"""


def test_a_domain_of_a_file_cannot_leave_the_cache(tmp_path: Path) -> None:
    (tmp_path / "catalog" / "tasks").mkdir(parents=True)
    file = tmp_path / "catalog" / "tasks" / "letters.toml"
    file.write_text(TASK.format(name="../x"))
    for folder in ("../x", "ben"):
        place = file.parent / folder
        place.mkdir()
        for number in range(9):
            (place / f"{number}.txt").write_text(f"a letter {number} of {folder}")
    with pytest.raises(HarnessError, match=r"The name '../x' of a domain has a separator of folders"):
        read_task(file, None)
    places = {"HARNESS_CATALOG": str(file.parents[1]), "HARNESS_DATA": str(tmp_path / "cache" / "in")}
    done = harness("data", "prepare", "letters", **places)
    assert done.returncode == 2
    assert done.stderr.startswith("harness: The name '../x' of a domain has a separator of folders")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "cache").exists()


def test_files_of_a_table_lie_below_its_folder(tmp_path: Path) -> None:
    card = Path(__file__).parent / "toy" / "tasks" / "toy_table.toml"
    text = card.read_text()
    (tmp_path / "a.toml").write_text(text.replace('file = "toy_table.csv"', 'file = "/etc/passwd"'))
    assert read_card(card).file == "toy_table.csv"
    with pytest.raises(HarnessError, match="The name '/' of a table's file"):
        read_card(tmp_path / "a.toml")


def test_a_suite_has_a_plain_name(tmp_path: Path) -> None:
    shutil.copy(catalog.files("suite")["toy"], tmp_path / "...toml")
    with pytest.raises(HarnessError, match=r"The name '..' of a suite"):
        load_suite(str(tmp_path / "...toml"))


def test_an_entry_of_the_catalog_has_a_plain_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "a\nb.py").write_text("TASK = 1")
    monkeypatch.setenv("HARNESS_CATALOG", f"{os.environ['HARNESS_CATALOG']}{os.pathsep}{tmp_path}")
    with pytest.raises(HarnessError, match="cannot be seen"):
        catalog.load("task", "a\nb")


def test_a_plan_cannot_name_units_elsewhere(tmp_path: Path) -> None:
    plan = json.loads(make_plan(*load_suite("toy")).to_json())
    unit = {"kind": "../x", "hash": "0" * 16, "spec": {}, "needs": [], "code": {}}
    del plan["checksum"]
    (tmp_path / "plan.json").write_text(sealed({**plan, "units": [unit]}))
    with pytest.raises(HarnessError, match=r"is no plan \('../x'\)"):
        load_run(tmp_path)
