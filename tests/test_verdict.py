"""The words of a verdict, of rows and differences that are put in by hand. Truth: the sentences."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import made_run
import pytest

from harness.board.comparison import lacking
from harness.board.values import Difference
from harness.run.loaded import load_run
from harness.stats.effect import seed_effect
from harness.study.study import build_board, load_study
from harness.study.trained.boards.values import AtEqual, RankQuality
from harness.study.trained.boards.verdict import TaskVerdict, overall, task_verdict

CLAIM = ("local_search", made_run.DIVERSE)
ROWS = [("tuned", made_run.PLAIN), ("default", None), ("vit", None), ("mine", None), CLAIM]
LEVELS = {"tuned": 0.6, "default": 0.5, "vit": 0.5, "mine": 0.4, "local_search": 0.8}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("run")
    suite = {"claim": {"method": CLAIM[0], "space": CLAIM[1]}}
    made_run.make(folder, made_run.drawn(LEVELS), rows=ROWS, suite=suite, floors=["mine"])
    return load_run(folder)


@pytest.fixture(scope="module")
def board(run: Any) -> Any:
    return build_board(run)


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([], "Every held-out domain is of a family that a source is of"),
        (["better"], "local_search is better than tuned on the one board."),
        (["better", "better"], "local_search is better than tuned on all 2 boards."),
        (["worse", "worse", "worse"], "local_search is worse than tuned on all 3 boards."),
        (["no verdict", "no verdict"], "This run gives no verdict on whether local_search"),
        (["no verdict", "same"], "This run cannot tell whether local_search"),
        (["cannot tell"], "This run cannot tell whether local_search"),
        (
            ["better", "same", "better"],
            "Over 3 boards there is no single answer: against tuned, local_search is better on 2 and the "
            "same on 1 of them.",
        ),
        (
            ["better", "worse", "no verdict"],
            "better on 1, worse on 1 and without a verdict on 1 of them. The signs disagree, so no one",
        ),
        (["worse", "cannot tell"], "worse on 1 and not to be told apart on 1 of them."),
    ],
)
def test_an_effect_is_claimed_where_every_task_has_it_and_no_other_way(outcomes: Any, words: str) -> None:
    unseen = (SimpleNamespace(is_corrupted=False),)
    about: Any = SimpleNamespace(claim=CLAIM, claimed="local_search", reference="tuned", decisive=unseen)
    found = overall(about, [TaskVerdict(str(at), outcome, "") for at, outcome in enumerate(outcomes)])
    assert words in found
    assert ("The signs disagree" in found) == ({"better", "worse"} <= set(outcomes))
    unclaimed: Any = SimpleNamespace(claim=None)
    assert overall(unclaimed, []) == "The suite fixes no claim, so there is no verdict."


def test_a_fixed_row_above_the_claim_is_said_of_its_boards_alone() -> None:
    unseen = (SimpleNamespace(is_corrupted=False),)
    about: Any = SimpleNamespace(claim=CLAIM, claimed="it", reference="tuned", decisive=unseen)
    both = [TaskVerdict("one", "better", "", True), TaskVerdict("two", "better", "")]
    told = "on all 2 boards, but a fixed architecture that no search chose is above both on one."
    assert told in overall(about, both)


def said(board: Any, *, row: Any = None, others: Any = None, **task: Any) -> TaskVerdict:
    """Returns the verdict with members of the claim's row, of other rows by their method, and of the task."""
    changes = {"local_search": row or {}, **(others or {})}
    rows = tuple(replace(one, **changes.get(one.method, {})) for one in board.tasks[0].rows)
    return task_verdict(board, replace(board.tasks[0], rows=rows, **task))


def test_nothing_more_is_said_than_what_there_is_to_say(board: Any) -> None:
    found = said(board)
    assert (found.outcome, found.fixed_above) == ("better", False)
    mine, other = (f"{100 * of(board, name).held_out.value:.1f} %" for name in ("local_search", "tuned"))
    assert f"local_search in hybrid:micro scores {mine} on " in found.sentence
    assert f" held-out domains, tuned {other}; the paired" in found.sentence
    assert " on 2 fixed held-out domains, tuned " in found.sentence
    assert "the paired difference over 5 independent searches with their finals is" in found.sentence
    assert found.sentence.endswith("): the search holds up better.")
    none = task_verdict(replace(board, claim=None), board.tasks[0])
    assert (none.outcome, none.sentence) == ("no verdict", "marks: the suite fixes no claim.")


def of(board: Any, method: str) -> Any:
    return next(one for one in board.tasks[0].rows if one.method == method)


def test_rows_above_the_claim_are_named_if_no_search_chose_them_and_they_are_ranked(board: Any) -> None:
    high = of(board, "default").held_out._replace(value=0.9)
    one = said(board, others={"default": {"held_out": high}})
    assert " The row default (90.0 %), whose architecture no search chose, is above it." in one.sentence
    assert one.fixed_above
    two = said(board, others={"default": {"held_out": high}, "vit": {"held_out": high}}).sentence
    told = "The rows default (90.0 %) and vit (90.0 %), whose architecture no search chose, are above it."
    assert told in two
    for others in ({"held_out": high, "rank": None}, {"held_out": of(board, "local_search").held_out}):
        assert not said(board, others={"default": others}).fixed_above
    assert not said(board, others={"tuned": {"held_out": high}}).fixed_above, "a search chose it"


