"""Searches on tables. Truth: brute force, scipy, published values, and a toy table in a file."""

import csv
import itertools
import json
import os
import random
from dataclasses import replace
from pathlib import Path

import filled
import numpy as np
import published
import pytest
from command import harness
from scipy import stats
from spaces import named, searched

from harness import catalog
from harness.data.table.card import DomainColumns, TableCard
from harness.data.table.table import bound_space, load_table
from harness.errors import DataUnavailableError
from harness.run.loaded import load_run
from harness.search.archive import Evaluation
from harness.search.loop import Limit, SearchContext, run_search
from harness.space.form import Architecture
from harness.stats.effect import seed_effect
from harness.stats.order import expected_best
from harness.study.formats import board_json, render
from harness.study.lookup.board import LookupBoard, reached
from harness.study.lookup.search import _incumbents
from harness.study.lookup.tables import lookup_sentences, ranking_table
from harness.study.lookup.units import TABLE, Searches, TableSearch
from harness.study.study import build_board, make_plan
from harness.study.suite import load_suite

TOY = Path(__file__).parent / "toy" / "tasks" / "toy_table.toml"


@pytest.mark.parametrize("chosen", [range(8), range(1, 8, 2)], ids=["all", "within a limit"])
def test_the_expected_best_is_the_mean_over_all_subsets_that_hold_a_choice(chosen: range) -> None:
    draw = random.Random(0)
    select = [draw.random() if at in chosen else -np.inf for at in range(8)]
    report = [draw.random() for _ in range(8)]
    for draws in (1, 3, 7, 8):
        subsets = [one for one in itertools.combinations(range(8), draws) if set(one) & set(chosen)]
        brute = np.mean([report[max(subset, key=lambda one: select[one])] for subset in subsets])
        assert expected_best(select, report, draws) == pytest.approx(brute, abs=1e-12)


def test_ties_are_averaged_over_their_orders_in_the_expected_best() -> None:
    select, report = [1, 2, 2, 3, 3, 3], [0.1, 0.2, 0.5, 0.3, 0.9, 0.4]
    for draws in (1, 2, 4, 6):
        found = []
        for subset in itertools.combinations(range(6), draws):
            best = max(select[one] for one in subset)
            found.append(np.mean([report[one] for one in subset if select[one] == best]))
        assert expected_best(select, report, draws) == pytest.approx(np.mean(found), abs=1e-12)
        assert expected_best(select[::-1], report[::-1], draws) == pytest.approx(np.mean(found), abs=1e-12)


def test_a_tied_incumbent_is_the_mean_of_what_ties() -> None:
    scores = [0.2, 0.5, 0.5, 0.1, 0.5, 0.6]
    history = tuple(
        Evaluation(architecture=(at,), score=score, parameters=None, macs=None, iteration=0)
        for at, score in enumerate(scores)
    )
    found = [
        (at, best.architecture[0], [one.architecture[0] for one in tied])
        for at, best, tied in _incumbents(history)
    ]
    assert found == [(1, 0, []), (2, 1, []), (3, 1, [2]), (5, 1, [2, 4]), (6, 5, [])]


def test_more_draws_than_the_pool_and_a_pool_without_a_choice_are_refused() -> None:
    with pytest.raises(ValueError, match="9 draws cannot be made from a pool of 8"):
        expected_best(range(8), range(8), 9)
    with pytest.raises(ValueError, match="Nothing of the pool can be chosen"):
        expected_best([-np.inf] * 3, [1, 2, 3], 2)


def test_welch_agrees_with_scipy() -> None:
    draw = np.random.default_rng(1)
    first, second = draw.normal(0, 1, 12), draw.normal(0.5, 3, 7)
    ours = seed_effect(first, second)
    theirs = stats.ttest_ind(first, second, equal_var=False)
    low, high = theirs.confidence_interval()
    assert (ours.value, *ours.interval) == pytest.approx((first.mean() - second.mean(), low, high))
    assert ours.p == pytest.approx(theirs.pvalue)


def test_samples_that_do_not_vary_have_a_sure_difference() -> None:
    apart, alike = seed_effect([1.0] * 5, [0.5] * 5), seed_effect([1.0] * 5, [1.0] * 5)
    assert (*apart.interval, apart.p, apart.call) == (0.5, 0.5, 0.0, "higher")
    assert (alike.p, alike.call) == (None, "same")
    assert seed_effect([1.0] * 4, [0.5] * 4).call == "no verdict"


