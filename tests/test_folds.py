"""Domains, or families, that are held out in turn. Truth: the kept samples, added up by hand."""

from pathlib import Path
from statistics import fmean

import filled
import numpy as np
import pandas as pd
import pytest
from command import harness
from made_run import PLAIN, drawn, make
from working import FLOORS, plan_of, units

from harness import catalog
from harness.errors import HarnessError, UnknownNameError
from harness.run.loaded import Run, load_run
from harness.seeds import generator
from harness.stats.ranks import stability
from harness.study.settings import TaskSettings, TrainingSettings
from harness.study.study import build_board, load_study, verdict
from harness.study.trained.boards.values import Board
from harness.study.work.specs import folds_of
from harness.task.signature import Signature

SETTINGS = '[[tasks]]\nname = "toy_bytes"\n{}[tasks.training]\nsteps = 1\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("folds") / "run"
    done = harness("eval", "toy_families", "--out", out)
    assert done.returncode == 0, done.stderr
    return load_run(out)


def bits(run: Run, **wanted: object) -> list[float]:
    """Returns the bits per byte of every score with these parameters."""
    found = []
    for unit in filled.units(run, "score", **wanted):
        samples = pd.read_parquet(run.place(unit) / "samples.parquet")
        found.append(samples["bits"].sum() / samples["bytes"].sum())
    return found


@pytest.mark.parametrize("method", ["default", "floor"])
def test_each_score_is_of_networks_that_saw_nothing_of_the_family(run: Run, method: str) -> None:
    (task,) = build_board(run).tasks
    row = task.row(method)
    seeds = 1 if method == "floor" else 2
    assert (task.folds, task.sources) == ((("one", "two"), ("three",)), ("one", "two", "three"))
    assert len(row.seeds) == seeds
    by_domain = [bits(run, method=method, domain=name, role="held_out") for name in ("one", "two", "three")]
    assert [len(scores) for scores in by_domain] == [seeds] * 3
    assert row.held_out.value == pytest.approx(np.mean(by_domain))
    assert [cell.estimate.value for cell in row.on("held_out")] == pytest.approx([*map(fmean, by_domain)])
    sources = bits(run, method=method, role="source")
    assert len(sources) == 3 * seeds, "one and two without three, three without one and two"
    assert row.in_domain.value == pytest.approx(fmean(sources))
    assert row.gap.value == pytest.approx(np.mean(by_domain) - fmean(sources))
    for unit in filled.units(run, "score", method=method, role="held_out"):
        trained = run.needed(unit, filled.KINDS["final"]).spec.sources
        assert set(trained) == {"one", "two", "three"} - set(unit.spec.fold)


def test_the_board_and_the_verdict_say_what_was_held_out(run: Run) -> None:
    board = build_board(run)
    assert (
        "Held out in turn, with all other domains as sources: one and two; three." in board.tasks[0].notes[0]
    )
    assert "on 3 fixed held-out domains" in verdict(board)
    assert "all others, in turn" in (run.folder / "report.md").read_text()
    assert list(load_study("trained").wants(run, board))


def test_rescore_and_compare_read_folds(run: Run) -> None:
    compared = harness("compare", run.folder, "default", "floor", "--json")
    assert compared.returncode == 0, compared.stderr
    again = harness("rescore", run.folder, "--metric", "bits_per_byte")
    assert again.returncode == 0, again.stderr


def test_every_cell_of_a_fold_has_a_place_of_its_own(run: Run) -> None:
    study = load_study("trained")
    scores = [*filled.units(run, "score")]
    assert len({str(study.place(unit)) for unit in scores}) == len(scores)


def test_each_holds_out_every_domain_and_marks_those_with_kin_among_sources(tmp_path: Path) -> None:
    plan = plan_of(FLOORS + SETTINGS.format('held_out = "each"\n'), tmp_path)
    (task,) = (task for task in plan.table["tasks"] if task["name"] == "toy_bytes")
    assert task["folds"] == [["one"], ["two"], ["three"]]
    assert task["strata"] == {"one": "seen family", "two": "seen family", "three": ""}
    finals = {one.spec.sources for one in units(plan, "final", task="toy_bytes")}
    assert finals == {("two", "three"), ("one", "three"), ("one", "two")}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            'sources = ["one"]\nheld_out = "each"\n',
            "holds out each in turn, so that all others are its sources",
        ),
        ('held_out = "every"\n', "every"),
    ],
)
def test_what_cannot_be_held_out_in_turn_is_refused(tmp_path: Path, settings: str, told: str) -> None:
    with pytest.raises((HarnessError, UnknownNameError), match=told):
        plan_of(FLOORS + SETTINGS.format(settings), tmp_path)


