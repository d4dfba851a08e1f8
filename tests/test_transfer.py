"""Transfer between the domains of a table, and searches for a held-out one.

Truth: known values of two published tables, scipy, brute force, and a table of twenty made-up rows.
"""

import csv
import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filled
import numpy as np
import published
import pytest
from command import harness
from scipy import stats
from working import plan_of, units

from harness.data.table.table import LookupTable
from harness.run.loaded import load_run
from harness.stats.ranks import kendall
from harness.stats.transfer import (
    choose,
    standardised,
    standardised_mean,
    top_overlap,
    transfer,
    transfer_matrix,
)
from harness.study.study import build_board


@pytest.fixture
def cells() -> LookupTable:
    return published.table("nasbench201", "nasbench201.csv")


@pytest.fixture
def tasks() -> LookupTable:
    return published.table("transnas_micro", "transnasbench101_micro_val_final.csv")


@pytest.mark.parametrize(
    ("source", "target", "regret", "rank"),
    [
        ("cifar10", "cifar100", 0.2933, 3),
        ("cifar10", "imagenet16-120", 0.6, 6),
        ("cifar100", "imagenet16-120", 0.9667, 26),
        ("imagenet16-120", "cifar10", 0.2483, 20),
    ],
)
def test_a_choice_by_validation_costs_what_is_known_on_another_test(
    cells: LookupTable, source: str, target: str, regret: float, rank: int
) -> None:
    found = choose(cells.validation[source], cells.test[target])
    assert 100 * found.regret == pytest.approx(regret, abs=5e-5)
    assert found.rank == rank


def test_the_known_correlation_is_of_validation_on_the_source_with_test_on_the_target(
    cells: LookupTable,
) -> None:
    validation, test = cells.validation["cifar10"], cells.test["imagenet16-120"]
    assert transfer(validation, test, top=10).spearman == pytest.approx(0.9587, abs=5e-5)
    assert stats.spearmanr(cells.test["cifar10"], test).statistic == pytest.approx(0.9585, abs=5e-5)


def test_tasks_of_vision_may_agree_on_nothing(tasks: LookupTable) -> None:
    found = transfer(tasks.validation["segmentsemantic"], tasks.test["autoencoder"], top=40)
    assert found.spearman == pytest.approx(0.064, abs=5e-4)


def test_the_best_for_one_task_of_vision_may_be_middling_for_another(tasks: LookupTable) -> None:
    found = choose(tasks.validation["autoencoder"], tasks.test["class_scene"])
    assert 100 * found.regret == pytest.approx(3.727, abs=5e-4)
    assert found.rank == 2566


def two_columns() -> tuple[Any, Any]:
    draw = np.random.default_rng(3)
    source = draw.normal(size=60)
    return source, source + draw.normal(size=60)


def test_correlations_agree_with_scipy_and_with_our_own_kendall() -> None:
    source, target = two_columns()
    found = transfer(source, target, top=5)
    assert found.spearman == pytest.approx(stats.spearmanr(source, target).statistic, abs=1e-12)
    assert found.kendall == pytest.approx(float(kendall(source, target)[0]), abs=1e-12)


def test_regret_rank_and_overlap_agree_with_sorting_by_hand() -> None:
    source, target = two_columns()
    found = transfer(source, target, top=5)
    best = max(range(60), key=lambda row: source[row])
    order = sorted(range(60), key=lambda row: -target[row])
    assert found.rank == 1 + order.index(best)
    assert found.regret == pytest.approx(max(target) - target[best])
    assert found.normalised == pytest.approx(found.regret / (max(target) - sum(target) / 60))
    tops = [set(sorted(range(60), key=lambda row: -column[row])[:5]) for column in (source, target)]
    assert found.overlap == len(tops[0] & tops[1]) / 5


def test_a_domain_transfers_to_itself_without_loss() -> None:
    source, _ = two_columns()
    assert transfer(source, source, top=3)[:3] == pytest.approx((1.0, 1.0, 1.0))
    assert choose(source, source)[1:] == (0.0, 0.0, 1, 1)


def test_the_order_of_rows_changes_no_measure() -> None:
    source, target = two_columns()
    mixed = np.random.default_rng(0).permutation(60)
    assert transfer(source[mixed], target[mixed], top=7) == pytest.approx(transfer(source, target, top=7))


def test_rows_that_tie_are_averaged_in_any_order_and_equal_targets_share_a_rank() -> None:
    found = choose([1.0, 2.0, 2.0], [0.0, 1.0, 3.0])
    assert found == (2.0, 1.0, 1.0 / (3 - 4 / 3), 1.5, 2)
    assert choose([0.0, 2.0, 1.0], [5.0, 4.0, 4.0])[3:] == (2, 1)
    draw = np.random.default_rng(1)
    source, target = draw.integers(0, 4, 30), draw.integers(0, 4, 30)
    for mixed in (draw.permutation(30) for _ in range(20)):
        assert transfer(source[mixed], target[mixed], top=7) == pytest.approx(transfer(source, target, top=7))


