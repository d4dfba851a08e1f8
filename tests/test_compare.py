"""Two rows side by side. Truth: closed forms, scipy, statsmodels, and the board of the same run."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import filled
import made_run
import numpy as np
import pytest
from command import harness

from harness.board.comparison import RowComparison, compared_table
from harness.errors import HarnessError, UnknownNameError
from harness.files import read_sealed, sealed, write_atomically
from harness.run.loaded import load_run
from harness.stats.intervals import wilson
from harness.stats.pairs import holm, mcnemar
from harness.study.lookup.compare import compare_lookup
from harness.study.study import build_board, make_plan
from harness.study.suite import load_suite
from harness.study.trained.boards.compare import compare_trained
from harness.study.trained.boards.rescore import rescore, with_metric
from harness.study.trained.boards.verdict import task_verdict

LEVELS = {"tuned": 0.6, "default": 0.55, "local_search": 0.8}
ONE_SEED = {"seeds": [0]}
ONE_SPACE = [("tuned", made_run.PLAIN), ("default", None), ("local_search", made_run.DIVERSE)]
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Returns a writer of run folders, each in a folder of its own."""

    def write(levels: Any = None, *, per_group: int = 1, samples: Any = None, **settings: Any) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        drawn = samples or made_run.drawn(LEVELS if levels is None else levels, per_group=per_group)
        return Path(made_run.make(folder, drawn, **({"rows": ONE_SPACE} | settings)))

    return write


def compared(folder: Path, first: str = "local_search", second: str = "tuned") -> RowComparison:
    return compare_trained(load_run(folder), first, second)


@pytest.mark.parametrize("task", [made_run.IMAGES, made_run.BYTES])
def test_a_grouped_comparison_with_the_reference_is_the_boards(make: Make, task: Any) -> None:
    folder = make(per_group=3, tasks=[task])
    board = build_board(load_run(folder))
    row = board.tasks[0].row("local_search")
    part = compared(folder).parts[0]
    assert part.overall.difference == pytest.approx(row.difference[:3], abs=1e-12)
    assert part.overall.p == row.difference.p
    for one, cell in zip(part.domains, row.on("held_out"), strict=True):
        assert one.difference == pytest.approx(cell.difference[:3], abs=1e-12)
        assert (one.p, one.test) == (cell.difference.p, "flips of whole groups")


@pytest.mark.parametrize(
    "levels", [{"tuned": 1.0, "local_search": 1.0}, {"tuned": 1.0, "local_search": 0.9}, {"tuned": 0.0}]
)
def test_where_no_resample_could_tell_board_and_comparison_say_the_same(
    make: Make, levels: dict[str, float]
) -> None:
    folder = make({"local_search": 1.0, **levels})
    board = build_board(load_run(folder))
    row = board.tasks[0].row("local_search")
    part = compared(folder).parts[0]
    assert part.overall.difference == pytest.approx(row.difference[:3], abs=1e-12)
    low, high = row.difference[1:3]
    assert high - low > 0.03, "a perfect score is no certainty"
    for one, cell in zip(part.domains, row.on("held_out"), strict=True):
        assert one.difference == pytest.approx(cell.difference[:3], abs=1e-12)


def test_one_seed_and_one_sample_a_group_is_mcnemars_exact_test(make: Make) -> None:
    from statsmodels.stats.contingency_tables import mcnemar as theirs

    folder = make({"tuned": 0.7, "local_search": 0.76, "default": 0.7}, suite=ONE_SEED)
    samples = made_run.drawn({"tuned": 0.7, "local_search": 0.76})
    for one in compared(folder).parts[0].domains:
        mine, other = (samples(name, one.where, 0)["numerator"] for name in ("local_search", "tuned"))
        wins, losses = int(((mine == 1) & (other == 0)).sum()), int(((mine == 0) & (other == 1)).sum())
        assert one.test == "exact McNemar"
        assert one.p == pytest.approx(mcnemar(wins, losses))
        assert one.p == pytest.approx(theirs([[0, wins], [losses, 0]], exact=True).pvalue)