def test_one_family_cannot_be_held_out_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    kin = [filled.domain(name, None, family="kin") for name in ("one", "two")]
    task = filled.task(kin, Signature(kind="bytes", classes=256))
    monkeypatch.setattr(catalog, "load", lambda kind, name: task)
    settings = TaskSettings(name="mine", training=TrainingSettings(steps=1), held_out="each family")
    with pytest.raises(HarnessError, match="has one family of domains, so none can be held out in turn"):
        folds_of(settings)


def test_no_claim_is_made_of_a_domain_whose_family_a_source_is_of(tmp_path: Path) -> None:
    task = {"name": "marks", "sources": ["clean"], "held_out": ["rough", "grainy"], "metric": "accuracy"}
    task |= {"chance": 0.25, "strata": {"rough": "", "grainy": "seen family"}}
    samples = drawn({"tuned": 0.5, "local_search": 0.9})
    claim = {"method": "local_search", "space": "hybrid:micro"}
    rows = [("tuned", PLAIN), ("local_search", "hybrid:micro")]
    board = build_board(load_run(make(tmp_path, samples, rows=rows, tasks=[task], suite={"claim": claim})))
    assert [part.held_out for part in board.decisive] == [("rough",)]
    assert [part.held_out for part in board.tasks] == [("rough",), ("grainy",)]
    assert "outside of every claim: grainy" in " ".join(board.tasks[1].notes)
    assert "seen family" not in verdict(board)
    alone = make(
        tmp_path / "alone",
        samples,
        rows=rows,
        suite={"claim": claim},
        tasks=[task | {"strata": dict.fromkeys(("rough", "grainy"), "seen family")}],
    )
    assert verdict(build_board(load_run(alone))) == (
        "Every held-out domain is of a family that a source is of, so there is no verdict."
    )


def test_a_claim_is_made_of_corruptions_where_nothing_else_is_held_out(tmp_path: Path) -> None:
    words = 'name = "toy_patterns"\nsources = ["clean"]\nheld_out = {}\n[tasks.training]\nsteps = 1\n'
    names = ["clean+noise-2", "clean+blur-1", "rough+noise-2"]
    plan = plan_of(f"{FLOORS}[[tasks]]\n{words.format(names)}", tmp_path)
    corrupted = dict.fromkeys(names[:2], "corrupted source")
    told = "nothing was trained on rough"
    assert plan.table["tasks"][0]["strata"] == corrupted | {"rough+noise-2": ""}, told
    names = ["rough", "grainy"]
    task = {"name": "marks", "sources": ["clean"], "held_out": names, "metric": "accuracy", "chance": 0.25}
    samples = drawn({"tuned": 0.5, "local_search": 0.9})
    claim = {"method": "local_search", "space": "hybrid:micro"}
    rows = [("tuned", PLAIN), ("local_search", "hybrid:micro")]

    def board_of(name: str, families: dict[str, str] | None = None, **strata: str) -> Board:
        (tmp_path / name).mkdir()
        tasks = [task | {"strata": strata, "families": families or {}}]
        run = make(tmp_path / name, samples, rows=rows, tasks=tasks, suite={"claim": claim})
        found: Board = build_board(load_run(run))
        return found

    alone = board_of("alone", rough="corrupted source", grainy="corrupted source")
    told = verdict(alone)
    where = "corruptions of domains that the rows trained on"
    assert told.startswith(f"On {where} local_search in hybrid:micro is better than tuned on the one board.")
    assert f"on 2 fixed held-out domains, {where}, tuned" in told
    assert f"rough, grainy: {where}" in " ".join(alone.tasks[0].notes)
    assert "Stability" in " ".join(alone.tasks[0].notes)
    family = {"rough": "clean", "grainy": "clean"}
    of_one = board_of("one", family, rough="corrupted source", grainy="corrupted source")
    assert "Stability" not in " ".join(of_one.tasks[0].notes), "one family has one resample"
    beside = board_of("beside", rough="", grainy="corrupted source")
    assert [part.held_out for part in beside.decisive] == [("rough",)]
    assert "corrupt" not in verdict(beside)
    kin = board_of("kin", rough="seen family", grainy="corrupted source")
    assert [part.held_out for part in kin.decisive] == [("grainy",)]


def test_domains_of_a_family_are_drawn_together() -> None:
    scores = [[0.6, 0.6, 0.6, 0.6], [1.0, 1.0, 0.0, 0.0]]
    kept = stability(scores, ["a", "a", "b", "b"], generator=generator(0, "t"), replicates=20_000)
    # Of two families the draws are aa, ab, ba and bb: the first row is ahead in all but aa.
    assert kept.first == pytest.approx(0.75, abs=0.02)
    alone = stability(scores, generator=generator(0, "t"), replicates=20_000)
    # Of four domains it is ahead where at most two of four draws are of the first two: 11 of 16.
    assert alone.first == pytest.approx(11 / 16, abs=0.02)