def test_the_overlap_of_ties_is_the_mean_over_their_orders() -> None:
    source, target = [2.0, 2.0, 2.0, 1.0], [3.0, 1.0, 1.0, 1.0]
    pairs = [
        (set(first), set(second))
        for first in itertools.combinations(range(3), 2)
        for second in ({0, 1}, {0, 2}, {0, 3})
    ]
    assert top_overlap(source, target, 2) == pytest.approx(np.mean([len(a & b) / 2 for a, b in pairs]))


def test_the_matrix_holds_every_source_with_every_target() -> None:
    source, target = two_columns()
    found = transfer_matrix({"a": source, "b": target}, {"b": target}, top=3)
    assert {(one, other) for one, row in found.items() for other in row} == {("a", "b"), ("b", "b")}
    assert found["a"]["b"] == transfer(source, target, top=3)


def test_standardised_scores_agree_with_scipy() -> None:
    source, target = two_columns()
    assert standardised(source) == pytest.approx(stats.zscore(source))
    mean = (stats.zscore(source) + stats.zscore(target)) / 2
    assert standardised_mean([source, target]) == pytest.approx(mean)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: standardised([1.0, 1.0]), "no z-scores"),
        (lambda: transfer([1.0, 1.0], [1.0, 2.0], top=1), "ranks nothing"),
        (lambda: choose([1.0, 2.0], [1.0, 1.0]), "no normalised regret"),
        (lambda: top_overlap([1.0, 2.0], [1.0, 2.0], 3), "The best 3 cannot be taken of 2 rows"),
        (lambda: choose([1.0, 2.0], [1.0]), "cannot be compared"),
    ],
)
def test_what_cannot_be_measured_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


CARD = """
summary = "Twenty networks of a space of mine on three domains."
file = "mine.csv"
column = "cell"
encoding = "digits"
unit = "percent"
partial = true
origin = "made up"
licence = "CC0"

[domains.street]
validation = "street_val"
test = "street_test"

[domains.forest]
validation = "forest_val"
test = ["forest_one", "forest_two"]

[domains.depth]
validation = "depth_val"
test = "depth_test"
unit = "raw"
higher_is_better = false

[choices]
depth = [10, 12, 14, 16, 18]
width = [16, 32, 64, 128, 256]
first = ["attention", "convolution", "recurrence", "pooling", "nothing"]
second = ["attention", "convolution", "recurrence", "pooling", "nothing"]
ratio = [1.0, 2.0, 3.0, 4.0, 6.0]
heads = [10, 12, 16, 20, 24]
"""
SUITE = """
title = "My cells"
study = "lookup"
table = "mine"
held_out = "each"
repeats = 3
feedback = ["validation"]
searchers = ["random_search", "local_search", "ridge", "regularised_evolution"]
reference = "random_search"
claim = "ridge"

[search]
evaluations = [5, 10]
"""


