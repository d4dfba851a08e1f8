"""Boards of several runs. Truth: one run that holds all rows, and that order must not matter."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.files import read_sealed, sealed
from harness.run.loaded import load_run
from harness.run.record import read_record
from harness.stats.bootstrap import grouped_ratio
from harness.study.formats import board_json
from harness.study.merge import MergedBoards, merge
from harness.study.study import AnyBoard, build_board
from harness.study.trained.boards.values import Board
from harness.task.metric import SampleScores

_spec = importlib.util.spec_from_file_location("made_run", Path(__file__).parent / "made_run.py")
assert _spec is not None
assert _spec.loader is not None
made_run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made_run)

COMMAND = [sys.executable, "-c", "from harness.cli.main import main; main()"]
FIXED = [("tuned", made_run.PLAIN), ("default", None)]
SEARCHED = [("tuned", made_run.PLAIN), ("local_search", made_run.DIVERSE)]
Make = Callable[..., Path]


def harness(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=os.environ, timeout=120)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Returns a writer of run folders, each in a folder of its own."""

    def write(rows: Any, **settings: Any) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        samples = made_run.drawn({"tuned": 0.6, "default": 0.55, "local_search": 0.8}, per_group=2)
        return Path(made_run.make(folder, samples, rows=rows, **settings))

    return write


def merged(*folders: Path) -> MergedBoards:
    return merge([load_run(folder) for folder in folders])


def rows_of(board: AnyBoard) -> Any:
    assert isinstance(board, Board)
    return [task.rows for task in board.tasks]


def test_rows_of_two_runs_of_one_protocol_are_one_board(make: Make) -> None:
    tasks = [made_run.IMAGES, made_run.BYTES]
    whole = build_board(load_run(make([*FIXED, *SEARCHED[1:]], tasks=tasks)))
    found = merged(make(FIXED, tasks=tasks), make(SEARCHED, tasks=tasks))
    assert found.reasons == ()
    assert rows_of(found.boards[0]) == rows_of(whole)
    assert isinstance(found.boards[0], Board)
    assert "Rows of 2 runs (made, made), merged because" in found.boards[0].tasks[0].notes[-1]


def test_one_run_is_its_own_board_even_when_it_is_named_twice(make: Make) -> None:
    folder = make(FIXED)
    found = merged(folder, folder)
    assert board_json(found.boards[0]) == board_json(build_board(load_run(folder)))


def test_a_third_method_changes_nothing_between_two(make: Make) -> None:
    alone = merged(make(FIXED))
    with_third = merged(make(FIXED), make(SEARCHED))
    mine, other = (found.boards[0] for found in (alone, with_third))
    assert isinstance(mine, Board)
    assert isinstance(other, Board)
    row, same = mine.tasks[0].row("default"), other.tasks[0].row("default")
    assert row is not None
    assert same is not None
    assert (row.held_out, row.difference, row.cells) == (same.held_out, same.difference, same.cells)


def test_the_order_of_runs_rows_and_units_changes_nothing(make: Make) -> None:
    runs = [make(FIXED), make(SEARCHED), make(FIXED, prepared="cd", name="other")]
    back = make(SEARCHED[::-1])
    plan = read_sealed(back / "plan.json", "")
    (back / "plan.json").write_text(sealed(plan | {"units": plan["units"][::-1]}))
    found = merged(*runs)
    for order in ([2, 1, 0], [1, 2, 0]):
        again = merged(*(runs[index] for index in order))
        assert list(map(board_json, again.boards)) == list(map(board_json, found.boards))
        assert again.reasons == found.reasons
    assert rows_of(merged(back, runs[0]).boards[0]) == rows_of(found.boards[0])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"prepared": "cd"}, 'prepared data of marks/clean: "cd" against "ab"'),
        ({"suite": {"seeds": [0, 2]}}, "seeds: [0,2] against [0,1]"),
        ({"limit": 20}, "limit: 20 against none"),
        ({"tasks": [made_run.IMAGES | {"test_samples": 99}]}, "test samples of marks: 99 against 120"),
        ({"tasks": [made_run.IMAGES | {"held_out": ["rough"]}]}, "held out of marks: "),
        ({"tasks": [made_run.BYTES]}, "only one of them has "),
        (
            {"suite": {"search": {"evaluations": 9, "parameter_tolerance": 0.05}}},
            "search evaluations: 9 against 8",
        ),
        ({"suite": {"reference": "default"}}, 'reference: "default" against "tuned"'),
    ],
)
def test_runs_of_other_protocols_stand_apart_with_the_reason(
    make: Make, settings: dict[str, Any], reason: str
) -> None:
    found = merged(make(FIXED), make(FIXED, name="other", **settings))
    assert len(found.boards) == 2
    assert found.reasons[0].startswith(f"other stands apart from made: {reason}")


def test_runs_of_other_code_stand_apart_with_the_reason(make: Make) -> None:
    found = merged(make(FIXED), make(SEARCHED, name="other", code={"engine": "edited"}))
    assert len(found.boards) == 2
    assert "was changed between the two" in found.reasons[0]


