"""Rows of papers beside our own, in both studies. Truth: numbers written here, and boards without them."""

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from made_run import BYTES, DIVERSE, IMAGES, PLAIN, ROWS, drawn, make
from working import plan_of

from harness import catalog
from harness.errors import HarnessError
from harness.report.page import write_report
from harness.run.loaded import load_run
from harness.study.formats import board_json, render
from harness.study.merge import merge
from harness.study.published import Published
from harness.study.study import build_board, verdict
from harness.study.suite import load_suite
from harness.study.trained.settings import PlannedSuite, Suite

PERFECT = {"name": "Everything right", "source": "a paper", "macs": 300_000_000, "parameters": 4_000_000}
PERFECT |= {"scores": {"marks/rough": 0.999, "marks/grainy": 0.997}}
HALF = {"name": "Half of it", "source": "another paper", "scores": {"marks/rough": 0.5, "prose/parl": 2.345}}
CLAIM = {"method": "local_search", "space": DIVERSE}
SAMPLES = drawn({"tuned": 0.5, "default": 0.55, "local_search": 0.8}, per_group=2)
FORMATS = ("terminal", "md", "csv", "html", "tex")

ROW = '[[published]]\nname = "A"\n'
WRONG = [
    ("{row}scores = {{ {domain} = 7.5 }}", "lacks the key 'source'"),
    ('{row}source = " "\nscores = {{ {domain} = 7.5 }}', "published 'A' has an empty source; say where"),
    ('{row}source = "p"\nscores = {{ }}', "published 'A' needs scores"),
    ('{row}source = "p"\nscores = {{ {domain} = nan }}', "must be a number, not nan"),
    ('{row}source = "p"\nscores = {{ {near} = 7.5 }}', "no domain named .*; did you mean {plain}"),
    ('{row}source = "p"\nscores = {{ {domain} = 7.5 }}\nmacs = 0', "macs must be at least 1"),
    ('{row}source = "p"\nscores = {{ {domain} = 7.5 }}\nmacs = 7.5', "macs must be a whole number"),
    ('{row}source = "p"\nscores = {{ {domain} = 7.5 }}\nmac = 7', "no key 'mac'; did you mean macs"),
    ('{row}source = "p"\nscores = {{ {domain} = 7.5 }}\n' * 2, "published has a name twice"),
]
DOMAINS = {
    "toy": {"domain": '"toy_patterns/rough"', "near": '"toy_patterns/rogh"', "plain": "toy_patterns/rough"},
    "toy_lookup": {"domain": "near", "near": "nera", "plain": "near"},
}


@pytest.mark.parametrize("suite", DOMAINS)
@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_wrong_published_row_is_one_sentence(tmp_path: Path, suite: str, text: str, message: str) -> None:
    names = DOMAINS[suite] | {"row": ROW}
    with pytest.raises(HarnessError, match=message.format(**names)):
        plan_of(f'extends = "{suite}"\n{text.format(**names)}\n', tmp_path)


def test_a_source_has_no_published_score_and_a_trained_suite_no_feedback(tmp_path: Path) -> None:
    row = f'extends = "toy"\n{ROW}source = "p"\n'
    with pytest.raises(HarnessError, match="no domain named 'toy_patterns/clean'"):
        plan_of(f'{row}scores = {{ "toy_patterns/clean" = 7.5 }}\n', tmp_path)
    with pytest.raises(HarnessError, match="has no key 'feedback'"):
        plan_of(f'{row}feedback = "test"\nscores = {{ "toy_patterns/rough" = 7.5 }}\n', tmp_path)


def test_a_plan_keeps_a_percent_as_a_share_and_changes_no_unit(tmp_path: Path) -> None:
    row = f'{ROW}source = "p"\nscores = {{ "toy_patterns/rough" = 74.7 }}\nmacs = 300_000_000\n'
    plain, with_row = (plan_of(f'extends = "toy"\n{text}', tmp_path) for text in ("", row))
    assert with_row.units == plain.units
    read = catalog.load("study", "trained").suite_from_json(json.loads(with_row.to_json())["suite"])
    assert isinstance(read, PlannedSuite)
    (kept,) = read.published
    assert (kept.scores["toy_patterns/rough"], kept.macs) == (pytest.approx(0.747), 300_000_000)
    assert kept.parameters is None


