"""The board of a run. Truth: a synthetic run whose every score is known here in closed form."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import filled
import numpy as np
import pandas as pd
import pytest

from harness.errors import HarnessError, UnknownNameError
from harness.files import SCHEMA, sealed
from harness.identity.unit import Unit, unit_folder
from harness.run.loaded import load_run
from harness.run.record import Record
from harness.run.stored import write_beside, write_record
from harness.study.formats import board_json, render
from harness.study.study import build_board, verdict
from harness.study.trained.boards.values import Board
from harness.study.trained.boards.verdict import task_verdict
from harness.task.selection import DEFAULT_SELECTION

DIVERSE, PLAIN = "hybrid:micro", "hybrid:micro-attention"
USUAL: dict[str, Any] = {"selection": DEFAULT_SELECTION}
ROWS = [
    ("default", None),
    ("tuned", PLAIN),
    ("floor", None),
    ("collm_nas", DIVERSE),
    ("random_search", DIVERSE),
    ("local_search", PLAIN),
]
TASKS: list[dict[str, Any]] = [
    {
        "name": "digits",
        "sources": ["mnist", "print"],
        "held_out": ["figlet", "optdigits"],
        "metric": "balanced_accuracy",
        "chance": 0.1,
    },
    {
        "name": "bytes",
        "sources": ["code"],
        "held_out": ["tweets", "parl"],
        "metric": "bits_per_byte",
        "chance": 8.0,
    },
]
LEVEL = {"default": 0.55, "tuned": 0.6, "floor": 0.1, "collm_nas": 0.7, "random_search": 0.61}


class Folder:
    """Writes a run folder as the executor does; `failed` maps (method, domain) to a reason."""

    def __init__(
        self, path: Path, *, failed: dict[tuple[str, str], str] | None = None, **levels: float
    ) -> None:
        self.path = path
        self.failed = failed or {}
        self.levels = LEVEL | levels
        self.units: list[dict[str, Any]] = []
        self.made: dict[str, tuple[Unit, Record]] = {}
        for task in TASKS:
            self.task(task)

    def task(self, task: dict[str, Any]) -> None:
        domains = [("source", name) for name in task["sources"]]
        domains += [("held_out", name) for name in task["held_out"]]
        prepared = {}
        for _, domain in domains:
            result = {"sha256": "ab" * 32, "counts": {"test": 300, "train": 900}, "groups": {"test": 60}}
            about = {"origin": f"drawn for {domain}", "licence": "CC0-1.0"}
            prepared[domain] = self.unit(
                "prepare", {"task": task["name"], "domain": domain}, [], result, about=about
            )
        for method, space in ROWS:
            for select, report in ((0, 1), (1, 0)):
                self.row(task, domains, prepared, (method, space, select, report))

    def row(self, task: dict[str, Any], domains: Any, prepared: Any, who: tuple[Any, ...]) -> None:
        method, space, select, report = who
        needs = []
        if space:
            supernet = {"task": task["name"], "space": space, "seed": select, "steps": 500}
            spec = {"task": task["name"], "space": space, "searcher": method, "seed": select}
            needs = [self.unit("supernet", supernet, [], {"parameters": 9})]
            needs = [self.unit("search", spec | {"evaluations": 8}, needs, self.search(method, select))]
        spec = {"task": task["name"], "method": method, "space": space}
        spec |= {"select_seed": select, "report_seed": report}
        final: dict[str, Any] = {"architecture": {"mixers": ["<script>alert(1)</script>"]} if space else None}
        final |= {"parameters": 400_000 + 100 * select, "macs": 2_000_000, "learning_rate": 0.003}
        final |= {"validation": 0.8, "steps": 300, "rates": {"0.003": 0.8}}
        if method == "floor":
            final |= {"parameters": 0, "macs": 0, "learning_rate": None, "steps": 0, "rates": {}}
        needs = [self.unit("final", spec, needs, final)]
        for role, domain in domains:
            samples = self.samples(task["metric"], method, role, (domain, report))
            result = {"metric": task["metric"], "value": 0.5, "samples": 300, "groups": 60, "limited": False}
            reason = self.failed.get((method, domain))
            about = {"domain": domain, "role": role}
            self.unit("score", spec | about, [*needs, prepared[domain]], result, reason, samples=samples)

    def unit(
        self,
        kind: str,
        spec: dict[str, Any],
        needs: list[str],
        result: Any,
        reason: str | None = None,
        *,
        about: dict[str, Any] | None = None,
        samples: pd.DataFrame | None = None,
    ) -> str:
        one = filled.unit(
            kind,
            (USUAL if kind in ("final", "score") else {}) | spec,
            needs=tuple(needs),
            code={"engine": "as it is"},
        )
        if one.hash in self.made:
            return one.hash
        self.units.append(one.to_json())
        folder = unit_folder(self.path, one)
        folder.mkdir(parents=True, exist_ok=True)
        if samples is not None and reason is None:
            samples.to_parquet(folder / "samples.parquet")
        inputs = {self.made[need][0].name: self.made[need][1].result_hash for need in needs}
        write_beside(self.path, one, "provenance.json", {"packages": {"torch": "2"}})
        write_beside(
            self.path,
            one,
            "timing.json",
            {"seconds": 1.5, "parts": {}, "peak_memory_bytes": 2**27, "host": "h"},
        )
        status: Any = "ok" if reason is None else "failed"
        done = write_record(
            self.path,
            one,
            status,
            reason=reason,
            result=filled.result(kind, **result),
            about=about,
            inputs=inputs,
        )
        self.made[one.hash] = (one, done)
        return one.hash

    def search(self, method: str, seed: int) -> dict[str, Any]:
        scores = [0.3, None, 0.35, 0.5, 0.4, 0.52, 0.51, 0.6 + 0.01 * seed]
        history = [
            {"architecture": {"a": 1}, "score": score, "parameters": 400_000, "macs": 2, "iteration": at}
            for at, score in enumerate(scores)
        ]
        result = {**history[-1], "evaluations": 8, "stopped": "budget", "history": history}
        llm = {"model": "Tiny-135M", "kind": "embedded", "calls": 4, "prompt_tokens": 900}
        llm |= {"completion_tokens": 120, "reasoning_tokens": 0}
        report: dict[str, Any] = {"counters": {"duplicates": 2}}
        if method == "collm_nas":
            report["llm"] = llm
        return result | {"rank_by_parameters": None, "report": report}

    def samples(self, metric: str, method: str, role: str, where: tuple[str, int]) -> pd.DataFrame:
        """Returns 60 groups of 5 samples; the share of right ones is the method's level on held-out data."""
        draw = np.random.default_rng(abs(hash((len(where[0]), where[1]))) % 1000)
        level = self.levels.get(method, 0.58) + (0.2 if role == "source" else 0.0)
        ease = np.repeat(draw.normal(0, 0.05, size=60), 5)
        luck = draw.random(300)
        columns = {"group": np.repeat(np.arange(60), 5), "label": np.arange(300) % 10}
        if metric == "bits_per_byte":
            columns["label"] = np.zeros(300, dtype=np.int64)
            size = np.full(300, 100.0)
            return pd.DataFrame({**columns, "numerator": (4 - 2 * level + ease) * size, "denominator": size})
        right = (luck < level + ease).astype(np.float64)
        return pd.DataFrame({**columns, "numerator": right, "denominator": np.ones(300)})

    def write(self, **changes: Any) -> Path:
        tasks = [{"training": {"steps": 3}, **task} for task in TASKS]
        suite: dict[str, Any] = {"seeds": [0, 1], "reference": "tuned", "tasks": tasks, "study": "trained"}
        suite |= {"title": "Toy", "baselines": [], "tuned_space": PLAIN}
        suite |= {"claim": {"method": "collm_nas", "space": DIVERSE}}
        suite |= {"search": {"evaluations": 8, "parameter_tolerance": 0.05}}
        plan: dict[str, Any] = {
            "schema": SCHEMA,
            "name": "toy",
            "title": "Toy <b>suite</b>",
            "suite": suite,
            "limit": None,
        }
        plan |= {"command": "harness eval toy", "units": self.units} | changes
        (self.path / "plan.json").write_text(sealed(plan))
        return self.path


