"""One ranking over all tasks. Truth: counting pairs and ranks by hand, and golden numbers."""

from dataclasses import replace
from functools import partial
from itertools import product
from statistics import fmean

import numpy as np
import pytest
from made_run import ToyRun

from harness import catalog
from harness.catalog import metric_of
from harness.run.loaded import load_run
from harness.stats.aggregates import (
    interquartile_mean,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    stratified_interval,
)
from harness.study.study import build_board
from harness.study.trained.boards.overall import overall_rows, overall_table
from harness.study.trained.boards.values import Board


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    found: Board = build_board(load_run(ToyRun(tmp_path_factory.mktemp("overall")).write()))
    return found


def test_ranks_and_wins_are_those_that_are_counted_by_hand(board: Board) -> None:
    found = overall_rows(board)
    assert len(found) >= 4
    keys = {one.row.key for one in found}
    for one in found:
        ranks, wins = [], []
        for task in board.tasks:
            sign = metric_of(task.metric).sign
            rows = [row for row in task.rows if row.key in keys]
            (mine,) = (row for row in rows if row.key == one.row.key)
            others = [row for row in rows if row is not mine]
            above = [sign * (row.held_out.value - mine.held_out.value) for row in others]
            ranks.append(1 + sum(less > 0 for less in above) + 0.5 * sum(less == 0 for less in above))
            for row in others:
                for cell, other in zip(mine.on("held_out"), row.on("held_out"), strict=True):
                    pairs = [sign * (a - b) for a, b in product(cell.by_seed, other.by_seed)]
                    wins.append(fmean((less > 0) + 0.5 * (less == 0) for less in pairs))
        assert one.mean_rank == pytest.approx(fmean(ranks))
        assert one.ranks[0] <= one.mean_rank <= one.ranks[1]
        assert (min(ranks), max(ranks)) == pytest.approx(one.ranks), "two boards are too few to be redrawn"
    assert [one.mean_rank for one in found] == sorted(one.mean_rank for one in found)
    assert fmean(one.wins for one in found) == pytest.approx(0.5)


def test_a_reference_is_normalised_to_one_and_chance_to_nought(board: Board) -> None:
    found = {one.row.method: one for one in overall_rows(board)}
    reference = found[board.reference]
    assert reference.interval is not None
    assert reference.middle == pytest.approx(1.0, abs=0.05)
    assert reference.interval[0] <= 1.0 <= reference.interval[1]
    unknown = replace(board, tasks=(replace(board.tasks[0], chance=None), *board.tasks[1:]))
    assert {one.middle for one in overall_rows(unknown)} == {None}


def test_a_profile_is_the_share_of_trainings_above_each_score_that_is_counted_by_hand(board: Board) -> None:
    found = overall_rows(board)
    thresholds = [point.threshold for point in found[0].profile]
    assert 1.0 in thresholds
    for one in found:
        scores = []
        for task in board.tasks:
            mine, reference = task.row(*one.row.key), task.row(board.reference)
            for cell, other in zip(mine.on("held_out"), reference.on("held_out"), strict=True):
                span = fmean(other.by_seed) - task.chance
                scores += [(score - task.chance) / span for score in cell.by_seed]
        assert [point.threshold for point in one.profile] == thresholds, "profiles are read side by side"
        for at, share, low, high in one.profile:
            assert share == fmean(score > at for score in scores)
            assert low <= share <= high
        assert thresholds[0] <= min(scores) <= max(scores) <= thresholds[-1]
    widths = [point.high - point.low for one in found for point in one.profile]
    assert 0 < max(widths) < 1


def test_the_report_draws_the_profiles_of_several_boards_alone(board: Board) -> None:
    render = partial(catalog.load("section", "overall").render, None)
    (figure,) = render(board).figures
    assert "share of trainings" in figure.alt
    assert figure.csv.count("\n") == 1 + sum(len(one.profile) for one in overall_rows(board))
    assert not render(replace(board, tasks=board.tasks[:1])).figures
    unknown = replace(board, tasks=(replace(board.tasks[0], chance=None), *board.tasks[1:]))
    assert not render(unknown).figures


def test_a_row_that_lacks_a_board_is_named_and_not_ranked(board: Board) -> None:
    first, *others = board.tasks
    gone = next(row for row in first.rows if row.rank and row.method != board.reference)
    rows = tuple(row for row in first.rows if row is not gone)
    table = overall_table(replace(board, tasks=(replace(first, rows=rows), *others)))
    assert table is not None
    assert gone.name not in {" in ".join(row[:2]).replace(" in —", "") for row in table.rows}
    assert any(gone.name in note for note in table.notes)
    assert overall_table(replace(board, tasks=board.tasks[:1])) is None, "one board is no ranking of several"


GOLDEN = [[0.1, 0.5, 0.9], [0.2, 0.6, 0.8], [0.3, 0.4, 1.0], [0.0, 0.7, 0.7]]


def test_aggregates_have_the_golden_values() -> None:
    assert interquartile_mean(GOLDEN) == pytest.approx(0.5333333)
    assert optimality_gap(GOLDEN) == pytest.approx(0.4833333)
    assert performance_profile(np.ravel(GOLDEN), [-1, 0.0, 0.7, 1]) == pytest.approx([1, 11 / 12, 3 / 12, 0])
    assert probability_of_improvement([1, 2, 3], [2, 2]) == pytest.approx((0 + 0.5 + 1) / 3)


def test_intervals_of_runs_that_do_not_vary_are_points_and_others_hold_the_truth() -> None:
    draw = np.random.default_rng(0)
    assert stratified_interval([[0.5] * 5, [0.5] * 3], generator=draw) == (0.5, 0.5)
    held = []
    for _ in range(60):
        strata = [draw.normal(0.5, 0.1, 10) for _ in range(4)]
        low, high = stratified_interval(strata, generator=draw, replicates=500)
        held.append(low <= 0.5 <= high)
    assert 0.8 <= np.mean(held) <= 1.0
