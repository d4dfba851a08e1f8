"""What searches read: how well slices rank, and candidates that are trained alone where none do."""

from pathlib import Path

import numpy as np
import pytest
from made_run import DIVERSE, MadeRun, drawn
from scipy.stats import kendalltau
from working import all_done, done, place_of, plan_of, units

from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.learn.predictors import predictor
from harness.run.loaded import load_run
from harness.run.place import Needs
from harness.stats.ranks import kendall_interval
from harness.study.cost import Costs
from harness.study.study import build_board, verdict
from harness.study.trained.results import Search
from harness.study.trained.units import SearchSpec
from harness.study.work.alone import mean_score, recipe_of, train_alone
from harness.study.work.matched import matched_space
from harness.study.work.spent import validation_passes

ALONE = """
extends = "toy"
seeds = [0, 1]
spaces = ["hybrid:micro"]
[[tasks]]
name = "toy_bytes"
validation_samples = 10
supernet = { strategy = "alone", steps = 3, batch_size = 8, learning_rate = 3e-3 }
training = { steps = 4, batch_size = 8, learning_rates = [3e-3] }
"""
RANKED = ALONE.replace("alone", "fair") + "[search]\nrank_architectures = 8\n"


def test_the_interval_of_a_rank_correlation_holds_it_in_nineteen_of_twenty() -> None:
    assert kendall_interval(0.5, 8) == pytest.approx((-0.0982, 0.8328), abs=1e-3)
    low, high = kendall_interval(1.0, 8)
    assert 0.8 < low < high < 1
    draw = np.random.default_rng(0)
    taus = [kendalltau(draw.normal(size=8), draw.normal(size=8)).statistic for _ in range(600)]
    called = [low > 0 or high < 0 for low, high in (kendall_interval(tau, 8) for tau in taus)]
    assert 0.02 < np.mean(called) < 0.09


def test_without_a_supernet_a_candidates_score_is_that_of_its_own_training(tmp_path: Path) -> None:
    plan = plan_of(ALONE, tmp_path)
    assert not units(plan, "supernet", "inherited", "scratch")
    unit = units(plan, "search", seed=0)[0]
    run = tmp_path / "run"
    found = done(plan, unit, run).result
    assert isinstance(found, Search)
    assert len(found.history) == 5
    spec = unit.spec
    assert isinstance(spec, SearchSpec)
    assert spec.learning_rate == 3e-3
    known = {one.hash: one for one in plan.units}
    view = Needs({need: known[need] for need in unit.needs}, place_of(run)).view(spec)
    space = matched_space(spec, view.signature)
    recipe = recipe_of(spec, 3e-3)
    sign = metric_of(view.metric).sign
    for one in found.history[:2]:
        module = train_alone(
            lambda one=one: space.networks.build(space.from_json(one.architecture)),
            view,
            recipe,
            spec.seed,
            "candidate",
            tmp_path / "other",
        )
        splits = view.splits("validation", samples=10)
        assert one.score == sign * mean_score(predictor(module, view.signature), splits, view, 512)
    assert len({one.score for one in found.history}) > 1
    passes = 3 * 3 * 8 + validation_passes(spec)
    assert found.compute == passes * sum(one.macs for one in found.history)
    estimated = Costs(plan.units).macs(unit)
    assert 0.5 < estimated / found.compute < 2
    assert not [path for path in run.rglob("*") if "checkpoint" in path.name]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ALONE.replace("alone", ""), "lacks supernet.strategy, one of single_path"),
        (f"{ALONE}[search]\nshared_supernet = true\n", "no supernet to share"),
        (
            'extends = "toy"\n[search]\nrank_architectures = 3\n',
            "must be 0, or at least 8",
        ),
    ],
)
def test_what_a_search_cannot_read_is_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(HarnessError, match=words):
        plan_of(text, tmp_path)


def test_a_board_says_how_well_slices_rank(tmp_path: Path) -> None:
    text = RANKED
    plan = plan_of(text, tmp_path)
    run = tmp_path / "run"
    wanted = units(plan, "supernet", "inherited", "scratch", task="toy_bytes")
    assert [unit.kind.name for unit in wanted].count("scratch") == 8
    results = all_done(plan, wanted, run)
    (run / "plan.json").write_text(plan.to_json())
    found = build_board(load_run(run)).tasks[0]
    kinds = {unit.hash: unit.kind.name for unit in wanted}
    alone = [result["score"] for key, result in results.items() if kinds[key] == "scratch"]
    slices = [result["scores"] for key, result in results.items() if kinds[key] == "inherited"]
    assert len(slices) == 2, "a supernet a seed"
    assert found.ranks[0].tau == pytest.approx(np.mean([kendalltau(one, alone).statistic for one in slices]))
    assert (found.ranks[0].architectures, found.ranks[0].supernets) == (8, 2)
    assert any(
        note.startswith("Ranks in hybrid:micro: slices of its supernet order 8") for note in found.notes
    )


@pytest.mark.parametrize("is_alike", [True, False])
def test_a_verdict_says_where_a_search_read_what_is_no_better_than_chance(
    tmp_path: Path, is_alike: bool
) -> None:
    suite = {"claim": {"method": "local_search", "space": DIVERSE}}
    rows = [("tuned", None), ("local_search", DIVERSE)]
    made = MadeRun(tmp_path, drawn({"local_search": 0.8}), rows=rows, suite=suite)
    spec = {"task": "marks", "space": DIVERSE}
    scores = [0.1 * index for index in range(8)]
    sizes = {"parameters": [5] * 8, "macs": [5] * 8, "architectures": [{}] * 8}
    mine = scores if is_alike else [scores[(3 * index) % 8] for index in range(8)]
    made.unit("inherited", spec, [], {"scores": mine, **sizes})
    for index, score in enumerate(scores):
        about = {"architecture": {}, "learning_rate": 0.1, "parameters": 5}
        made.unit("scratch", spec | {"index": index}, [], about | {"score": score})
    board = build_board(load_run(made.write()))
    assert board.tasks[0].ranks[0].is_shown is is_alike
    assert ("not shown to rank better than chance" in verdict(board)) is not is_alike