def test_two_seeds_of_independent_samples_are_tested_exactly(make: Make) -> None:
    for one in compared(make()).parts[0].domains:
        assert one.test == "exact sign flip"
        assert one.p is not None
        assert one.p < 0.001


def test_a_floor_is_what_no_step_trained_whatever_its_name(make: Make) -> None:
    rows = [*ONE_SPACE, ("mine", None)]
    folder = make({**LEVELS, "mine": 0.95}, rows=rows, floors=["mine"])
    task = build_board(load_run(folder)).tasks[0]
    row = task.row("mine")
    assert (row.is_floor, row.rank, task.rows[-1].method) == (True, None, "mine")
    named = make({**LEVELS, "floor": 0.95}, rows=[*ONE_SPACE, ("floor", None)])
    assert build_board(load_run(named)).tasks[0].rows[0].method == "floor", "a network may bear any name"


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (1.0, "The floor (100.0 %) does better than every ranked row"),
        (0.8, "does better than 1 of 3 ranked rows"),
    ],
)
def test_the_floor_does_better_where_it_does_and_not_on_a_tie(make: Make, level: float, said: str) -> None:
    everywhere = {"tuned": 1.0, "default": 0.7, "local_search": 1.0}
    rows = [*ONE_SPACE, ("floor", None)]
    tied = board_text(make({**everywhere, "default": 1.0, "floor": 1.0}, rows=rows, floors=["floor"]))
    assert "The floor" not in tied
    best = {"tuned": 0.9, "default": 0.7, "local_search": 0.95} if level == 1.0 else everywhere
    assert said in board_text(make({**best, "floor": level}, rows=rows, floors=["floor"]))


def board_text(folder: Path) -> str:
    board = build_board(load_run(folder))
    return task_verdict(replace(board, claim=("local_search", made_run.DIVERSE)), board.tasks[0]).sentence


def test_p_values_of_domains_are_adjusted_by_holm(make: Make) -> None:
    part = compared(make({"tuned": 0.6, "local_search": 0.63})).parts[0]
    raw = [one.p for one in part.domains if one.p is not None]
    assert [one.p_holm for one in part.domains] == holm(raw)
    assert part.overall.p_holm is None


def test_the_mean_is_over_held_out_domains(make: Make) -> None:
    part = compared(make()).parts[0]
    assert [one.where for one in part.domains] == ["rough", "grainy"]
    values = [one.difference.value for one in part.domains if one.difference]
    assert part.overall.difference.value == pytest.approx(np.mean(values))
    assert part.overall.detectable is not None
    assert part.overall.detectable < min(one.detectable or 0 for one in part.domains)


def test_the_detectable_difference_is_that_of_the_paired_samples(make: Make) -> None:
    folder = make({"tuned": 0.6, "local_search": 0.7}, suite=ONE_SEED)
    samples = made_run.drawn({"tuned": 0.6, "local_search": 0.7})
    one = compared(folder).parts[0].domains[0]
    apart = samples("local_search", "rough", 0)["numerator"] - samples("tuned", "rough", 0)["numerator"]
    expected = 2.8016 * apart.std(ddof=1) / len(apart) ** 0.5
    assert one.detectable == pytest.approx(expected, rel=0.05), "4,000 replicates know a spread to about 1 %"


def test_the_sentence_follows_the_interval(make: Make) -> None:
    assert "local_search in hybrid:micro is better." in compared(make()).sentence
    assert "local_search in hybrid:micro is worse." in compared(make({"local_search": 0.3})).sentence
    open_one = compared(make({"tuned": 0.6, "local_search": 0.601})).sentence
    assert "this run cannot tell which is better; " in open_one
    assert "four times in five" in open_one


