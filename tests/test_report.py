"""The report of a run. Truth: the board it is made from, and its own twin in the other format."""

import base64
import csv
import hashlib
import html
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from command import python
from made_run import ToyRun
from typer.testing import CliRunner

from harness import catalog
from harness.cli.main import app
from harness.errors import UnknownNameError
from harness.report.page import write_report
from harness.report.section import Block
from harness.run.loaded import load_run
from harness.study.study import build_board
from harness.study.trained.boards.tables import main_table
from harness.study.trained.boards.values import Board


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reason = "out of <script>alert(2)</script> memory | now."
    path: Path = ToyRun(tmp_path_factory.mktemp("run"), failed={("random_search", "figlet"): reason}).write()
    write_report(path)
    return path


def visible(page: str) -> str:
    """Returns the text that a reader of the page sees, drawings left out."""
    page = re.sub(r"<(style|svg|head|script)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", page))


def numbers(text: str) -> list[str]:
    return sorted(re.findall(r"[+−]?\d[\d,]*\.?\d*", text))


def test_the_markdown_twin_has_the_same_numbers(run: Path) -> None:
    page = visible((run / "report.html").read_text())
    twin = (run / "report.md").read_text()
    assert numbers(page) == numbers(twin)
    assert len(numbers(page)) > 500


def test_no_section_fails_and_one_that_does_says_so_in_its_place(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "could not be made" not in (run / "report.md").read_text()

    def broken(*arguments: object) -> Block:
        raise ZeroDivisionError("no <seed>")

    entry = replace(catalog.load("section", "cost"), render=broken)
    load = catalog.load
    monkeypatch.setattr(catalog, "load", lambda kind, name: entry if name == "cost" else load(kind, name))
    page = write_report(run, ["verdict", "cost", "data"]).read_text()
    assert re.findall(r'<section id="([^"]+)"', page) == ["verdict", "cost", "data"]
    assert "This section could not be made: ZeroDivisionError: no &lt;seed&gt;." in page


def test_every_number_of_the_board_is_in_the_report(run: Path) -> None:
    board = build_board(load_run(run))
    page = visible((run / "report.html").read_text())
    for task in board.tasks:
        for row in main_table(board, task).rows:
            assert all(text in page for text in row)


def test_a_report_has_the_same_bytes_in_another_process(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    for name in ("report.html", "report.md"):
        (copy / name).unlink()
    code = "import sys; from pathlib import Path; from harness.report.page import write_report"
    assert python(f"{code}; write_report(Path(sys.argv[1]))", copy).returncode == 0
    for name in ("report.html", "report.md"):
        assert (copy / name).read_bytes() == (run / name).read_bytes()


def test_nothing_from_a_record_is_markup(run: Path) -> None:
    page, twin = (run / "report.html").read_text(), (run / "report.md").read_text()
    assert page.count("<script") == 1
    twin = re.sub(r"^```.*?^```", "", twin, flags=re.DOTALL | re.MULTILINE)
    assert "<script" not in twin
    for text in (page, twin):
        assert "&lt;script&gt;alert(1)" in text
        assert "&lt;script&gt;alert(2)" in text
        assert "<b>suite" not in text


def test_the_one_script_is_small_and_the_page_allows_no_other(run: Path) -> None:
    page = (run / "report.html").read_text()
    script = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)[0]
    assert len(script.encode()) < 6000
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\"" in page


def test_the_page_needs_nothing_from_elsewhere(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:image/png;)""", page)
    assert "url(http" not in page
    assert "@import" not in page


def test_every_plot_has_its_own_ids_a_text_and_its_data(run: Path) -> None:
    page = (run / "report.html").read_text()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    figures = page.count("<figure ")
    assert figures >= 10
    assert page.count("<figcaption>") == figures
    assert page.count("Data behind this plot") == figures - page.count('id="figure-found"')
    drawn = page.partition("<script>")[0]
    drawings = [tag for tag in re.findall(r"<svg [^>]*>", drawn) if "viewBox" not in tag]
    assert all('aria-hidden="true"' in tag for tag in drawings)


def test_all_sections_stand_in_their_order(run: Path) -> None:
    page = (run / "report.html").read_text()
    entries = {name: catalog.load("section", name) for name in catalog.names("section")}
    mine = [name for name, section in entries.items() if section.renders(Board)]
    expected = sorted(mine, key=lambda name: (entries[name].order, name))
    assert re.findall(r'<section id="([^"]+)"', page) == expected
    assert expected[0] == "verdict"
    assert expected[-1] == "reproduce"


def test_the_stand_in_is_named_and_timings_are_told(run: Path) -> None:
    twin = (run / "report.md").read_text()
    assert "(stand-in)" in twin
    assert "Stand-in: the embedded model Tiny-135M answered" in twin
    assert "Timed on: h." in twin


def test_chosen_sections_alone_are_written(run: Path, tmp_path: Path) -> None:
    path = shutil.copytree(run, tmp_path / "copy")
    whole = (path / "report.html").read_bytes()
    page = write_report(path, ["failures", "verdict"]).read_text()
    assert (path / "report.html").read_bytes() == whole
    assert re.findall(r'<section id="([^"]+)"', page) == ["verdict", "failures"]
    with pytest.raises(UnknownNameError, match="did you mean verdict"):
        write_report(path, ["verdct"])


def test_a_run_with_no_result_yet_has_a_report(run: Path, tmp_path: Path) -> None:
    path = shutil.copytree(run, tmp_path / "copy")
    shutil.rmtree(path / "units")
    text = visible(write_report(path).read_text())
    assert "no verdict" in text
    assert "0 done" in text


def test_a_report_is_followed_until_the_run_is_whole(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.copytree(run, tmp_path / "copy")
    late = next((path / "units").glob("score-*"))
    (tmp_path / "late").mkdir()
    late.rename(tmp_path / "late" / late.name)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            (tmp_path / "late" / late.name).rename(late)

    monkeypatch.setattr("harness.cli.boards.time.sleep", nap)
    done = CliRunner().invoke(app, ["report", str(path), "--follow"])
    assert done.exit_code == 0, done.output
    assert "1 units have no record yet" in done.output
    assert len(naps) == 2
    assert (path / "report.html").read_bytes() == (run / "report.html").read_bytes()


def test_figures_and_tables_are_files_for_a_paper_with_the_same_bytes_every_time(
    run: Path, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        write_report(run, ["verdict", "leaderboard"], out=tmp_path / "report.html", figures=tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "second").iterdir())
    assert {"verdict.svg", "verdict.pdf", "verdict.csv", "leaderboard-digits.svg", "leaderboard-1.tex"} <= {
        *files
    }
    for name in files:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name
    board = build_board(load_run(run))
    table = (tmp_path / "first/leaderboard-1.tex").read_text()
    assert table.count("\n") - table.count("\n%") >= len(board.tasks[0].rows)
    assert all(rule in table for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    with (tmp_path / "first/verdict.csv").open() as file:
        rows = list(csv.DictReader(file))
    row = board.tasks[0].row(*board.claim)
    assert {line["domain"] for line in rows if line["board"] == "digits"} == {
        *board.tasks[0].held_out,
        "mean",
    }
    found = next(
        float(line["difference"]) for line in rows if (line["board"], line["domain"]) == ("digits", "mean")
    )
    assert found == pytest.approx(row.difference.value)