def board_of(path: Path, **settings: Any) -> Board:
    return build_board(load_run(Folder(path, **settings).write()))


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return board_of(tmp_path_factory.mktemp("run"))


def test_a_better_search_gets_a_verdict_on_every_task(board: Board) -> None:
    assert [task_verdict(board, task).outcome for task in board.tasks] == ["better", "better"]
    assert "is better than tuned on all 2 tasks" in verdict(board)


def test_a_search_as_good_as_the_reference_cannot_tell(tmp_path: Path) -> None:
    found = board_of(tmp_path, collm_nas=0.6)
    assert [task_verdict(found, task).outcome for task in found.tasks] == ["cannot tell", "cannot tell"]
    assert verdict(found).startswith("This run cannot tell whether collm_nas in hybrid:micro holds up better")


def test_a_worse_search_is_called_worse(tmp_path: Path) -> None:
    found = board_of(tmp_path, collm_nas=0.4)
    assert "is worse than tuned on all 2 tasks" in verdict(found)


def test_rows_are_ranked_by_the_metric_in_its_own_direction(board: Board) -> None:
    for task in board.tasks:
        assert task.rows[0].method == "collm_nas"
        assert [row.rank for row in task.rows[:5]] == sorted(row.rank or 0 for row in task.rows[:5])
        assert task.rows[0].rank_best == 1
        assert task.rows[0].gap is not None
        assert task.rows[0].gap.value > 0