def write_mine(folder: Path, change: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Writes a catalog with one table of twenty rows and one suite."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "leaderboards").mkdir()
    draw = random.Random(5)
    rows = []
    for number in sorted(draw.sample(range(5**6), 20)):
        digits = np.base_repr(number, 5).zfill(6)
        good = digits.count("3") + draw.random()
        row: dict[str, Any] = {"cell": digits}
        for name in ("street_val", "street_test", "forest_val", "forest_one", "forest_two"):
            row[name] = round(60 + 5 * good + draw.random(), 3)
        for name in ("depth_val", "depth_test"):
            row[name] = round(0.9 - 0.1 * good + 0.05 * draw.random(), 4)
        if change:
            change(row)
        rows.append(row)
    with (folder / "tasks" / "mine.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "tasks" / "mine.toml").write_text(CARD)
    (folder / "leaderboards" / "my_cells.toml").write_text(SUITE)
    return folder


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mine(tmp_path_factory.mktemp("catalog") / "mine")


@pytest.fixture(scope="module")
def run(mine: Path) -> Path:
    out = mine.parent / "run"
    done = harness("eval", "my_cells", "--out", str(out), "--workers", "1", HARNESS_CATALOG=str(mine))
    assert done.returncode == 0, done.stderr
    return out


def rows_of(folder: Path) -> list[dict[str, float]]:
    with (folder / "tasks" / "mine.csv").open() as file:
        return [
            {name: float(value) for name, value in row.items() if name != "cell"}
            for row in csv.DictReader(file)
        ]


def test_a_table_of_ones_own_is_checked_from_one_card(mine: Path) -> None:
    done = harness("check", "table", "mine", HARNESS_CATALOG=str(mine))
    assert done.returncode == 0, done.stdout
    assert "ok" in done.stdout


@pytest.mark.slow
@pytest.mark.ci
def test_a_suite_on_a_table_of_ones_own_reports_its_transfer(run: Path) -> None:
    loaded = load_run(run)
    told = filled.told(loaded, filled.units(loaded, "table")[0])
    matrix = told["transfer"]["matrix"]
    assert told["rows"] == 20
    assert set(matrix) == set(matrix["forest"]) == {"street", "forest", "depth"}
    assert all(row.regret is not None for row in build_board(loaded).rankings[0].rows)
    text = (run / "report.md").read_text()
    assert "## Transfer between domains" in text
    assert "| street | forest |" in text
    assert "best single source" in text


def test_a_score_that_is_better_when_lower_is_shown_with_its_own_sign(mine: Path, run: Path) -> None:
    board = build_board(load_run(run))
    row = board.ranking("validation", 10).row("ridge")
    depth = row.cells[board.domains.index("depth")]
    values = [one["depth_test"] for one in rows_of(mine)]
    assert min(values) <= depth.test.value <= max(values)
    assert depth.gap == pytest.approx(depth.test.value - min(values))


def test_a_search_for_a_held_out_domain_sees_the_mean_of_the_others(mine: Path, run: Path) -> None:
    rows = rows_of(mine)
    seen = standardised_mean([[one["street_val"] for one in rows], [-one["depth_val"] for one in rows]])
    loaded = load_run(run)
    for unit in filled.units(loaded, "lookup", domain="forest"):
        result = loaded.result(unit)
        for search in result.searches:
            for _, row, score, test in search.incumbents:
                assert score == pytest.approx(seen[row])
                assert test == pytest.approx((rows[row]["forest_one"] + rows[row]["forest_two"]) / 200)


@pytest.mark.slow
@pytest.mark.ci
def test_the_held_out_domain_changes_nothing_in_the_search_for_it(mine: Path, run: Path) -> None:
    def turn(row: dict[str, Any]) -> None:
        for name in ("forest_val", "forest_one", "forest_two"):
            row[name] = round(100 - row[name], 3)

    other = write_mine(mine.parent / "turned", turn)
    out = mine.parent / "turned_run"
    done = harness("eval", "my_cells", "--out", str(out), "--workers", "1", HARNESS_CATALOG=str(other))
    assert done.returncode == 0, done.stderr

    def paths(folder: Path, domain: str) -> list[Any]:
        loaded = load_run(folder)
        results = [filled.told(loaded, unit) for unit in filled.units(loaded, "lookup", domain=domain)]
        return [
            [(at, row) for at, row, _, _ in search["incumbents"]]
            for result in results
            for search in result["searches"]
        ]

    assert paths(out, "forest") == paths(run, "forest")
    assert paths(out, "street") != paths(run, "street")


def test_the_best_single_source_is_the_one_whose_choice_does_best(mine: Path, run: Path) -> None:
    rows = rows_of(mine)
    tests = [(one["forest_one"] + one["forest_two"]) / 200 for one in rows]
    street = max(range(20), key=lambda row: rows[row]["street_val"])
    depth = min(range(20), key=lambda row: rows[row]["depth_val"])
    best = max(tests[street], tests[depth])
    board = build_board(load_run(run))
    for ranking in board.rankings:
        for row in ranking.rows:
            cell = row.cells[board.domains.index("forest")]
            assert cell.source_gap.value == pytest.approx(best - cell.test.value)


def test_the_exact_course_of_random_search_is_by_what_it_sees(mine: Path, run: Path) -> None:
    rows = rows_of(mine)
    seen = standardised_mean([[one["street_val"] for one in rows], [-one["depth_val"] for one in rows]])
    tests = [(one["forest_one"] + one["forest_two"]) / 200 for one in rows]
    draw = random.Random(1)
    found = [tests[max(draw.sample(range(20), 5), key=lambda row: seen[row])] for _ in range(4000)]
    board = build_board(load_run(run))
    exact = board.ranking("validation", 5).random["forest"]
    assert exact is not None
    assert abs(np.mean(found) - exact) < 3.5 * np.std(found) / np.sqrt(len(found))  # .0005 of luck


def test_every_record_of_a_held_out_search_names_its_sources(run: Path) -> None:
    plan = json.loads((run / "plan.json").read_text())
    searches = [unit["spec"] for unit in plan["units"] if unit["kind"] == "lookup"]
    assert searches
    assert all(spec["domain"] not in spec["sources"] and len(spec["sources"]) == 2 for spec in searches)


def test_a_domain_that_is_not_held_out_is_a_source_and_no_column(tmp_path: Path) -> None:
    plan = plan_of('extends = "toy_lookup"\nheld_out = ["far"]\n', tmp_path)
    searches = [unit.spec for unit in units(plan, "lookup")]
    assert {(spec.domain, *spec.sources) for spec in searches} == {("far", "near")}
