"""Rows that tell space, search and compute apart. Truth: closed forms of cost, planted effects, windows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import made_run
import pytest
from torch.utils.flop_counter import FlopCounterMode
from working import all_done, done, first, plan_of, units

from harness import catalog
from harness.cli.language_model import with_environment
from harness.files import write_atomically
from harness.identity.unit import AnyUnit
from harness.run.loaded import load_run
from harness.study.cost import Costs
from harness.study.lookup.settings import LookupSuite
from harness.study.plan import Plan
from harness.study.study import build_board, make_plan
from harness.study.suite import load_suite
from harness.study.trained.boards.tables import equal_compute_table, gain_table
from harness.study.trained.boards.values import Board, Row, TaskBoard
from harness.study.trained.boards.verdict import task_verdict
from harness.study.trained.settings import Suite
from harness.study.work.matched import load_family

SUITE = """
extends = "toy"
baselines = ["default", "longer", "tuned", "random", "floor"]
"""
PLAIN, DIVERSE = made_run.PLAIN, made_run.DIVERSE


class Done:
    """A plan with every row, performed."""

    def __init__(self, folder: Path) -> None:
        self.plan = plan_of(SUITE, folder)
        self.results = all_done(self.plan, self.plan.units, folder / "run")
        write_atomically(folder / "run" / "plan.json", self.plan.to_json())
        self.board: Board = build_board(load_run(folder / "run"))
        self.task: TaskBoard = self.board.tasks[0]

    def row(self, method: str, space: str | None = None) -> Row:
        return next(row for row in self.task.rows if row.key == (method, space))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Done:
    return Done(tmp_path_factory.mktemp("arms"))


@pytest.fixture(scope="module")
def plan(ran: Done) -> Plan:
    return ran.plan


def macs(plan: Plan, *chosen: AnyUnit) -> int:
    costs = Costs(plan.units)
    return sum(map(costs.macs, chosen))


def searching(plan: Plan) -> int:
    """Returns what supernet and search of the dearest row cost."""
    by_hash = {unit.hash: unit for unit in plan.units}
    found = []
    for search in units(plan, "search", seed=0):
        supernet = next(by_hash[need] for need in search.needs if by_hash[need].kind.name == "supernet")
        found.append(macs(plan, supernet, search))
    return max(found)


def test_trials_cost_what_supernet_and_search_do_and_never_less(plan: Plan) -> None:
    (tune, *_) = units(plan, "tune", seed=0)
    one = macs(plan, tune) / tune.spec.evaluations
    assert tune.spec.evaluations >= 2
    assert macs(plan, tune) >= searching(plan)
    assert one * (tune.spec.evaluations - 1) < searching(plan) or tune.spec.evaluations == 2


def test_a_longer_training_costs_what_search_and_final_do(plan: Plan) -> None:
    longer, plain = (units(plan, "final", method=name)[0] for name in ("longer", "default"))
    step = macs(plan, plain) / plain.spec.steps
    more = macs(plan, longer) - macs(plan, plain) - searching(plan)
    assert 0 <= more <= step
    assert longer.spec.recipe == plain.spec.recipe
    assert longer.spec.learning_rates == plain.spec.learning_rates


RATES = (1e-3, 3e-3, 1e-2)


def test_every_row_tries_the_same_rates_and_pays_for_them(tmp_path: Path) -> None:
    rates = f'[[tasks]]\nname = "toy_patterns"\n[tasks.training]\nlearning_rates = {list(RATES)}\n'
    plan = plan_of(SUITE + rates, tmp_path)
    finals = [unit for unit in units(plan, "final") if unit.spec.method not in ("tuned", "floor")]
    assert {unit.spec.method for unit in finals} == {"default", "longer", "random", "local_search"}
    assert {unit.spec.learning_rates for unit in finals} == {RATES}
    assert {unit.spec.trainings for unit in finals} == {len(RATES)}
    longer, plain, tuned = (units(plan, "final", method=name)[0] for name in ("longer", "default", "tuned"))
    more = macs(plan, longer) - macs(plan, plain) - searching(plan)
    assert 0 <= more <= macs(plan, plain) / plain.spec.steps, "they share the compute of the search"
    (tune, *_) = units(plan, "tune", seed=0)
    assert (tune.spec.learning_rates, tuned.spec.trainings) == (RATES, 1)
    one = macs(plan, tuned)
    assert one == macs(plan, plain) / len(RATES)
    # A tuned row pays what the default, each of whose rates is a trial of it, and the search do, rounded up.
    assert 0 <= macs(plan, tune, tuned) - macs(plan, plain) - searching(plan) < one


def test_nothing_is_drawn_that_the_suite_does_not_allow(ran: Done) -> None:
    for space in (PLAIN, DIVERSE):
        finals = units(ran.plan, "final", method="random", space=space)
        assert {unit.spec.select_seed for unit in finals} == {0, 1}
        found = [ran.results[unit.hash] for unit in finals]
        family, preset = load_family(space)
        signature = catalog.load("task", "toy_patterns").signature
        window = family.matched(preset, signature, 0.05, centre=None)
        genes = [window.from_json(result["architecture"]) for result in found]
        assert all(map(window.in_window, genes))
        assert len(set(genes)) == len(genes), "each seed draws another"
        assert [window.parameters(one) for one in genes] == [result["parameters"] for result in found]
    assert not [unit for unit in units(ran.plan, "search") if unit.spec.searcher == "random"]


def test_a_row_can_be_drawn_from_a_space_of_its_own(tmp_path: Path) -> None:
    plan = plan_of('extends = "toy"\nbaselines = ["tuned", "random:hybrid:mini"]\n', tmp_path)
    assert {unit.spec.space for unit in units(plan, "final", method="random")} == {"hybrid:mini"}


def test_compute_is_that_of_all_that_was_needed(ran: Done) -> None:
    searched, drawn = ran.row("local_search", DIVERSE), ran.row("random", DIVERSE)
    longer, tuned, plain = ran.row("longer"), ran.row("tuned"), ran.row("default")
    assert ran.row("floor").compute == (0,)
    assert all(row.compute for row in (searched, drawn, longer, tuned, plain))
    of = {row.name: fmean(row.compute or ()) for row in ran.task.rows}
    spent = of[searched.name] - of[drawn.name]
    # A search's own architectures may be dearer or cheaper than the drawn ones that stand for them before.
    assert spent == pytest.approx(searching(ran.plan), rel=0.35)
    step = of["default"] / plain.steps[0]
    assert 0 <= of["longer"] - of["default"] - searching(ran.plan) <= step
    assert of["tuned"] > of["default"] + 0.7 * searching(ran.plan)
    equal = equal_compute_table(ran.board, ran.task)
    assert equal is not None
    assert {"longer", "local_search"} <= {row[0] for row in equal.rows}
    assert not {"default", "random"} & {row[0] for row in equal.rows}


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize(
    ("strategy", "kinds"),
    [
        ("single_path", ("supernet", "search", "tune")),
        *((name, ("supernet",)) for name in ("sandwich", "fair", "progressive_shrinking")),
    ],
)
def test_compute_is_what_a_counter_counts(tmp_path: Path, strategy: str, kinds: tuple[str, ...]) -> None:
    """The counter knows products and convolutions, and that an input needs no gradient."""
    plan = plan_of('extends = "toy"\n', tmp_path)
    tasks = [replace(task, supernet=replace(task.supernet, strategy=strategy)) for task in plan.suite.tasks]
    plan = make_plan(plan.name, replace(plan.suite, tasks=tasks), limit=None)
    for kind in kinds:
        with FlopCounterMode(display=False) as counter:
            result = done(plan, first(plan, kind), tmp_path / "run").result
        assert result.compute == pytest.approx(counter.get_total_flops() / 2, rel=0.2)


def test_gains_stand_on_a_board_that_was_trained(ran: Done) -> None:
    found = {(gain.of, gain.row, gain.control) for gain in ran.task.gains}
    assert found == {
        ("space", f"random in {DIVERSE}", f"random in {PLAIN}"),
        ("search", f"local_search in {DIVERSE}", f"random in {DIVERSE}"),
        ("search", f"local_search in {PLAIN}", f"random in {PLAIN}"),
    }


ROWS = [("tuned", None), ("random", PLAIN), ("random", DIVERSE), ("local_search", DIVERSE)]


def made(folder: Path, samples: Callable[..., Any], claim: tuple[str, str]) -> Board:
    folder.mkdir()
    suite = {"claim": {"method": claim[0], "space": claim[1]}}
    found: Board = build_board(load_run(made_run.make(folder, samples, rows=ROWS, suite=suite)))
    return found


@pytest.mark.parametrize("planted", [True, False])
def test_a_planted_gain_is_found_where_it_is_and_nowhere_else(tmp_path: Path, planted: bool) -> None:
    draw = made_run.drawn({"random": 0.6, "local_search": 0.85 if planted else 0.6})

    def samples(method: str, domain: str, seed: int) -> dict[str, Any]:
        luck = 77 if method == "local_search" else 0  # another training
        return dict(draw(method, domain, seed + luck))

    board = made(tmp_path / "run", samples, ("local_search", DIVERSE))
    calls = {gain.of: gain.difference.call for gain in board.tasks[0].gains}
    assert (calls["search"] == "higher") is planted
    assert calls["space"] == "same", "both rows of random architectures have the same samples"
    table = gain_table(board.tasks[0])
    assert table is not None
    assert [row[:3] for row in table.rows] == [
        ("the space", f"random in {DIVERSE}", f"random in {PLAIN}"),
        ("the search", f"local_search in {DIVERSE}", f"random in {DIVERSE}"),
    ]


def test_random_architectures_above_a_search_are_in_its_verdict(tmp_path: Path) -> None:
    samples = made_run.drawn({"tuned": 0.5, "random": 0.9, "local_search": 0.7})
    board = made(tmp_path / "run", samples, ("local_search", DIVERSE))
    found = task_verdict(board, board.tasks[0])
    assert found.fixed_above
    assert f"random in {DIVERSE} (8" in found.sentence
    board = made(tmp_path / "other", samples, ("random", DIVERSE))
    assert "5 random architectures, a training of each" in task_verdict(board, board.tasks[0]).sentence


SHIPPED = sorted(path.stem for path in (Path(__file__).parents[1] / "leaderboards").glob("*.toml"))


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "nasbench201_fast"])
def test_every_shipped_suite_has_the_method_and_random_architectures_beside_it(name: str) -> None:
    suite = load_suite(name)[1]
    if isinstance(suite, Suite | LookupSuite) and suite.searchers:
        assert {"collm_nas", "random_search"} <= set(suite.searchers)
        embedded = with_environment(suite, {})
        assert isinstance(embedded, Suite | LookupSuite)
        assert "collm_nas" not in embedded.searchers
        assert embedded.claim == suite.claim or "collm_standin" in str(embedded.claim)
    if isinstance(suite, Suite):
        assert "random" in suite.baselines