def test_the_mean_is_that_of_domains_and_seeds(board: Board) -> None:
    row = board.tasks[1].rows[0]
    values = [value for cell in row.on("held_out") for value in cell.by_seed]
    assert row.held_out is not None
    assert row.held_out.value == pytest.approx(np.mean(values))
    assert row.held_out.value == pytest.approx(4 - 2 * 0.7, abs=0.02)
    assert row.difference is not None
    assert row.difference.value == pytest.approx(-0.2)
    assert row.difference.low == pytest.approx(row.difference.high), "the ease of groups cancels in a pair"


def test_the_floor_is_shown_unranked_and_last(board: Board) -> None:
    for task in board.tasks:
        assert task.rows[-1].is_floor
        assert task.rows[-1].rank is None
        assert task.rows[-1].held_out is not None


def test_a_fixed_architecture_above_the_claim_is_in_the_verdict(tmp_path: Path) -> None:
    board = board_of(tmp_path, default=0.95)
    assert "The fixed architecture default (9" in verdict(board)
    assert "above both on " in verdict(board)


def test_a_claim_of_a_baseline_speaks_of_no_search(tmp_path: Path) -> None:
    found = replace(board_of(tmp_path, default=0.95), claim=("default", None))
    assert "default is better than tuned on all 2 tasks." in verdict(found)
    assert ": default holds up better." in verdict(found)
    assert "the search" not in verdict(found)


def test_a_floor_above_everything_is_in_the_verdict(tmp_path: Path) -> None:
    assert "floor (9" in verdict(board_of(tmp_path, floor=0.9))


def test_a_row_with_a_failed_cell_is_shown_and_not_ranked(tmp_path: Path) -> None:
    found = board_of(tmp_path, failed={("random_search", "figlet"): "out of <memory>."})
    row = found.tasks[0].row("random_search")
    assert row is not None
    assert row.rank is None
    assert row.held_out is None
    assert [cell.state for cell in row.on("held_out")] == ["failed", "ok"]
    assert row.on("held_out")[0].reason == "out of <memory>."
    assert "✗" in render(found, "md")
    assert sorted(other.rank or 0 for other in found.tasks[0].rows) == [0, 0, 1, 2, 3, 4]