def test_four_wins_of_four_are_not_enough_whatever_the_bootstrap_says(make: Make) -> None:
    drawn = made_run.drawn({})

    def nearly(method: str, domain: str, seed: int) -> Any:
        right = np.arange(120) >= (40 if domain == "grainy" or method == "local_search" else 44)
        return drawn(method, domain, seed) | {"numerator": right.astype(float)}

    task = made_run.IMAGES | {"held_out": ["rough"]}
    claim = {"method": "local_search", "space": made_run.DIVERSE}
    folder = make(samples=nearly, tasks=[task], suite=ONE_SEED | {"claim": claim})
    overall = compared(folder).parts[0].overall
    assert overall.difference.low > 0
    assert overall.p == mcnemar(4, 0) == 0.125
    assert overall.outcome == "cannot tell"
    board = build_board(load_run(folder))
    assert not any(row.unbeaten for row in board.tasks[0].rows)
    assert task_verdict(board, board.tasks[0]).sentence.endswith(
        "this run cannot tell, because flips of whole groups give p = 0.125."
    )


def test_fewer_bits_are_better(make: Make) -> None:
    folder = make({"tuned": 2.0, "local_search": 1.5}, tasks=[made_run.BYTES], per_group=2)
    sentence = compared(folder).sentence
    assert "the paired difference is −0.500 bits per byte" in sentence
    assert "local_search in hybrid:micro is better" in sentence


def test_swapped_rows_swap_the_sign_alone(make: Make) -> None:
    folder = make({"tuned": 0.6, "local_search": 0.65}, per_group=2)
    one = compared(folder).parts[0].overall
    other = compared(folder, "tuned", "local_search").parts[0].overall
    assert one.difference is not None
    assert other.difference is not None
    value, low, high = other.difference
    assert one.difference == pytest.approx((-value, -high, -low))
    assert one.p == other.p


@pytest.mark.parametrize("per_group", [1, 4])
def test_a_third_method_changes_nothing_between_two(make: Make, per_group: int) -> None:
    both = make(per_group=per_group, rows=[row for row in ONE_SPACE if row[0] != "default"])
    third = make(per_group=per_group, failed=[("default", "rough")])
    assert compared(both).to_json() == compared(third).to_json()


def test_the_order_of_units_rows_and_tasks_changes_nothing(make: Make) -> None:
    tasks = [made_run.IMAGES, made_run.BYTES]
    forth, back = make(tasks=tasks), make(tasks=tasks[::-1], rows=ONE_SPACE[::-1])
    plan = read_sealed(back / "plan.json", "")
    plan["units"].reverse()
    (back / "plan.json").write_text(sealed(plan))
    one, other = compared(forth), compared(back)
    assert sorted(one.parts, key=lambda part: part.heading) == sorted(
        other.parts, key=lambda part: part.heading
    )


def test_two_perfect_rows_may_still_differ(make: Make) -> None:
    part = compared(make({"tuned": 1.1, "local_search": 1.1})).parts[0]
    reach = wilson(0, 120).high
    for one in part.domains:
        assert one.difference == pytest.approx((0, -reach, reach))
        assert one.p == 1
    assert part.overall.outcome == "cannot tell"
    assert 0 < part.overall.difference.high < reach


def test_a_perfect_row_against_another_has_room_below(make: Make) -> None:
    part = compared(make({"tuned": 0.6, "local_search": 1.1}, per_group=3)).parts[0]
    assert part.overall.difference is not None
    value, low, high = part.overall.difference
    assert low < value < high
    assert part.overall.outcome == "better"


def test_an_incomplete_row_cannot_tell_and_says_why(make: Make) -> None:
    comparison = compared(make(failed=[("tuned", "rough")]))
    assert "cannot tell, because tuned in hybrid:micro-attention has no score on rough" in comparison.sentence
    part = comparison.parts[0]
    assert [one.state for one in part.domains] == ["failed", "ok"]
    assert part.domains[1].p == part.domains[1].p_holm, "a domain without a score is no second claim"
    assert "✗" in compared_table(comparison, part).rows[0]


def test_other_samples_are_not_paired(make: Make) -> None:
    drawn = made_run.drawn(LEVELS)

    def shuffled(method: str, domain: str, seed: int) -> Any:
        found = drawn(method, domain, seed)
        return found | {"label": found["label"][::-1]} if method == "tuned" else found

    with pytest.raises(HarnessError, match="different samples of marks/rough"):
        compared(make(samples=shuffled))