@pytest.mark.parametrize(("draws", "expected"), [(10, 69.752), (100, 71.4388), (1000, 72.6651)])
def test_exact_random_search_on_nasbench201_is_the_published_value(draws: int, expected: float) -> None:
    table = published.table("nasbench201", "nasbench201.csv")
    found = expected_best(table.validation["cifar100"], table.test["cifar100"], draws)
    assert 100 * found == pytest.approx(expected, abs=5e-4)


def test_random_search_agrees_with_its_exact_expectation() -> None:
    table = published.table("nasbench201", "nasbench201.csv")
    space = bound_space("nasbench201:cifar100")
    scores = table.validation["cifar100"]
    found = []
    for seed in range(200):
        result = searched(
            "random_search", space, lambda one: float(scores[table.rows[one]]), seed=seed, budget=50
        )
        found.append(table.test["cifar100"][table.rows[result.best.architecture]])
    exact = expected_best(scores, table.test["cifar100"], 50)
    standard_error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found) - exact) < 3.3 * standard_error  # .001 of luck


def test_nasbench201_has_its_known_optima_and_means() -> None:
    table = published.table("nasbench201", "nasbench201.csv")
    best = [100 * table.test[name].max() for name in ("cifar10", "cifar100", "imagenet16-120")]
    chosen = [100 * table.validation[name].max() for name in ("cifar10", "cifar100", "imagenet16-120")]
    mean = [100 * table.test[name].mean() for name in ("cifar10", "cifar100", "imagenet16-120")]
    assert best == pytest.approx([94.3733, 73.5133, 47.3111], abs=1e-4)
    assert chosen == pytest.approx([91.6067, 73.4933, 46.7333], abs=1e-4)
    assert mean == pytest.approx([87.056, 61.388, 33.568], abs=1e-3)


def test_the_costs_of_nasbench201_are_those_of_the_table() -> None:
    space = bound_space("nasbench201:cifar10")
    for genes, row in published.cells().items():
        assert space.parameters(genes) == int(row["params_c10"])
        assert space.macs(genes) == int(row["macs_c10"])


def test_an_absent_table_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    card = TableCard(
        summary="",
        file="nowhere.csv",
        space="",
        column="",
        domains={"one": DomainColumns(validation="a", test="b")},
        origin="",
        licence="",
    )
    monkeypatch.setattr("harness.study.lookup.plan.read_card", lambda path: card)
    with pytest.raises(DataUnavailableError, match="set HARNESS_BENCHMARKS to the folder that holds it"):
        make_plan(*load_suite("toy_lookup"))


def score(one: Architecture) -> float:
    return float(sum(one))


def test_a_limit_gates_the_incumbent_and_not_the_evaluation() -> None:
    limit = Limit(cost="macs", value=200)
    result = searched("random_search", named("toy_grid:only"), score, budget=64, limit=limit)
    assert result.best.architecture == (1, 3, 3)
    assert len(result.history) == 64
    assert sum(one.over_limit for one in result.history) == 32


