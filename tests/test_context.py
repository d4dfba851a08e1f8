"""Windows of a suite's own length. Truth: the trained network's own validation score, and plan keys."""

from pathlib import Path

import pytest
from working import all_done, first, place_of, plan_of, units

from harness.errors import HarnessError
from harness.learn.predictors import TorchLanguageModel
from harness.nn.networks.hybrid import HybridNet
from harness.run.place import Needs
from harness.study.cost import Costs
from harness.study.plan import Plan
from harness.study.trained.units import FinalSpec, ScoreSpec
from harness.study.trained.work.score import restored
from harness.study.work.alone import validation_score

SUITE = """
extends = "toy"
spaces = ["hybrid:micro"]
searchers = ["local_search", "zero_cost_synflow"]
baselines = ["default", "tuned", "random", "floor"]
[search]
rank_architectures = 8
trials = 2
[[tasks]]
name = "{}"
validation_samples = 4
test_samples = 4
{}
[tasks.supernet]
strategy = "single_path"
steps = 1
[tasks.training]
steps = 2
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(SUITE.format("toy_bytes", "context = 128"), tmp_path_factory.mktemp("plan"))


def test_two_contexts_share_data_and_floor_and_no_network(plan: Plan, tmp_path: Path) -> None:
    there = {one.hash for one in plan_of(SUITE.format("toy_bytes", ""), tmp_path).units}
    own = {one.hash for one in plan_of(SUITE.format("toy_bytes", "context = 16"), tmp_path).units}
    shared = [one for one in plan.units if one.hash in there]
    kept = [*units(plan, "prepare"), *units(plan, "final", "score", method="floor")]
    assert {one.hash for one in shared} == {one.hash for one in kept}
    assert own == there, "the task's own context is no other one"
    kinds = {one.kind.name for one in plan.units if one.hash not in there}
    assert kinds == {"supernet", "inherited", "scratch", "proxies", "search", "tune", "final", "score"}


def test_restored_network_reads_what_the_trained_one_read(plan: Plan, tmp_path: Path) -> None:
    unit = first(plan, "score", method="default", role="held_out")
    known = {one.hash: one for one in plan.units}
    final = next(known[need] for need in unit.needs if known[need].kind.name == "final")
    data = [known[need] for need in final.needs]
    trained = all_done(plan, [*data, final], tmp_path)[final.hash]
    needs = Needs({need: known[need] for need in unit.needs}, place_of(tmp_path))
    assert isinstance(unit.spec, ScoreSpec)
    assert isinstance(final.spec, FinalSpec)
    model, _ = restored(unit.spec, needs)
    assert isinstance(model, TorchLanguageModel)
    assert isinstance(model.module, HybridNet)
    assert (model.context, model.module.layout.tokens) == (128, 128)
    view = needs.view(final.spec)
    assert validation_score(model, view, final.spec) == trained["validation"]
    model.context = 16
    assert validation_score(model, view, final.spec) != trained["validation"]


def test_costs_are_those_of_the_context(plan: Plan, tmp_path: Path) -> None:
    short = plan_of(SUITE.format("toy_bytes", ""), tmp_path)
    costs, by_plan = Costs((*short.units, *plan.units)), []
    for one in (short, plan):
        training = first(one, "final", method="default")
        by_plan.append([costs.alone("default", training.spec), costs.macs(first(one, "supernet"))])  # type: ignore[arg-type]
    (alone, supernet), (longer, longer_supernet) = by_plan
    assert longer > 8 * alone, "of eight times as many tokens, each of which sees more"
    assert longer_supernet > 8 * supernet


@pytest.mark.parametrize(
    ("task", "setting", "told"),
    [
        (
            "toy_patterns",
            "context = 128",
            "kind image, which is not read in windows; leave out context = 128",
        ),
        ("toy_bytes", "context = -1", "context must be at least 0 and at most 1048576, not -1"),
        ("toy_bytes", "context = 1048577", "context must be at least 0 and at most 1048576"),
        ("toy_bytes", "context = 64.5", "context must be a whole number"),
    ],
)
def test_wrong_context_is_told(task: str, setting: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=told):
        plan_of(SUITE.format(task, setting), tmp_path)