def test_an_incomplete_claim_cannot_tell_and_says_why(tmp_path: Path) -> None:
    found = board_of(tmp_path, failed={("tuned", "figlet"): "its disk was full."})
    assert "tuned has no score on figlet (failed: its disk was full)" in verdict(found)


def test_a_failed_row_changes_nothing_between_two_others(board: Board, tmp_path: Path) -> None:
    found = board_of(tmp_path, failed={("local_search", "figlet"): "x"})
    for method in ("collm_nas", "default"):
        one, other = found.tasks[0].row(method), board.tasks[0].row(method)
        assert one is not None
        assert other is not None
        assert one.difference == other.difference


def test_the_order_of_units_changes_nothing(board: Board, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.units.reverse()
    assert board_json(build_board(load_run(folder.write()))) == board_json(board)


def test_the_board_holds_no_timing(board: Board) -> None:
    text = board_json(board)
    assert "seconds" not in text
    assert json.loads(text)["tasks"][0]["rows"][0]["held_out"][0] == pytest.approx(0.7, abs=0.1)


def test_no_row_is_bold_when_all_are_equal(tmp_path: Path) -> None:
    same = dict.fromkeys(("default", "tuned", "collm_nas", "random_search", "local_search"), 0.6)
    found = board_of(tmp_path, **same)
    assert not any(row.unbeaten for task in found.tasks for row in task.rows)
    assert "Nothing is bold" in render(found, "md")


def test_a_perfect_score_has_an_interval_with_a_width(tmp_path: Path) -> None:
    row = board_of(tmp_path, collm_nas=2.0).tasks[0].rows[0]
    assert row.held_out is not None
    assert row.held_out.value == row.held_out.high == 1
    assert 0.9 < row.held_out.low < 0.99


def test_missing_units_are_dashes(tmp_path: Path) -> None:
    path = Folder(tmp_path).write()
    for record in path.glob("units/score-*/record.json"):
        record.unlink()
    found = build_board(load_run(path))
    assert {cell.state for task in found.tasks for row in task.rows for cell in row.cells} == {"missing"}
    assert "cannot tell" in verdict(found)
    for form in ("terminal", "md", "csv", "json", "html", "tex"):
        assert render(found, form)


def test_every_format_escapes_and_names_every_row(board: Board) -> None:
    for form in ("terminal", "md", "csv", "json", "html", "tex"):
        text = render(board, form).replace("\\", "")
        assert all(method in text for method, _ in ROWS), form
    assert "Toy &lt;b&gt;suite" in render(board, "html")
    assert "Tiny-135M" in render(board, "terminal")
    with pytest.raises(UnknownNameError, match="format named 'mdd'; did you mean md"):
        render(board, "mdd")


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="There is no run in"):
        load_run(tmp_path)


def test_lost_samples_are_named(tmp_path: Path) -> None:
    path = Folder(tmp_path).write()
    next(iter(path.glob("units/score-*/samples.parquet"))).unlink()
    with pytest.raises(HarnessError, match=r"samples\.parquet is gone"):
        build_board(load_run(path))


def test_a_sample_that_is_not_finite_is_named(tmp_path: Path) -> None:
    class Odd(Folder):
        def samples(self, metric: str, method: str, role: str, where: tuple[str, int]) -> pd.DataFrame:
            samples = super().samples(metric, method, role, where)
            samples.loc[3, "numerator"] = np.nan
            return samples

    path = Odd(tmp_path).write()
    with pytest.raises(HarnessError, match=r"samples\.parquet holds a score that is not finite"):
        build_board(load_run(path))


def test_a_label_is_short_and_marks_outside_data(tmp_path: Path) -> None:
    row = board_of(tmp_path).tasks[0].rows[0]
    assert row.label == row.name
    long = replace(row, method="timm:resnet10t?weights=" + "a/long/path/" * 20 + "w.safetensors", space=None)
    assert len(long.label) == 44
    assert (long.label[:14], long.label[-14:]) == ("timm:resnet10t", "/w.safetensors")
    assert replace(long, outside="photographs").label == f"{long.label} §"