def test_the_floor_is_told_where_ranked_rows_are_below_it(board: Any) -> None:
    def floor(value: float) -> str:
        return said(
            board, others={"mine": {"held_out": of(board, "mine").held_out._replace(value=value)}}
        ).sentence

    assert "The floor (99.0 %) does better than every ranked row" in floor(0.99)
    assert "The floor (70.0 %) does better than 3 of 4 ranked rows." in floor(0.7)
    assert "floor" not in floor(0.01)
    lowest = min(of(board, name).held_out.value for name in ("default", "vit"))
    assert "floor" not in floor(lowest), "a tie is not better"


def test_a_margin_says_that_a_difference_does_not_matter_below_five_percent_alone(board: Any) -> None:
    difference = of(board, "local_search").difference
    told = ", and any difference is within the suite's margin (p = 0.049)"
    for beyond, is_told in ((0.049, True), (0.05, False), (None, False)):
        found = said(board, row={"difference": replace(difference, beyond=beyond)}).sentence
        assert (told in found) == is_told
        assert ("margin" in found) == is_told


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("higher", "the search holds up better."),
        ("lower", "the search holds up worse."),
        ("same", "the two are alike on every group of every seed."),
        (
            "cannot tell",
            "this run cannot tell; it would find a true difference of 1.5 points four times in five.",
        ),
    ],
)
def test_the_words_are_the_decisions(board: Any, call: Any, words: str) -> None:
    difference = replace(of(board, "local_search").difference, call=call, detectable=0.015)
    assert said(board, row={"difference": difference}).sentence.endswith(words)


def test_what_a_seed_is_depends_on_the_row(board: Any) -> None:
    difference = of(board, "local_search").difference
    shared = replace(board, shared_supernet=True)
    assert "5 independent searches with their finals, given one supernet, is" in said(shared).sentence
    seedless = said(board, row={"difference": replace(difference, seeds=None, by_seed=())}).sentence
    assert "the difference over networks that no seed changes is" in seedless
    fixed = replace(board, claim=("default", None))
    assert "over 5 trainings of each is" in said(fixed).sentence
    assert ": default holds up " in said(fixed).sentence


def test_a_verdict_is_refused_below_its_least_numbers_and_outside_of_a_regime(board: Any) -> None:
    row = of(board, "local_search")
    few = said(board, row={"difference": replace(row.difference, seeds=4)}).sentence
    assert "no verdict, because there are 4 report seeds of the 5 that it takes." in few
    cells = tuple(
        replace(cell, difference=replace(cell.difference, groups=19.0)) if cell.domain == "rough" else cell
        for cell in row.cells
    )
    assert (
        ": no verdict, because rough counts as 19 groups of the 20 that it takes."
        in said(board, row={"cells": cells}).sentence
    )
    for low, high, outcome in ((0.0, 0.2, "no verdict"), (0.01, 0.2, "better"), (-0.2, -0.1, "no verdict")):
        found = said(board, regime=replace(row.difference, low=low, high=high))
        assert found.outcome == outcome
        assert ("so this is no regime that answers" in found.sentence) == (outcome == "no verdict")


def test_at_equal_score_is_told_or_why_it_is_not(board: Any) -> None:
    difference = replace(of(board, "local_search").difference, call="lower", value=-0.1, low=-0.2, high=-0.05)
    line: Any = SimpleNamespace(lacks="")
    told = "At equal in-domain score it is"
    found = said(board, line=line, row={"at_equal": AtEqual(difference=difference, beyond=0.1)}).sentence
    assert f" {told} " in found
    assert found.endswith(": worse.")
    alike = replace(difference, call="same")
    assert said(board, line=line, row={"at_equal": AtEqual(difference=alike, beyond=0.0)}).sentence.endswith(
        ": alike."
    )
    far = said(board, line=line, row={"at_equal": AtEqual(difference=difference, beyond=0.4)}).sentence
    assert (
        "because 40 % of its trainings have an in-domain score that no training of the reference has." in far
    )
    assert told not in far
    assert said(board, line=line, row={"at_equal": None}).sentence.endswith(
        " Nothing is said at equal in-domain score."
    )
    lacks: Any = SimpleNamespace(lacks="the line is short")
    found = said(board, line=lacks, row={"at_equal": AtEqual(difference=difference, beyond=0.0)}).sentence
    assert found.endswith(" Nothing is said at equal in-domain score, because the line is short.")


