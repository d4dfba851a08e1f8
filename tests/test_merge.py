"""Boards of several runs. Truth: one run that holds all rows, and that order must not matter."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import made_run
import pandas as pd
import pytest
from command import harness

from harness.errors import HarnessError
from harness.files import read_sealed, sealed
from harness.run.loaded import load_run
from harness.run.record import read_record
from harness.study.formats import board_json
from harness.study.merge import MergedBoards, merge
from harness.study.study import AnyBoard, build_board
from harness.study.trained.boards.values import Board

FIXED = [("tuned", made_run.PLAIN), ("default", None)]
SEARCHED = [("tuned", made_run.PLAIN), ("local_search", made_run.DIVERSE)]
Make = Callable[..., Path]


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
    return [task.rows for task in board.tasks]


def test_rows_of_two_runs_of_one_protocol_are_one_board(make: Make) -> None:
    tasks = [made_run.IMAGES, made_run.BYTES]
    whole = build_board(load_run(make([*FIXED, *SEARCHED[1:]], tasks=tasks)))
    found = merged(make(FIXED, tasks=tasks), make(SEARCHED, tasks=tasks))
    assert found.reasons == ()
    assert rows_of(found.boards[0]) == rows_of(whole)
    assert "Rows of 2 runs (made, made), merged because" in found.boards[0].tasks[0].notes[-1]


def test_one_run_is_its_own_board_even_when_it_is_named_twice(make: Make) -> None:
    folder = make(FIXED)
    found = merged(folder, folder)
    assert board_json(found.boards[0]) == board_json(build_board(load_run(folder)))


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
        ({"suite": {"seeds": [0, 2]}}, "seeds: [0,2] against [0,1,2,3,4]"),
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


def test_lost_scores_of_a_merged_run_are_named_by_their_own_folder(make: Make) -> None:
    one, other = make(FIXED), make(SEARCHED)
    lost = sorted(other.glob("units/score-*/sums.*"))
    for path in lost:
        path.unlink()
    for path in one.glob("units/score-*/sums.*"):
        path.touch()
    with pytest.raises(HarnessError, match=r"units/score-\w+/sums.accuracy.safetensors is gone"):
        merged(one, other)


def only(whole: Path, folder: Path, searchers: list[str]) -> Path:
    """Writes a copy of a run on a table that has these searchers alone."""
    shutil.copytree(whole, folder)
    plan = read_sealed(folder / "plan.json", "")
    plan["suite"]["searchers"] = searchers
    plan["units"] = [unit for unit in plan["units"] if unit["spec"].get("method", searchers[0]) in searchers]
    (folder / "plan.json").write_text(sealed(plan))
    return folder


@pytest.mark.slow
@pytest.mark.ci
def test_runs_that_look_up_merge_and_others_stand_beside_them(make: Make, tmp_path: Path) -> None:
    whole, suite = tmp_path / "whole", tmp_path / "mine.toml"
    suite.write_text('extends = "toy_lookup"\nrepeats = 2\ndomains = ["near"]\n[search]\nevaluations = [5]\n')
    done = harness("eval", suite, "--out", whole, "--workers", "1")
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
