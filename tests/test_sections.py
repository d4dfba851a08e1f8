"""The check of sections on recorded runs. Truth: sections that are broken in one way each."""

import itertools
import sys
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest

from harness import catalog
from harness.board.table import Table
from harness.checks.section import recorded_runs, section_claims
from harness.report.plot import Axis, Figure, Forest
from harness.report.section import Block, Section
from harness.search.report import SearchReport
from harness.study.trained.units import SEARCH
from harness.study.work.units import SUPERNET

LOAD = catalog.load
EMPTY = "an empty run of trained"
TOLD = {
    f"{state} run of {study}"
    for state in ("a whole", "a half done", "an empty")
    for study in ("trained", "lookup", "ranking", "diversity")
}


def claims(monkeypatch: pytest.MonkeyPatch, render: Any, *studies: str) -> dict[str, tuple[bool, str]]:
    section = Section(title="Mine", order=1, summary="Of a test.", render=render, studies=studies)
    monkeypatch.setattr(
        catalog, "load", lambda kind, name: section if kind == "section" else LOAD(kind, name)
    )
    return {claim: (holds, told) for claim, holds, told in section_claims("mine")}


def test_a_run_of_every_kind_is_recorded_whole_half_done_and_empty() -> None:
    runs = {one.told: one for one in recorded_runs()}
    assert {*runs} == TOLD
    for told, one in runs.items():
        states = {record.status for record in one.run.records.values()}
        assert states == ({"ok", "failed"} if "half" in told else set() if "empty" in told else {"ok"})
        assert len(one.run.records) < len(one.run.units) or "whole" in told


@pytest.mark.parametrize("name", catalog.names("section"))
def test_every_shipped_section_renders_them_all(name: str) -> None:
    found = list(section_claims(name))
    assert all(holds for _, holds, _ in found), found
    assert len(found) > 3


def test_a_section_that_needs_a_result_fails_on_runs_that_lack_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def render(run: Any, board: Any) -> Block:
        return Block(lead=str(next(iter(run.records.values())).kind))

    found = claims(monkeypatch, render, "trained")
    assert [claim for claim, (holds, _) in found.items() if not holds] == [f"renders {EMPTY}"]
    assert found[f"renders {EMPTY}"][1].startswith("StopIteration:  (test_sections.py, line ")


def test_a_section_that_says_something_else_each_time_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = count()
    found = claims(monkeypatch, lambda run, board: Block(lead=f"draw {next(counter)}"))
    assert {told for claim, (holds, told) in found.items() if not holds} == {
        "it says something else the second time"
    }


def test_what_cannot_be_drawn_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    forest = Forest(title="Nothing", axis=Axis(label="x"), bars=(None,))  # type: ignore[arg-type]
    figure = Figure(name="nothing", alt="Nothing.", plots=(forest,))
    found = claims(monkeypatch, lambda run, board: Block(figures=(figure,)), "lookup")
    assert [holds for holds, _ in found.values()] == [True, False, False, False]


def test_a_section_of_a_study_without_a_recorded_run_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = claims(monkeypatch, lambda run, board: Block(), "mine")
    told = "of mine none is recorded; try `harness report RUN --sections mine`"
    assert found["renders what it says that it renders"] == (True, told)


def test_a_check_says_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(caption="One", columns=("Name",), rows=(("a",),))
    found = claims(monkeypatch, lambda run, board: Block(tables=(table,), appendix=(table,)), "ranking")
    assert found["renders a whole run of ranking"] == (True, "2 tables")
    monkeypatch.setattr(catalog, "load", lambda kind, name: replace(LOAD("section", "cost"), summary=""))
    assert not next(section_claims("mine"))[1]


def test_curves_stand_against_what_the_searches_spent() -> None:
    (whole,) = [one for one in recorded_runs() if one.told == "a whole run of trained"]
    figure = catalog.load("section", "search_curves").render(whole.run, whole.board).figures[0]
    assert figure.choice == ("Against", "evaluations")
    assert [name.partition(" ")[0] for name in figure.others] == ["tera", "seconds"]
    searches = [unit for unit in whole.run.planned(SEARCH) if unit.spec.task == "toy_patterns"]
    for unit in searches:
        result, supernet = whole.run.result(unit), whole.run.result(whole.run.needed(unit, SUPERNET))
        row = f"{unit.spec.searcher} in {unit.spec.space}"
        mine = [one for one in figure.data if (one["row"], one["seed"]) == (row, unit.spec.seed)]
        assert [one["evaluation"] for one in mine] == [*range(1, result.evaluations + 1)]
        assert mine[-1]["tera"] == pytest.approx((result.compute + supernet.compute) / 1e12)
        assert mine[-1]["seconds"] == pytest.approx(whole.run.timings[unit.hash].part("evaluation"))
        steps = [after["tera"] - before["tera"] for before, after in itertools.pairwise(mine)]
        macs = [entry.macs for entry in result.history[1:]]
        assert np.array(steps) / sum(steps) == pytest.approx(np.array(macs) / sum(macs))


def test_an_evaluation_comes_after_the_iterations_that_were_asked_for_before_it() -> None:
    module = sys.modules[catalog.load("section", "search_curves").render.__module__]
    rounds: tuple[dict[str, int], ...] = ({"evaluated": 3}, {"proposed": 2}, {"evaluated": 1})
    report = SearchReport(counters={"random first": 2}, iterations=rounds)
    assert module._iterations(report, 6) == [0, 0, 1, 1, 1, 3]
    assert module._iterations(SearchReport(), 3) == [0, 0, 0]