def test_rows_are_found_by_method_or_method_and_space(make: Make) -> None:
    folder = make(rows=made_run.ROWS)
    for name in ("local_search@hybrid:micro", "local_search in hybrid:micro"):
        assert compared(folder, name).first == "local_search in hybrid:micro"
    with pytest.raises(HarnessError, match="'local_search' has 2 rows; name one: local_search in"):
        compared(folder)
    with pytest.raises(UnknownNameError, match="row named 'tunned'; did you mean tuned"):
        compared(folder, "default", "tunned")
    with pytest.raises(HarnessError, match="compared with itself"):
        compared(folder, "tuned", "tuned@hybrid:micro-attention")


def test_accuracy_and_balanced_accuracy_come_from_the_same_samples(make: Make) -> None:
    drawn = made_run.drawn(LEVELS)

    def uneven(method: str, domain: str, seed: int) -> Any:
        return drawn(method, domain, seed) | {"label": (np.arange(120) >= 90).astype(int)}

    folder = make(samples=uneven, suite=ONE_SEED)
    right = np.asarray(drawn("tuned", "rough", 0)["numerator"])
    balanced = with_metric(load_run(folder), "balanced_accuracy")
    one = compare_trained(balanced, "tuned", "default").parts[0].domains[0]
    assert one.first == pytest.approx((right[:90].mean() + right[90:].mean()) / 2)
    assert one.test == "flips of whole groups", "classes of unequal size weigh samples unequally"
    assert compared(folder, "tuned", "default").parts[0].domains[0].first == pytest.approx(right.mean())


def test_the_worst_group_of_each_row_is_scored_again_with_its_own_samples(make: Make) -> None:
    levels = {"tuned": [1.0, 0.5, 0.75], "default": [0.25, 0.5, 1.0]}

    def grouped(method: str, domain: str, seed: int) -> Any:
        right = [float(at < level * 40) for level in levels.get(method, [1.0] * 3) for at in range(40)]
        return drawn(method, domain, seed) | {"group": np.repeat([0, 1, 2], 40), "numerator": right}

    drawn = made_run.drawn(dict.fromkeys(levels, 0.5))
    run = load_run(make(samples=grouped, suite=ONE_SEED))
    rows = {row.method: row for row in rescore(run, "worst_group_accuracy").tasks[0].rows}
    cells = {name: next(cell for cell in rows[name].cells if cell.domain == "rough") for name in levels}
    assert {name: cell.estimate and cell.estimate.value for name, cell in cells.items()} == {
        "tuned": 0.5,
        "default": 0.25,
    }
    assert {cell.groups for cell in cells.values()} == {40}
    own = cells["tuned"].estimate
    half = 1.96 * (0.25 / 40) ** 0.5
    assert (own.low, own.high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.02)
    again = with_metric(run, "worst_group_accuracy")
    one = compare_trained(again, "tuned", "default").parts[0].domains[0]
    assert one.difference.value == pytest.approx(0.25)
    assert one.test == "flips of whole groups"


def test_a_rescored_board_says_what_chose_its_rows(make: Make) -> None:
    tasks = [made_run.IMAGES, made_run.BYTES]
    found = rescore(load_run(make(tasks=tasks)), "balanced_accuracy")
    assert [task.metric for task in found.tasks] == ["balanced_accuracy", "bits_per_byte"]
    assert "were chosen by accuracy, the suite's metric" in found.tasks[0].notes[-1]
    assert found.tasks[1].notes[-1].startswith("Bits per byte is the suite's own metric")


def test_rescoring_with_the_suites_metric_keeps_every_number(make: Make) -> None:
    run = load_run(make())
    board = build_board(run)
    assert rescore(run, "accuracy").tasks[0].rows == board.tasks[0].rows


def test_a_metric_that_samples_cannot_give_is_refused(make: Make) -> None:
    run = load_run(make(tasks=[made_run.BYTES]))
    with pytest.raises(HarnessError, match="cannot give accuracy; they give bits_per_byte"):
        rescore(run, "accuracy")
    with pytest.raises(UnknownNameError, match="metric named 'acuracy'; did you mean accuracy"):
        rescore(run, "acuracy")


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lookup") / "run"
    assert harness("eval", "toy_lookup", "--out", str(out)).returncode == 0
    return out


