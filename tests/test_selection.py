"""Rules of model selection. Truth: what each rule may see, and scores of the samples that it leaves."""

import json
from pathlib import Path

import filled
import pytest
from command import harness

from harness.run.loaded import load_run
from harness.study.formats import render
from harness.study.study import build_board, verdict
from harness.study.trained.boards.values import Board
from harness.task.selection import CROSS_VALIDATION, DEFAULT_SELECTION, ORACLE, SELECTIONS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("selection") / "run"
    done = harness("eval", "toy_selection", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def board(folder: Path) -> Board:
    return build_board(load_run(folder))


@pytest.mark.slow
@pytest.mark.ci
def test_every_rule_has_a_board_and_the_first_one_the_verdict(board: Board) -> None:
    assert [task.selection for task in board.tasks] == list(SELECTIONS)
    assert len({frozenset(row.name for row in task.rows) for task in board.tasks}) == 1
    assert all(row.is_complete for task in board.tasks for row in task.rows)
    assert ORACLE not in verdict(board)


@pytest.mark.slow
@pytest.mark.ci
def test_an_oracle_is_marked(board: Board) -> None:
    assert "which no real use allows" in " ".join(board.tasks[2].notes)
    assert "patterns, oracle" in render(board, "md")


@pytest.mark.slow
@pytest.mark.ci
def test_rows_differ_in_their_learning_rates_alone(folder: Path) -> None:
    run = load_run(folder)
    architectures = {}
    for unit in filled.units(run, "final", method="local_search", select_seed=0):
        result = run.result(unit)
        architectures[unit.spec.selection] = json.dumps(result.architecture)
    assert set(architectures) == set(SELECTIONS)
    assert len(set(architectures.values())) == 1


@pytest.mark.slow
@pytest.mark.ci
def test_cross_validation_keeps_the_mean_score_on_unseen_sources(folder: Path) -> None:
    run = load_run(folder)
    for unit in filled.units(run, "final", method="local_search", selection=CROSS_VALIDATION):
        result = run.result(unit)
        best = max(result.rates, key=lambda rate: float(result.rates[rate]))
        assert set(result.rates) == {"1e-05", "0.03"}
        assert result.learning_rate == float(best)


@pytest.mark.slow
@pytest.mark.ci
def test_an_oracle_chooses_for_each_domain_by_its_validation_split(folder: Path) -> None:
    run = load_run(folder)
    for unit in filled.units(run, "score", selection=ORACLE, method="local_search", domain="clean"):
        chosen = run.result(unit)
        usual = run.result(run.needed(unit, filled.KINDS["final"]))
        assert chosen.learning_rate in (1e-5, 3e-2)
        assert set(usual.rates) == {"1e-05", "0.03"}
    hashes = {unit.hash for unit in filled.units(run, "score", selection=DEFAULT_SELECTION)}
    assert hashes.isdisjoint(unit.hash for unit in filled.units(run, "score", selection=ORACLE))
