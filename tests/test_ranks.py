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
from harness.search.halving import Halving, Job
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


HALVED = ALONE.replace("steps = 3,", "steps = 18,") + '[search]\nevaluations = 7\ntraining = "asha"\n'


def test_candidates_that_are_not_among_the_best_third_of_their_rung_are_stopped(tmp_path: Path) -> None:
    plan = plan_of(HALVED, tmp_path)
    unit = units(plan, "search", seed=0)[0]
    found = done(plan, unit, tmp_path / "run").result
    assert isinstance(found, Search)
    whole = [one for one in found.history if one.steps is None]
    stopped = [one for one in found.history if one.steps is not None]
    assert found.history[0] in whole, "the first one is the best of one"
    assert {one.steps for one in stopped} <= {2, 6}
    assert stopped
    assert found.score == max(one.score for one in whole)
    assert found.steps is None
    (tmp_path / "other").mkdir()
    plain = plan_of(HALVED.replace('training = "asha"\n', ""), tmp_path / "other")
    searched = done(plain, units(plain, "search", seed=0)[0], tmp_path / "other" / "run").result
    assert isinstance(searched, Search)
    scores = {str(one.architecture): one.score for one in searched.history}
    for one in whole:
        assert scores.get(str(one.architecture), one.score) == one.score, (
            "what was paused ends as if it was not"
        )
    assert scores[str(found.history[0].architecture)] == found.history[0].score
    assert isinstance(unit.spec, SearchSpec)
    passes = validation_passes(unit.spec)
    rungs = {2: 1, 6: 2, None: 3}
    spent = [(one.macs or 0) * (24 * (one.steps or 18) + rungs[one.steps] * passes) for one in found.history]
    assert found.compute == sum(spent)
    assert not [path for path in (tmp_path / "run").rglob("*") if "checkpoint" in path.name]


def test_a_rung_lets_its_best_third_go_on() -> None:
    halving = Halving(2)
    goes = []
    for trial, score in enumerate([0.5, 0.4, 0.6, 0.7, 0.65, float("-inf"), 0.69]):
        halving.tell(Job(trial, 0), score)
        goes.append(halving.goes_on(Job(trial, 0)))
    # By hand: the best one of up to five, the best two of six and seven.
    assert goes == [True, False, True, True, False, False, True]
    alone = Halving(2)
    alone.tell(Job(0, 0), float("-inf"))
    assert not alone.goes_on(Job(0, 0))


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
        (HALVED.replace('"alone"', '"fair"'), "asha, which is for candidates trained alone; set"),
        (HALVED + "racing = true\n", "racing is for training whole"),
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
