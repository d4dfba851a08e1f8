"""Rank quality of weight sharing. Truth: scores written by hand, and a toy run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import filled
import numpy as np
import pytest
from command import harness
from scipy.stats import kendalltau
from working import plan_of

from harness import catalog
from harness.files import write_atomically
from harness.identity.unit import AnyUnit
from harness.run.loaded import load_run
from harness.run.stored import write_record
from harness.study.formats import render
from harness.study.ranking.board import CONTROLS, RankingBoard, ranking_verdict
from harness.study.study import build_board, verdict

ALONE = "training alone, another seed"


def written(folder: Path, *, architectures: int = 40, lacking: bool = False) -> None:
    """Writes a run whose `single_path` knows the truth of one space of two, and whose `fair` knows nothing.

    In the second space the truth runs the other way, so that spaces that are mixed up have no order.
    """
    spaces = '["hybrid:micro", "autoformer"]'
    text = f'extends = "toy_quality"\nspaces = {spaces}\narchitectures = {architectures}\n'
    plan = plan_of(text, folder)
    write_atomically(folder / "plan.json", plan.to_json())
    draw = np.random.default_rng(1)
    rising = np.linspace(0, 1, architectures)
    truths = {"hybrid:micro": rising, "autoformer:micro": rising[::-1]}
    noise = {("hybrid:micro", "single_path"): 0.05}
    read: dict[str, tuple[str, str]] = {}

    def left(unit: AnyUnit, **found: Any) -> None:
        inputs = dict(read[need] for need in unit.needs)
        result = filled.result(unit.kind.name, **found)
        record = write_record(folder, unit, "ok", result=result, inputs=inputs)
        read[unit.hash] = (unit.name, record.result_hash)

    for unit in plan.units:
        if unit.kind.name in ("prepare", "supernet"):
            left(unit)
        if unit.kind.name == "scratch" and not (lacking and unit.spec.index == 3):
            score = float(truths[unit.spec.space][unit.spec.index] + draw.normal(0, 0.01))
            left(unit, score=score)
        if unit.kind.name == "inherited":
            size = noise.get((unit.spec.space, unit.spec.strategy), 100.0)
            scores = truths[unit.spec.space] + draw.normal(0, size, architectures)
            sizes = draw.integers(0, 100, architectures).tolist()
            left(unit, scores=scores.tolist(), parameters=sizes, macs=sizes)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> RankingBoard:
    folder = tmp_path_factory.mktemp("quality")
    written(folder)
    return build_board(load_run(folder))


def test_tau_is_the_mean_over_seeds_of_scipys(board: RankingBoard) -> None:
    row = board.spaces[0].rows[0]
    truth = np.mean(board.spaces[0].scores[ALONE], axis=0)
    expected = np.mean(
        [kendalltau(scores, truth).statistic for scores in board.spaces[0].scores["single_path"]]
    )
    assert row.name == "single_path"
    assert row.tau.value == pytest.approx(expected)
    assert row.tau.low < expected < row.tau.high


def test_the_verdict_comes_from_the_interval_of_the_difference_to_size(board: RankingBoard) -> None:
    known, unknown = verdict(board).split(" In autoformer:micro ")
    assert known.startswith("In hybrid:micro single_path has the highest rank correlation")
    assert "orders architectures better than their parameters do" in known
    assert unknown.endswith("which is not shown to be better than chance.")


def test_noise_of_training_is_shown_as_what_is_possible(board: RankingBoard) -> None:
    for space in board.spaces:
        assert next(row for row in space.rows if row.name == ALONE).tau.value > 0.9


def test_without_every_training_there_is_no_tau(tmp_path: Path) -> None:
    written(tmp_path, lacking=True)
    board = build_board(load_run(tmp_path))
    assert all(row.tau is None for space in board.spaces for row in space.rows)
    assert "cannot tell" in verdict(board)


@pytest.mark.parametrize("format", ["terminal", "md", "csv", "json", "html", "tex"])
def test_every_format_names_every_order(board: RankingBoard, format: str) -> None:
    text = render(board, format).replace("\\_", "_")
    assert all(row.name in text for row in board.spaces[0].rows)


@pytest.mark.slow
@pytest.mark.ci
def test_a_run_on_rank_quality_ends_with_a_report(tmp_path: Path) -> None:
    done = harness("eval", "toy_quality", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "## Rank quality" in (tmp_path / "run" / "report.md").read_text()


def test_a_space_whose_strategies_lack_results_is_not_known_whatever_its_controls(
    board: RankingBoard,
) -> None:
    def chips(board: RankingBoard) -> list[str]:
        return [chip.text for chip in catalog.load("section", "verdict").render(None, board).chips]

    space = board.spaces[0]
    assert chips(board)[0].startswith(f"{space.best.name}: tau ")
    lacking = [replace(row, tau=None) if row.name not in (*CONTROLS, ALONE) else row for row in space.rows]
    assert any(row.tau for row in lacking), "a control has one"
    poor = replace(board, spaces=(replace(space, rows=tuple(lacking)),))
    assert chips(poor) == ["not known yet"]
    assert "cannot tell which strategy" in ranking_verdict(poor)
