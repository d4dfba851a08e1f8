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
from harness.stats.corrections import holm
from harness.stats.intervals import wilson
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
    assert part.overall.difference == row.difference
    assert [one.difference for one in part.domains] == [cell.difference for cell in row.on("held_out")]
    scores = [board.tasks[0].row(name).held_out.value for name in ("local_search", "tuned")]
    assert [part.overall.first, part.overall.second] == scores
    assert scores[0] != scores[1]


def test_a_row_that_holds_up_better_than_it_fits_its_sources_has_a_gap_below_nothing(make: Make) -> None:
    usual = made_run.drawn(LEVELS)

    def samples(method: str, domain: str, seed: int) -> Any:
        return {**usual(method, domain, seed), **({"numerator": np.zeros(120)} if domain == "clean" else {})}

    row = build_board(load_run(make(samples=samples))).tasks[0].row("local_search")
    assert row.gap.value == pytest.approx(-row.held_out.value)
    assert -1 < row.gap.low < row.gap.value < row.gap.high < 0


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
    assert part.overall.difference == row.difference
    assert row.difference.high - row.difference.low > 0.015, "a perfect score is no certainty"
    assert [one.difference for one in part.domains] == [cell.difference for cell in row.on("held_out")]


@pytest.mark.parametrize(
    ("seeds", "groups", "lacks"),
    [
        (4, 120, "there are 4 seeds of the 5 that it takes"),
        (5, 19, "a domain counts as 19 groups of the 20 that it takes"),
        (5, 20, ""),
        (9, 120, ""),
    ],
)
def test_too_few_seeds_or_groups_give_no_verdict(make: Make, seeds: int, groups: int, lacks: str) -> None:
    samples = made_run.drawn(LEVELS, samples=groups)
    claim = {"method": "local_search", "space": made_run.DIVERSE}
    folder = make(samples=samples, suite={"seeds": list(range(seeds)), "claim": claim})
    board = build_board(load_run(folder))
    said = task_verdict(board, board.tasks[0])
    assert (said.outcome == "no verdict") == bool(lacks)
    assert ("no verdict" in compared(folder).sentence) == bool(lacks)
    assert not lacks or compared(folder).sentence.endswith(f": no verdict, because {lacks}.")
    assert any(row.unbeaten for row in board.tasks[0].rows) == (not lacks)


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
    raw = [one.difference.p for one in part.domains if one.difference.p is not None]
    assert [one.p_holm for one in part.domains] == holm(raw)
    assert part.overall.p_holm is None


def test_the_mean_is_over_held_out_domains(make: Make) -> None:
    part = compared(make()).parts[0]
    assert [one.where for one in part.domains] == ["rough", "grainy"]
    values = [one.difference.value for one in part.domains if one.difference]
    assert part.overall.difference.value == pytest.approx(np.mean(values))
    assert part.overall.difference.detectable < min(one.difference.detectable for one in part.domains)


def test_the_sentence_follows_the_interval(make: Make) -> None:
    assert "local_search in hybrid:micro is better." in compared(make()).sentence
    assert "local_search in hybrid:micro is worse." in compared(make({"local_search": 0.3})).sentence
    open_one = compared(make({"tuned": 0.6, "local_search": 0.601})).sentence
    assert "this run cannot tell which is better; " in open_one
    assert "four times in five" in open_one


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
    mine, theirs = one.difference, other.difference
    assert (mine.value, mine.low, mine.high) == pytest.approx((-theirs.value, -theirs.high, -theirs.low))
    assert mine.p == pytest.approx(theirs.p)


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
        assert one.difference.value == 0
        assert (one.difference.low, one.difference.high) == pytest.approx((-reach, reach), rel=1e-3)
        assert one.difference.p is None
    assert part.overall.outcome == "same"
    assert 0 < part.overall.difference.high < reach


def test_a_perfect_row_against_another_has_room_below(make: Make) -> None:
    part = compared(make({"tuned": 0.6, "local_search": 1.1}, per_group=3)).parts[0]
    assert part.overall.difference is not None
    assert part.overall.difference.low < part.overall.difference.value < part.overall.difference.high
    assert part.overall.outcome == "better"


def test_an_incomplete_row_cannot_tell_and_says_why(make: Make) -> None:
    comparison = compared(make(failed=[("tuned", "rough")]))
    assert "cannot tell, because tuned in hybrid:micro-attention has no score on rough" in comparison.sentence
    part = comparison.parts[0]
    assert [one.state for one in part.domains] == ["failed", "ok"]
    only = part.domains[1]
    assert only.difference.p == only.p_holm, "a domain without a score is no second claim"
    assert "✗" in compared_table(comparison, part).rows[0]


def test_other_samples_are_not_paired(make: Make) -> None:
    drawn = made_run.drawn(LEVELS)

    def shuffled(method: str, domain: str, seed: int) -> Any:
        found = drawn(method, domain, seed)
        return found | {"group": found["group"] // 2} if method == "tuned" else found

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
    assert (own.low, own.high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.03)
    again = with_metric(run, "worst_group_accuracy")
    one = compare_trained(again, "tuned", "default").parts[0].domains[0]
    assert one.difference.value == pytest.approx(0.25)


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
    with pytest.raises(HarnessError, match="accuracy, which needs prediction; they give bits_per_byte"):
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
    assert (found.first, found.second) == ("local_search", "random_search")
    assert "10 evaluations, validation as feedback" in found.parts[0].heading
    tests = []
    for name in ("local_search", "random_search"):
        units = filled.units(run, "lookup", method=name, domain="near", feedback="validation", evaluations=10)
        searches = [search for unit in units for search in run.records[unit.hash].result["searches"]]
        tests.append([search["incumbents"][-1][3] for search in searches])
    one = found.parts[0].domains[0]
    assert one.difference.p == pytest.approx(ttest_ind(*tests, equal_var=False).pvalue)
    assert one.first == pytest.approx(np.mean(tests[0]))


def test_the_overall_difference_of_a_table_is_the_boards(lookup: Path) -> None:
    run = load_run(lookup)
    board: Any = build_board(run)
    for part in compare_lookup(run, "local_search", "random_search").parts:
        rankings = [one for one in board.rankings if f" {one.budget} evaluations" in part.heading]
        rows = [ranking.row("local_search").difference for ranking in rankings]
        assert part.overall.difference is not None
        assert part.overall.difference in rows


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
    assert document["parts"][0]["domains"][0]["difference"]["call"] == "higher"
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
