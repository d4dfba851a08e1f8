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


def test_an_entry_that_does_not_import_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "broken_task.py").write_text("import nowhere_at_all\n")
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path))
    with pytest.raises(HarnessError, match=r"broken_task.*nowhere_at_all"):
        catalog.load("task", "broken_task")


@pytest.mark.parametrize("verb", [["--help"], ["list"], ["list", "--json"], ["leaderboard", "--help"]])
def test_light_verbs_import_no_torch(verb: list[str]) -> None:
    code = (
        "import sys\nfrom harness.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, *verb], check=True, capture_output=True)