@pytest.mark.parametrize("target", [4.5, 5.0], ids=["passed", "met"])
def test_a_target_that_is_reached_stops_the_search(target: float) -> None:
    given = SearchContext(space=named("toy_grid:only"), seed=0, budget=64, target=target)
    result = run_search(catalog.load("searcher", "random_search").build(given), given, score, batch=1)
    assert result.stopped == "target"
    assert [sum(one.architecture) > 4.5 for one in result.history].count(True) == 1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "lookup"
    done = harness("eval", "toy_lookup", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def board(run: Path) -> LookupBoard:
    return build_board(load_run(run))


def test_a_cell_is_the_mean_test_score_of_what_the_feedback_chose(run: Path, board: LookupBoard) -> None:
    source = catalog.files("table")["toy_table"]
    with (source.parent / "toy_table.csv").open() as file:
        rows = list(csv.DictReader(file))
    loaded = load_run(run)
    for feedback, column in (("validation", "near_val"), ("test", "near_test")):
        values = []
        for unit in filled.units(loaded, "lookup", method="local_search", domain="near", feedback=feedback):
            result = loaded.result(unit)
            for search in result.searches:
                _, row, validation, test = search.incumbents[-1]
                values.append(float(rows[row]["near_test"]) / 100)
                shown = {"near_val": validation, "near_test": test}[column]
                assert shown == pytest.approx(float(rows[row][column]) / 100)
        cell = board.ranking(feedback, 10).row("local_search")
        assert cell.cells[0].test.value == pytest.approx(np.mean(values))
        assert cell.cells[0].seeds == 6


def test_a_searcher_that_depends_on_its_budget_runs_once_for_each(run: Path) -> None:
    units = list(filled.units(load_run(run), "lookup", method="spos_evolution", domain="near"))
    assert sorted(unit.spec.evaluations for unit in units) == [5, 5, 10, 10]
    others = list(filled.units(load_run(run), "lookup", method="local_search", domain="near"))
    assert {unit.spec.evaluations for unit in others} == {10}


def test_published_rows_are_shown_and_not_ranked(board: LookupBoard) -> None:
    text = render(board, "md")
    assert "| published | somebody | 77.50 | — |" in text
    assert "somebody" not in board_json(board).partition('"rankings"')[2]
    assert "| somebody | — | 12,000,000 | a paper |" in text
    assert ",somebody,published,test,0.775" in render(board, "csv")


def test_a_published_row_is_told_beside_the_feedback_that_it_is_near(run: Path) -> None:
    loaded = load_run(run)
    without = replace(loaded, suite=replace(loaded.suite, feedback=["validation"]))
    assert (len(build_board(loaded).published), build_board(without).published) == (1, ())
    assert "| somebody | — | 12,000,000 | a paper |" in (run / "report.md").read_text()


@pytest.mark.parametrize("format", ["terminal", "md", "csv", "json", "html", "tex"])
def test_every_format_names_every_searcher(board: LookupBoard, format: str) -> None:
    text = render(board, format).replace("\\_", "_")
    assert all(row.method in text for row in board.rankings[0].rows)


def test_the_report_has_the_sections_of_a_table_and_no_others(run: Path) -> None:
    text = (run / "report.md").read_text()
    assert "## Leaderboard" in text
    assert "## Search efficiency" in text
    assert "## Contamination and" not in text
    assert "held-out" not in text.partition("## Leaderboard")[2].partition("## Search")[0]
    assert "mathdefault" not in (run / "report.html").read_text()


def test_one_worker_gives_the_same_bytes_as_two(run: Path, tmp_path: Path) -> None:
    assert harness("eval", "toy_lookup", "--out", str(tmp_path / "one"), "--workers", "1").returncode == 0
    for file in sorted(run.rglob("record.json")):
        assert (tmp_path / "one" / file.relative_to(run)).read_bytes() == file.read_bytes()
    assert (tmp_path / "one" / "board.json").read_bytes() == (run / "board.json").read_bytes()


def test_a_limit_takes_fewer_seeds_and_says_so(tmp_path: Path) -> None:
    suite = tmp_path / "mine.toml"
    suite.write_text('extends = "toy_lookup"\ndomains = ["near"]\n[search]\nevaluations = [5]\n')
    done = harness("eval", suite, "--out", tmp_path / "run", "--limit", "3")
    assert done.returncode == 0, done.stderr
    assert "3‡" in done.stdout
    refused = harness("eval", suite, "--out", tmp_path / "other", "--limit", "1")
    assert refused.returncode == 2
    assert "--limit 2 or more" in refused.stderr


def test_searchers_that_search_alike_are_named_as_such(run: Path, tmp_path: Path) -> None:
    assert not any("same searches" in note for note in build_board(load_run(run)).notes)
    suite = tmp_path / "twins.toml"
    suite.write_text(
        'extends = "toy_lookup"\nrepeats = 2\nclaim = "local_search"\n'
        'searchers = ["random_search", "local_search", "twin", "local_search_default"]\n'
        '[search.variants]\ntwin = { searcher = "local_search", options = { start = "random" } }\n'
    )
    assert harness("eval", suite, "--out", tmp_path / "run").returncode == 0
    notes = build_board(load_run(tmp_path / "run")).notes
    assert [note.partition(".")[0] for note in notes if "same searches" in note] == [
        "The same searches, step by step: local_search, twin"
    ]


def test_a_row_that_the_table_lacks_fails_its_unit_with_a_reason(tmp_path: Path) -> None:
    folder = tmp_path / "catalog" / "tasks"
    folder.mkdir(parents=True)
    (folder / "short_table.toml").write_text(TOY.read_text())
    lines = (TOY.parent / "toy_table.csv").read_text().splitlines()
    (folder / "toy_table.csv").write_text("\n".join(lines[:-1]) + "\n")
    suite = tmp_path / "short.toml"
    suite.write_text(
        'extends = "toy_lookup"\ntable = "short_table"\nrepeats = 2\ndomains = ["near"]\n'
        "[search]\nevaluations = [64]\n"
    )
    places = os.pathsep.join([os.environ["HARNESS_CATALOG"], str(tmp_path / "catalog")])
    done = harness("eval", str(suite), "--out", str(tmp_path / "run"), HARNESS_CATALOG=places)
    assert done.returncode == 1
    reasons = [json.loads(file.read_text())["reason"] for file in (tmp_path / "run").rglob("record.json")]
    assert any("has no row of {'digits': [3, 3, 3]}" in (reason or "") for reason in reasons)


def test_a_limit_and_a_target_of_the_suite_hold_in_every_search(tmp_path: Path) -> None:
    suite = tmp_path / "gated.toml"
    suite.write_text(
        'extends = "toy_lookup"\nsearchers = ["random_search", "local_search"]\nrepeats = 2\n'
        "[search]\nevaluations = [40]\nmac_limit = 200\ntarget = 0.55\n"
    )
    done = harness("eval", str(suite), "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    loaded = load_run(tmp_path / "run")
    table = load_table(TOY.parent / "toy_table.csv", TOY)
    macs = {row: 100 * (1 + genes[0]) for genes, row in table.rows.items()}
    searches = [
        search for unit in filled.units(loaded, "lookup") for search in filled.told(loaded, unit)["searches"]
    ]
    assert {search["stopped"] for search in searches} == {"target"}
    assert sum(search["over_limit"] for search in searches) > 0
    assert all(macs[row] <= 200 for search in searches for _, row, _, _ in search["incumbents"])


def search_of(*incumbents: tuple[int, float]) -> TableSearch:
    found = tuple((at, None, test, test) for at, test in incumbents)
    return TableSearch(seed=0, evaluations=9, over_limit=0, stopped="budget", incumbents=found)


def test_a_search_that_found_nothing_counts_as_the_mean_of_the_table() -> None:
    searches = (search_of((1, 0.5), (4, 0.9)), search_of(), search_of((3, 0.7)))
    results = [Searches(searches=searches, counters={})]
    scores, lost = reached(results, 2, 0.25)
    assert (scores.tolist(), lost) == ([0.5, 0.25, 0.25], 2)
    scores, lost = reached(results, 9, 0.25)
    assert (scores.tolist(), lost) == ([0.9, 0.25, 0.7], 1)


def test_regret_is_told_of_exact_random_search_and_no_interval_is_below_none(
    board: LookupBoard, run: Path
) -> None:
    table = load_run(run)
    found = next(map(table.result, table.planned(TABLE)))
    for ranking in board.rankings:
        assert all(row.regret.low >= 0 for row in ranking.rows)
        exact = [
            (about.best.test - about.random[ranking.feedback][str(ranking.budget)])
            / (about.best.test - about.mean)
            for about in found.domains.values()
        ]
        assert ranking.random_regret == pytest.approx(np.mean(exact))
    text = render(board, "md")
    line = next(line for line in text.splitlines() if "random search, expected" in line)
    assert f"| {100 * board.rankings[1].random_regret:.2f} |" in line


def test_what_did_not_spend_its_budget_is_said(board: LookupBoard) -> None:
    ranking = board.rankings[-1]
    rows = tuple(replace(row, evaluations=3.5) if row.method == board.claim else row for row in ranking.rows)
    changed = replace(board, rankings=(*board.rankings[:-1], replace(ranking, rows=rows)))
    said = f"{board.claim} spent 3.5 of"
    assert any(said in note for note in ranking_table(changed, changed.rankings[-1]).notes)
    assert any(said in sentence for sentence in lookup_sentences(changed))
    assert not any(said in sentence for sentence in lookup_sentences(board))