def test_a_search_that_read_what_chance_may_rank_is_told(board: Any) -> None:
    def ranked(low: float, space: str = made_run.DIVERSE) -> str:
        quality = RankQuality(
            space=space, tau=0.12, low=low, high=0.5, architectures=8, supernets=2, by_parameters=None
        )
        return said(board, ranks=(quality,)).sentence

    assert "than chance (Kendall's tau 0.12 [−0.30, 0.50] over 8 architectures)." in ranked(-0.3)
    assert "chance" not in ranked(0.01)
    assert "chance" not in ranked(-0.3, made_run.PLAIN)


def test_a_difference_of_values_that_are_no_shares_has_its_whole_interval() -> None:
    wide = seed_effect([5.0, 9.0, 7.0], [1.0, 2.0, 4.0])
    kept = Difference.of(wide)
    assert (kept.low, kept.high) == wide.interval
    assert kept.high > 1
    assert Difference.of(wide, is_proportion=True).high == 1.0
    assert list(lacking(kept)) == ["there are 3 seeds of the 5 that it takes"]
    assert list(lacking(replace(kept, seeds=None, groups=19.6))) == [
        "a domain counts as 20 groups of the 20 that it takes"
    ]
    assert list(lacking(replace(kept, seeds=5, groups=20.0))) == []


def test_a_row_that_is_not_there_or_is_the_reference_has_no_verdict(board: Any) -> None:
    for changes, why in (
        ({"claim": ("nobody", None)}, "the run has no row nobody"),
        ({"reference": "nobody"}, "the run has no row nobody"),
        ({"claim": ("tuned", made_run.PLAIN)}, "is the reference itself"),
    ):
        found = task_verdict(replace(board, **changes), board.tasks[0])
        assert found.outcome == "no verdict"
        assert found.sentence.startswith("marks: no verdict, because ")
        assert found.sentence.endswith(f"{why}.")
    lost = {"difference": None, "held_out": None}
    assert said(board, row=lost).outcome == "no verdict"


def test_what_a_verdict_would_take_is_seeds_or_samples_or_another_domain(run: Any, board: Any) -> None:
    row = of(board, "local_search")

    def wants(**changes: Any) -> list[str]:
        rows = tuple(replace(one, **changes) if one.key == CLAIM else one for one in board.tasks[0].rows)
        return load_study("trained").wants(run, replace(board, tasks=(replace(board.tasks[0], rows=rows),)))

    def seeds(count: int | None) -> list[str]:
        return wants(difference=replace(row.difference, seeds=count))

    def groups(count: float, there: Any) -> list[str]:
        cells = tuple(
            replace(cell, difference=replace(cell.difference, groups=count), of=there)
            if cell.domain == "rough"
            else cell
            for cell in row.cells
        )
        return wants(cells=cells)

    assert wants() == seeds(5) == seeds(None) == wants(difference=None) == []
    assert seeds(4)[0].startswith("marks: 1 more seeds in `seeds`, about ")
    assert load_study("trained").wants(run, replace(board, claim=None)) == []
    rows = {
        name: tuple(replace(one, **change) for one in board.tasks[0].rows)
        for name, change in (
            ("without", {"difference": None}),
            ("few", {"difference": replace(row.difference, seeds=4)}),
        )
    }
    tasks = tuple(replace(board.tasks[0], rows=rows[name]) for name in ("without", "few"))
    assert len(load_study("trained").wants(run, replace(board, tasks=tasks))) == 1, (
        "one lacks, the other is told"
    )
    assert groups(20.0, None) == []
    assert groups(19.0, None) == ["marks: more samples of rough, which has 60 groups."], "as it was prepared"
    for there, told in (
        (20, "marks: more samples of rough, which has 20 groups."),
        (19, "marks: another domain, as rough has no more than 19 groups."),
    ):
        assert groups(19.0, SimpleNamespace(groups=there)) == [told]


def test_where_less_is_better_every_sign_turns(tmp_path: Path) -> None:
    suite = {"claim": {"method": CLAIM[0], "space": CLAIM[1]}}
    levels = {"tuned": 2.0, "default": 2.5, "mine": 3.0, "local_search": 1.5}
    rows = [ROWS[0], ROWS[1], ROWS[3], CLAIM]
    drawn = made_run.drawn(levels)
    made_run.make(tmp_path, drawn, rows=rows, suite=suite, floors=["mine"], tasks=[made_run.BYTES])
    board = build_board(load_run(tmp_path))
    found = said(board)
    assert found.outcome == "better"
    assert found.sentence.endswith("the search holds up better.")
    low = of(board, "default").held_out._replace(value=1.0)
    assert "The row default (1.0" in said(board, others={"default": {"held_out": low}}).sentence
    floor = of(board, "mine").held_out._replace(value=1.0)
    told = "does better than every ranked row"
    assert told in said(board, others={"mine": {"held_out": floor}}).sentence
    difference = of(board, "local_search").difference
    for bounds, outcome in (
        ((-0.2, -0.1), "better"),
        ((0.1, 0.2), "no verdict"),
        ((-0.2, 0.0), "no verdict"),
    ):
        regime = replace(difference, low=bounds[0], high=bounds[1])
        assert said(board, regime=regime).outcome == outcome
