"""The catalog finds entries by file name, here and in folders of the user. Truth: the files themselves."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness import catalog
from harness.errors import HarnessError, UnknownNameError


def test_every_kind_has_entries() -> None:
    assert all(catalog.names(kind) for kind in catalog.KINDS)


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


@pytest.mark.parametrize("verb", [["--help"], ["list"], ["list", "--json"], ["leaderboard", "--help"]])
def test_light_verbs_import_no_torch(verb: list[str]) -> None:
    code = (
        "import sys\nfrom harness.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "assert not {'torch', 'pandas', 'datasets', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, *verb], check=True, capture_output=True)