def made(folder: Path, published: list[dict[str, Any]], **settings: Any) -> Path:
    folder.mkdir()
    suite = {"claim": CLAIM, "published": published}
    return make(folder, SAMPLES, suite=suite, tasks=[IMAGES, BYTES], **settings)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Returns a run with two published rows, and the same without."""
    folder = tmp_path_factory.mktemp("runs")
    return [made(folder / "with", [PERFECT, HALF]), made(folder / "without", [])]


def test_a_published_row_changes_no_rank_and_no_verdict_however_good_it_is(runs: list[Path]) -> None:
    found, plain = (build_board(load_run(run)) for run in runs)
    assert verdict(found) == verdict(plain)
    assert [replace(task, published=()) for task in found.tasks] == list(plain.tasks)
    assert [[row.name for row in task.published] for task in found.tasks] == [
        ["Everything right", "Half of it"],
        ["Half of it"],
    ]


def test_a_published_row_is_marked_on_every_board_with_its_source_and_size(runs: list[Path]) -> None:
    board = build_board(load_run(runs[0]))
    for one in FORMATS:
        assert "Everything right" in render(board, one)
    text = render(board, "md")
    dashes = "| — " * 5
    assert f"| published | Everything right | — | 99.8 {dashes}|" in text, "the mean of its domains, unranked"
    assert f"| published | Half of it | — | — {dashes}|" in text, "a domain lacks, so there is no mean"
    assert "| Everything right (published) | — | 99.9 | 99.7 |" in text
    assert "| Half of it (published) | — | — | 2.345 |" in text, "bits per byte are no percent"
    assert "| Everything right | 4,000,000 | 300,000,000 | a paper |" in text
    assert "| Half of it | — | — | another paper |" in text
    assert "no rank, no claim" in text
    lines = list(csv.DictReader(StringIO(render(board, "csv"))))
    told = [line for line in lines if line["marks"] == "published"]
    assert {(line["method"], line["domain"], float(line["value"]), line["rank"]) for line in told} == {
        ("Everything right", "rough", 0.999, ""),
        ("Everything right", "grainy", 0.997, ""),
        ("Half of it", "rough", 0.5, ""),
        ("Half of it", "parl", 2.345, ""),
    }
    assert "Everything right" in board_json(board)


def test_a_report_shows_published_rows_with_their_source(runs: list[Path]) -> None:
    write_report(runs[0])
    for name in ("report.md", "report.html"):
        text = (runs[0] / name).read_text()
        assert "Everything right" in text
        assert "another paper" in text


def test_runs_with_other_published_rows_merge_and_keep_each_row_once(tmp_path: Path) -> None:
    shared = [("tuned", PLAIN)]
    first = made(tmp_path / "first", [PERFECT, HALF], rows=[*shared, ("default", None)])
    second = made(tmp_path / "second", [HALF], rows=[*shared, *ROWS[2:]])
    found = merge([load_run(first), load_run(second)])
    assert found.reasons == ()
    assert sorted(row.name for row in found.boards[0].tasks[0].published) == [
        "Everything right",
        "Half of it",
    ]


def test_a_published_figure_is_the_same_in_every_suite_that_shows_it() -> None:
    known: dict[str, Published] = {}
    for name in ("paper_ofa", "paper_spos", "paper_autoformer", "ofa_measured"):
        suite = load_suite(name)[1]
        assert suite.published
        is_trained = isinstance(suite, Suite)
        for row in suite.published:
            (score,) = row.scores.values()
            assert list(row.scores) == ["imagenet/imagenet_val" if is_trained else "imagenet"]
            told = Published(
                name=row.name,
                source=row.source,
                scores={"top-1": score},
                parameters=row.parameters,
                macs=row.macs,
            )
            assert known.setdefault(row.name, told) == told
            assert is_trained or row.feedback in suite.feedback, "another would be shown nowhere"
    assert {name: known[name].scores["top-1"] for name in ("MobileNetV2", "OFA-L", "AutoFormer-S")} == {
        "MobileNetV2": 72.0,
        "OFA-L": 78.7,
        "AutoFormer-S": 81.6,
    }