def test_a_row_made_in_two_ways_keeps_runs_apart(make: Make) -> None:
    one, other = make(FIXED), make(FIXED, name="other")
    records = [(path, read_record(path)) for path in sorted(other.glob("units/score-*/record.json"))]
    path, record = next((path, one) for path, one in records if one and one.spec["method"] == "tuned")
    path.write_text(replace(record, result={**record.result, "value": 0.25}).to_json())
    assert "both have the row tuned, made or scored in different ways" in merged(one, other).reasons[0]


def test_a_score_that_one_of_two_runs_has_is_not_missing(make: Make) -> None:
    found = merged(make(FIXED, failed=[("default", "rough")]), make(FIXED))
    assert rows_of(found.boards[0]) == rows_of(build_board(load_run(make(FIXED))))


def test_an_incomplete_method_is_not_ranked(make: Make) -> None:
    board = merged(make(FIXED), make(SEARCHED, failed=[("local_search", "grainy")])).boards[0]
    assert isinstance(board, Board)
    assert [(row.method, row.rank) for row in board.tasks[0].rows] == [
        ("tuned", 1),
        ("default", 2),
        ("local_search", None),
    ]
    assert board.tasks[0].rows[-1].held_out is None


def test_lost_samples_of_a_merged_run_are_named_by_their_own_folder(make: Make) -> None:
    one, other = make(FIXED), make(SEARCHED)
    lost = sorted(other.glob("units/score-*/samples.parquet"))
    for path in lost:
        path.unlink()
    for path in one.glob("units/score-*/samples.parquet"):
        path.touch()
    with pytest.raises(HarnessError, match=r"units/score-\w+ has lost its files"):
        merged(one, other)


def test_an_empty_group_is_no_zero() -> None:
    assert grouped_ratio(np.array([[3.0], [0.0]]), np.array([[4.0], [0.0]]))[0] == 0.75
    assert np.isnan(grouped_ratio(np.array([0.0]), np.array([0.0])))
    classes = grouped_ratio(np.array([3.0, 0.0]), np.array([4.0, 0.0]))
    assert classes == 0.75, "a class without samples does not pull the mean down"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_fails_its_unit(bad: float) -> None:
    index = np.zeros(2, dtype=np.int64)
    scores = SampleScores(index, index, np.array([1.0, bad]), np.ones(2))
    for metric in ("accuracy", "balanced_accuracy", "bits_per_byte"):
        with pytest.raises(ValueError, match="not finite"):
            metric_of(metric).value(scores)


def test_a_perfect_row_has_an_interval_below_it(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "perfect"
    made_run.make(folder, made_run.drawn({"tuned": 1.1, "default": -0.1}), rows=FIXED)
    board = merged(folder).boards[0]
    assert isinstance(board, Board)
    best, worst = board.tasks[0].rows
    assert best.held_out is not None
    assert worst.held_out is not None
    assert best.held_out.high == 1
    assert 0.95 < best.held_out.low < 0.99
    assert worst.held_out.low == 0
    assert 0.01 < worst.held_out.high < 0.05


def only(whole: Path, folder: Path, searchers: list[str]) -> Path:
    """Writes a copy of a run on a table that has these searchers alone."""
    shutil.copytree(whole, folder)
    plan = read_sealed(folder / "plan.json", "")
    plan["suite"]["searchers"] = searchers
    plan["units"] = [unit for unit in plan["units"] if unit["spec"].get("method", searchers[0]) in searchers]
    (folder / "plan.json").write_text(sealed(plan))
    return folder


def test_runs_that_look_up_merge_and_others_stand_beside_them(make: Make, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    done = harness("eval", "toy_lookup", "--out", str(whole), "--workers", "1")
    assert done.returncode == 0, done.stderr
    one = only(whole, tmp_path / "one", ["random_search", "local_search", "local_search_default"])
    other = only(whole, tmp_path / "other", ["random_search", "spos_evolution"])
    found = merged(other, make(FIXED), one)
    assert len(found.boards) == 2
    assert "they are of two studies: " in found.reasons[0]
    both: Any = next(board for board in found.boards if not isinstance(board, Board))
    expected: Any = build_board(load_run(whole))
    assert both.rankings == expected.rankings


def test_every_format_shows_runs_that_stand_apart(make: Make) -> None:
    folders = [str(make(FIXED)), str(make(SEARCHED, name="other", prepared="cd"))]
    reason = "other stands apart from made: prepared data of marks/clean"
    for form in ("terminal", "md", "html", "tex"):
        done = harness("leaderboard", *folders, "--format", form)
        assert done.returncode == 0, done.stderr
        assert reason in done.stdout
        assert "local" in done.stdout
    document = json.loads(harness("leaderboard", *folders, "--format", "json").stdout)
    assert document["apart"][0].startswith(reason)
    assert [board["name"] for board in document["boards"]] == ["made", "other"]
    lines = pd.read_csv(StringIO(harness("leaderboard", *folders, "--format", "csv").stdout))
    assert set(lines["board"]) == {"1 made", "2 other"}
    mistaken = harness("leaderboard", *folders, "--format", "pdf")
    assert mistaken.returncode == 2
    assert "no format named 'pdf'" in mistaken.stderr
