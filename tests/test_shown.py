"""What a finished run shows is believed while nothing changed that it follows from. Truth: planted edits."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from made_run import ToyRun

from harness.files import read_sealed, sealed
from harness.report import shown
from harness.report.shown import SHOWN, Shown, show
from harness.run.stored import planned_units


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ToyRun(tmp_path_factory.mktemp("toy") / "run").write()


class Case:
    """A run whose report is a stub, a data cache, and a count of how often it was made."""

    def __init__(self, run: Path, data: Path) -> None:
        self.run, self.data, self.made = run, data, 0
        self.prepared = data / "prepared" / "digits" / "mnist" / "part"
        self.prepared.parent.mkdir(parents=True)
        self.prepared.write_text("pixels")

    def make(self, run: Path, data: Path, width: int | None) -> Shown:
        self.made += 1
        for name in shown.FILES:
            (run / name).write_text(name)
        return Shown(f"a board of {width} characters", ["more seeds"])

    def show(self, width: int | None = None, *, is_whole: bool = True) -> Shown:
        units = planned_units(self.run)
        return show(self.run, units, data=self.data, width=width, is_whole=is_whole)


@pytest.fixture
def case(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    found = Case(shutil.copytree(toy, tmp_path / "run"), tmp_path / "data")
    (tmp_path / "catalog" / "reports").mkdir(parents=True)
    (tmp_path / "catalog" / "reports" / "mine.py").write_text("SECTION = None\n")
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "page.py").write_text("x = 1\n")
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path / "catalog"))
    monkeypatch.setattr(shown, "ENGINE", tmp_path / "engine")
    monkeypatch.setattr(shown, "_made", found.make)
    return found


def test_what_nobody_changed_is_told_again_for_every_width(case: Case) -> None:
    first, narrow = case.show(), case.show(40)
    assert (case.show(), case.show(40), case.made) == (first, narrow, 2)
    assert narrow.text == "a board of 40 characters"


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def record_of(case: Case) -> Path:
    return sorted((case.run / "units").glob("score-*/record.json"))[0]


def resealed(case: Case) -> None:
    value = read_sealed(record_of(case), "")
    value["result"]["value"] = 0.25
    record_of(case).write_text(sealed(value))


CHANGES: dict[str, Callable[[Case], object]] = {
    "a record, sealed anew": resealed,
    "a byte of a record": lambda case: flipped(record_of(case)),
    "a record that is gone": lambda case: record_of(case).unlink(),
    "a timing": lambda case: flipped(record_of(case).with_name("timing.json")),
    "a provenance": lambda case: flipped(record_of(case).with_name("provenance.json")),
    "the plan": lambda case: flipped(case.run / "plan.json"),
    "the board": lambda case: flipped(case.run / "board.json"),
    "the page": lambda case: flipped(case.run / "report.html"),
    "a report that is gone": lambda case: (case.run / "report.md").unlink(),
    "what was kept": lambda case: flipped(case.run / SHOWN),
    "the engine": lambda case: (shown.ENGINE / "page.py").write_text("x = 2\n"),
    "an entry": lambda case: (case.run.parent / "catalog/reports/mine.py").write_text("SECTION = 0\n"),
    "a new entry": lambda case: (case.run.parent / "catalog/reports/more.py").write_text("SECTION = 0\n"),
    "the prepared data": lambda case: case.prepared.write_text("other pixels"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_it_follows_from_changed_so_it_is_made_again(case: Case, change: str) -> None:
    units = planned_units(case.run)
    case.show()
    CHANGES[change](case)
    show(case.run, units, data=case.data, width=None, is_whole=True)
    assert case.made == 2
    show(case.run, units, data=case.data, width=None, is_whole=True)
    assert case.made == 2


def test_a_run_with_failures_keeps_nothing(case: Case) -> None:
    case.show(is_whole=False)
    case.show(is_whole=False)
    assert case.made == 2
    assert not (case.run / SHOWN).exists()


def test_another_version_of_a_package_makes_it_again(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.show()
    monkeypatch.setattr(shown, "package_version", lambda name: "9")
    case.show()
    assert case.made == 2
