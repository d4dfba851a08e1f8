"""The board of a run. Truth: a synthetic run whose every score is known here in closed form."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_run import DIVERSE, PLAIN, TOY_ROWS, MadeRun, ToyRun, drawn, make

from harness.board.values import LanguageModelUse
from harness.errors import HarnessError, UnknownNameError
from harness.run.loaded import load_run
from harness.study.formats import board_json, render
from harness.study.study import build_board, load_study, verdict
from harness.study.trained.boards.values import Board
from harness.study.trained.boards.verdict import task_verdict


def board_of(path: Path, **settings: Any) -> Board:
    return build_board(load_run(ToyRun(path, **settings).write()))


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return board_of(tmp_path_factory.mktemp("run"))


def test_a_better_search_gets_a_verdict_on_every_task(board: Board) -> None:
    assert [task_verdict(board, task).outcome for task in board.tasks] == ["better", "better"]
    assert "is better than tuned on all 2 boards" in verdict(board)


def test_a_search_as_good_as_the_reference_cannot_tell(tmp_path: Path) -> None:
    found = board_of(tmp_path, collm_nas=0.6)
    assert [task_verdict(found, task).outcome for task in found.tasks] == ["same", "same"]
    assert verdict(found).startswith("This run cannot tell whether collm_nas in hybrid:micro holds up better")


def test_a_worse_search_is_called_worse(tmp_path: Path) -> None:
    found = board_of(tmp_path, collm_nas=0.4)
    assert "is worse than tuned on all 2 boards" in verdict(found)


def test_rows_are_ranked_by_the_metric_in_its_own_direction(board: Board) -> None:
    for task in board.tasks:
        assert task.rows[0].method == "collm_nas"
        assert [row.rank for row in task.rows[:5]] == sorted(row.rank or 0 for row in task.rows[:5])
        assert task.rows[0].rank_best == 1
        assert task.rows[0].gap.value > 0


def test_the_mean_is_that_of_domains_and_seeds(board: Board) -> None:
    row = board.tasks[1].rows[0]
    values = [value for cell in row.on("held_out") for value in cell.by_seed]
    assert row.held_out.value == pytest.approx(np.mean(values))
    assert row.held_out.value == pytest.approx(4 - 2 * 0.7, abs=0.02)
    assert row.difference.value == pytest.approx(-0.2)
    assert row.difference.low == pytest.approx(row.difference.high), "the ease of groups cancels in a pair"


def test_the_floor_is_shown_unranked_and_last(board: Board) -> None:
    for task in board.tasks:
        assert task.rows[-1].is_floor
        assert task.rows[-1].rank is None
        assert task.rows[-1].held_out is not None


def test_a_fixed_architecture_above_the_claim_is_in_the_verdict(tmp_path: Path) -> None:
    board = board_of(tmp_path, default=0.95)
    assert "The row default (9" in verdict(board)
    assert "whose architecture no search chose, is above it." in verdict(board)
    assert "above both on " in verdict(board)


def test_a_claim_of_a_baseline_speaks_of_no_search(tmp_path: Path) -> None:
    found = replace(board_of(tmp_path, default=0.95), claim=("default", None))
    assert "default is better than tuned on all 2 boards." in verdict(found)
    assert ": default holds up better." in verdict(found)
    assert "the search" not in verdict(found)


def test_a_floor_above_everything_is_in_the_verdict(tmp_path: Path) -> None:
    assert "floor (9" in verdict(board_of(tmp_path, floor=0.9))


def test_a_reference_that_does_not_pass_the_floor_in_domain_gives_no_verdict(tmp_path: Path) -> None:
    found = board_of(tmp_path, floor=0.9)
    assert {task_verdict(found, task).outcome for task in found.tasks} == {"no verdict"}
    assert "no regime that answers" in verdict(found)
    assert all(
        any("past the floor in domain: path only" in note for note in task.notes) for task in found.tasks
    )


def test_a_suite_that_shows_the_path_only_gives_no_verdict_whatever_its_scores(tmp_path: Path) -> None:
    found = board_of(tmp_path)
    assert any("past the floor in domain: yes" in note for note in found.tasks[0].notes)
    assert task_verdict(found, found.tasks[0]).outcome != "no verdict"
    refused = task_verdict(found, replace(found.tasks[0], is_path_only=True))
    assert refused.outcome == "no verdict"
    assert "shows the path only" in refused.sentence


USE = LanguageModelUse(
    model="large", kind="endpoint", calls=9, prompt_tokens=9, completion_tokens=9, reasoning_tokens=0
)


@pytest.mark.parametrize(("share", "is_refused"), [(0.4, False), (0.6, True)])
def test_a_row_whose_proposals_were_mostly_repaired_bears_no_claim(
    tmp_path: Path, share: float, is_refused: bool
) -> None:
    board = board_of(tmp_path, default=0.5)
    assert board.claim is not None
    task = board.tasks[0]
    use = replace(USE, repaired=share)
    rows = tuple(replace(row, llm=use) if row.key == board.claim else row for row in task.rows)
    found = task_verdict(board, replace(task, rows=rows))
    assert (found.outcome == "no verdict") is is_refused
    assert ("60 % of its model's proposals" in found.sentence) is is_refused


def test_a_board_says_why_scores_lack_each_reason_once(tmp_path: Path) -> None:
    lost = dict.fromkeys([("collm_nas", "figlet"), ("default", "figlet")], "The disk is gone.")
    board = build_board(load_run(ToyRun(tmp_path, failed=lost).write()))
    told = [note for note in board.tasks[0].notes if "The disk is gone." in note]
    assert told == ["✗ collm_nas in hybrid:micro, default: The disk is gone."]


def test_held_out_domains_of_different_strata_are_never_averaged(tmp_path: Path) -> None:
    class Strata(ToyRun):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            self.suite["tasks"][0]["strata"] = {"figlet": "style", "optdigits": "scan"}

        def eased(self, method: str, domain: str, seed: int) -> dict[str, Any]:
            turned = domain == "optdigits" and method == "collm_nas"
            return super().eased("local_search" if turned else method, domain, seed)

    found = build_board(load_run(Strata(tmp_path).write()))
    assert [task.title for task in found.tasks] == ["digits, style", "digits, scan", "bytes"]
    assert [task.held_out for task in found.tasks[:2]] == [("figlet",), ("optdigits",)]
    outcomes = [task_verdict(found, task).outcome for task in found.tasks]
    assert outcomes == ["better", "worse", "better"]
    assert "The signs disagree, so no one sentence holds." in verdict(found)
    assert all({"mnist", "print"} <= {cell.domain for cell in row.cells} for row in found.tasks[1].rows)


def test_a_run_without_a_verdict_says_what_one_would_take(tmp_path: Path) -> None:
    claim = {"method": "local_search", "space": DIVERSE}
    samples = drawn({"local_search": 0.8}, per_group=8)  # 15 groups
    rows = [("tuned", PLAIN), ("local_search", DIVERSE)]
    run = load_run(make(tmp_path, samples, rows=rows, suite={"seeds": [0, 1], "claim": claim}))
    board = build_board(run)
    units = [unit for unit in run.units if unit.kind.name != "prepare"]
    assert load_study("trained").wants(run, board) == [
        f"marks: 3 more seeds in `seeds`, about {1.5 * len(units) / 3600 * 1.5:.2g} hours of one process as "
        "fast as those of this run.",
        "marks: more samples of rough, which has 60 groups.",
        "marks: more samples of grainy, which has 60 groups.",
    ]
    assert load_study("trained").wants(run, board_of(tmp_path / "enough")) == []


def test_the_reference_once_more_is_a_control_that_the_rule_seldom_tells_apart(tmp_path: Path) -> None:
    def unsteady(method: str, domain: str, seed: int) -> dict[str, Any]:
        draw = np.random.default_rng([seed, len(method), *domain.encode()])
        shift = np.random.default_rng([seed, len(method)]).normal(0, 0.05)  # of the training: on all domains
        right = draw.random(120) < 0.6 + shift
        return {"group": np.arange(120), "label": 0, "numerator": right.astype(float), "denominator": 1.0}

    again = [("tuned", PLAIN)]
    made = MadeRun(tmp_path, unsteady, rows=[*again, ("local_search", DIVERSE)], again=again)
    task = build_board(load_run(made.write())).tasks[0]
    assert task.again is not None
    assert task.again.splits == 126
    assert task.again.called / 126 < 0.15, "groups alone would tell a third of them apart"
    row = task.row("tuned again")
    assert (row.is_variant, row.rank, len(row.seeds)) == (True, None, 5)
    assert row.seeds[0] == (1000, 1001)
    assert row.difference.by_seed == (), "other seeds saw other batches, so nothing is paired"
    assert any(note.startswith("A/A: the rule tells ") for note in task.notes)
    assert task.row("local_search").difference.by_seed


@pytest.mark.parametrize(("shift", "call"), [(0.0, "better"), (0.15, "no verdict"), (-0.15, "no verdict")])
def test_no_verdict_stands_where_the_control_fails(tmp_path: Path, shift: float, call: str) -> None:
    def samples(method: str, domain: str, seed: int) -> dict[str, Any]:
        level = {"tuned": 0.6 + shift * (seed >= 1000), "local_search": 0.9}[method]
        return drawn({method: level})(method, domain, seed)

    claim = {"method": "local_search", "space": DIVERSE}
    reference = [("tuned", PLAIN)]
    rows = [*reference, ("local_search", DIVERSE)]
    run = load_run(MadeRun(tmp_path, samples, rows=rows, again=reference, suite={"claim": claim}).write())
    board = build_board(run)
    found = task_verdict(board, board.tasks[0])
    assert found.outcome == call
    assert ("the control failed: tuned under other seeds differs from itself by " in found.sentence) == bool(
        shift
    )
    wanted = ["marks: more seeds in `seeds`, as the control failed under these."] if shift else []
    assert load_study("trained").wants(run, board) == wanted


def test_splits_of_many_trainings_are_drawn_and_not_listed(tmp_path: Path) -> None:
    again = [("tuned", PLAIN)]
    samples = drawn({"tuned": 0.6})
    made = MadeRun(tmp_path, samples, rows=again, again=again, suite={"seeds": list(range(20))})
    found = build_board(load_run(made.write())).tasks[0].again
    assert found is not None, "forty trainings have 10^11 splits"
    assert found.splits == 126


def test_seeds_that_disagree_widen_the_interval_of_the_claim(tmp_path: Path) -> None:
    def unsteady(method: str, domain: str, seed: int) -> dict[str, Any]:
        level = 0.6 + (method == "local_search") * (0.1 if seed % 2 else -0.05)
        luck = np.random.default_rng([seed, *domain.encode()]).random(120)
        return {"group": np.arange(120), "label": 0, "numerator": (luck < level) * 1.0, "denominator": 1.0}

    made = MadeRun(tmp_path, unsteady, rows=[("tuned", PLAIN), ("local_search", DIVERSE)])
    row = build_board(load_run(made.write())).tasks[0].row("local_search")
    assert row.difference.call == "cannot tell"
    spread = np.std(row.difference.by_seed, ddof=1) / 5**0.5
    assert row.difference.error > spread > 0


def test_a_row_with_a_failed_cell_is_shown_and_not_ranked(tmp_path: Path) -> None:
    found = board_of(tmp_path, failed={("random_search", "figlet"): "out of <memory>."})
    row = found.tasks[0].row("random_search")
    assert row.rank is None
    assert row.held_out is None
    assert [cell.state for cell in row.on("held_out")] == ["failed", "ok"]
    assert row.on("held_out")[0].reason == "out of <memory>."
    assert "✗" in render(found, "md")
    assert sorted(other.rank or 0 for other in found.tasks[0].rows) == [0, 0, 1, 2, 3, 4]


def test_an_incomplete_claim_cannot_tell_and_says_why(tmp_path: Path) -> None:
    found = board_of(tmp_path, failed={("tuned", "figlet"): "its disk was full."})
    assert "tuned has no score on figlet (failed: its disk was full)" in verdict(found)


def test_a_failed_row_changes_nothing_between_two_others(board: Board, tmp_path: Path) -> None:
    found = board_of(tmp_path, failed={("local_search", "figlet"): "x"})
    for method in ("collm_nas", "default"):
        one, other = found.tasks[0].row(method), board.tasks[0].row(method)
        assert one.difference == other.difference


def test_the_order_of_units_changes_nothing(board: Board, tmp_path: Path) -> None:
    folder = ToyRun(tmp_path)
    folder.made = dict(reversed(folder.made.items()))
    assert board_json(build_board(load_run(folder.write()))) == board_json(board)


def test_the_board_holds_no_timing(board: Board) -> None:
    text = board_json(board)
    assert "seconds" not in text
    assert json.loads(text)["tasks"][0]["rows"][0]["held_out"][0] == pytest.approx(0.7, abs=0.1)


def test_no_row_is_bold_when_all_are_equal(tmp_path: Path) -> None:
    same = dict.fromkeys(("default", "tuned", "collm_nas", "random_search", "local_search"), 0.6)
    found = board_of(tmp_path, **same)
    assert not any(row.unbeaten for task in found.tasks for row in task.rows)
    assert "Nothing is bold" in render(found, "md")


def test_a_perfect_score_has_an_interval_with_a_width(tmp_path: Path) -> None:
    row = board_of(tmp_path, collm_nas=2.0).tasks[0].rows[0]
    assert row.held_out.value == row.held_out.high == 1
    assert 0.9 < row.held_out.low < 0.99


def test_missing_units_are_dashes(tmp_path: Path) -> None:
    path = ToyRun(tmp_path).write()
    for record in path.glob("units/score-*/record.json"):
        record.unlink()
    found = build_board(load_run(path))
    assert {cell.state for task in found.tasks for row in task.rows for cell in row.cells} == {"missing"}
    assert "no verdict" in verdict(found)
    for form in ("terminal", "md", "csv", "json", "html", "tex"):
        assert render(found, form)


def test_every_format_escapes_and_names_every_row(board: Board) -> None:
    for form in ("terminal", "md", "csv", "json", "html", "tex"):
        text = render(board, form).replace("\\", "")
        assert all(method in text for method, _ in TOY_ROWS), form
    assert "Toy &lt;b&gt;suite" in render(board, "html")
    assert "Tiny-135M" in render(board, "terminal")
    with pytest.raises(UnknownNameError, match="format named 'mdd'; did you mean md"):
        render(board, "mdd")


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="There is no run in"):
        load_run(tmp_path)


def test_lost_scores_are_named(tmp_path: Path) -> None:
    path = ToyRun(tmp_path).write()
    next(iter(path.glob("units/score-*/sums.*.safetensors"))).unlink()
    with pytest.raises(HarnessError, match=r"sums\.\w+\.safetensors is gone"):
        build_board(load_run(path))


def test_a_sample_that_is_not_finite_is_named(tmp_path: Path) -> None:
    class Odd(ToyRun):
        def eased(self, method: str, domain: str, seed: int) -> dict[str, Any]:
            samples = super().eased(method, domain, seed)
            samples["numerator"][3] = np.nan
            return samples

    path = Odd(tmp_path).write()
    with pytest.raises(HarnessError, match=r"sums\.\w+\.safetensors holds a score that is not finite"):
        build_board(load_run(path))


def test_a_label_is_short_and_marks_outside_data(tmp_path: Path) -> None:
    row = board_of(tmp_path).tasks[0].rows[0]
    assert row.label == row.name
    long = replace(row, method="timm:resnet10t?weights=" + "a/long/path/" * 20 + "w.safetensors", space=None)
    assert len(long.label) == 44
    assert (long.label[:14], long.label[-14:]) == ("timm:resnet10t", "/w.safetensors")
    assert replace(long, outside="photographs").label == f"{long.label} §"