def test_searchers_on_a_table_are_compared_by_welch(lookup: Path) -> None:
    from scipy.stats import ttest_ind

    run = load_run(lookup)
    found = compare_lookup(run, "local_search", "random_search")
    assert found.sentence == found.parts[0].sentence
    assert "10 evaluations, validation as feedback" in found.parts[0].heading
    tests = []
    for name in ("local_search", "random_search"):
        units = filled.units(run, "lookup", method=name, domain="near", feedback="validation", evaluations=10)
        searches = [search for unit in units for search in run.records[unit.hash].result["searches"]]
        tests.append([search["incumbents"][-1][3] for search in searches])
    one = found.parts[0].domains[0]
    assert one.p == pytest.approx(ttest_ind(*tests, equal_var=False).pvalue)
    assert one.first == pytest.approx(np.mean(tests[0]))


def test_the_overall_difference_of_a_table_is_the_boards(lookup: Path) -> None:
    run = load_run(lookup)
    board: Any = build_board(run)
    for part in compare_lookup(run, "local_search", "random_search").parts:
        rankings = [one for one in board.rankings if f" {one.budget} evaluations" in part.heading]
        rows = [ranking.row("local_search").difference for ranking in rankings]
        assert part.overall.difference is not None
        assert any(part.overall.difference == pytest.approx(row[:3]) for row in rows)


def test_the_command_line_prints_a_sentence_and_a_table_or_one_document(make: Make, lookup: Path) -> None:
    folder = str(make())
    done = harness("compare", folder, "local_search", "tuned")
    assert done.returncode == 0, done.stderr
    assert " ".join(done.stdout.split()).startswith("marks: local_search in hybrid:micro has")
    for line in ("rough ", "grainy ", "mean "):
        assert f"\n{line}" in done.stdout
    words = ("compare", folder, "local_search", "tuned", "--metric", "balanced_accuracy", "--json")
    document = json.loads(harness(*words).stdout)
    assert document["parts"][0]["what"] == "balanced accuracy in %"
    assert document["parts"][0]["domains"][0]["test"] == "exact sign flip", "its classes have equal sizes"
    mistaken = harness("compare", str(lookup), "local_serch", "random_search")
    assert mistaken.returncode == 2
    assert mistaken.stderr.startswith("harness: There is no row named 'local_serch'; did you mean")


def test_the_command_line_rescores_without_a_model(make: Make, lookup: Path) -> None:
    done = harness("rescore", str(make()), "--metric", "balanced_accuracy", "--format", "md")
    assert done.returncode == 0, done.stderr
    assert "balanced accuracy in %" in done.stdout
    refused = harness("rescore", str(lookup), "--metric", "accuracy")
    assert refused.returncode == 2
    assert "toy_lookup keeps no scores per sample" in refused.stderr


def test_a_run_on_rank_quality_has_nothing_to_compare(tmp_path: Path) -> None:
    write_atomically(tmp_path / "plan.json", make_plan(*load_suite("toy_quality")).to_json())
    done = harness("compare", str(tmp_path), "fair", "single_path")
    assert done.returncode == 2
    assert done.stderr.startswith("harness: toy_quality has no rows of scores to compare")


def test_a_search_that_was_not_run_yet_cannot_tell(lookup: Path, tmp_path: Path) -> None:
    shutil.copytree(lookup, tmp_path / "run")
    run = load_run(tmp_path / "run")
    for unit in filled.units(run, "lookup", method="local_search", domain="far"):
        shutil.rmtree(tmp_path / "run" / "units" / f"lookup-{unit.hash}")
    found = compare_lookup(load_run(tmp_path / "run"), "local_search", "random_search")
    assert "cannot tell, because local_search has no score on far (missing: " in found.sentence
    assert [one.state for one in found.parts[0].domains] == ["ok", "missing"]
