"""Runs as frames, and suites run from Python. Truth: the boards, records and sums of the same runs."""

import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from command import python
from working import FLOORS

import harness
from harness import HarnessError, RunResults, load_run
from harness.checks.section import recorded_runs
from harness.cli.main import app
from harness.run.samples import read_sums
from harness.study.formats import render

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def runs() -> dict[str, RunResults]:
    """Returns study -> its whole recorded run."""
    whole = {one.run.study: one.run.folder for one in recorded_runs() if one.told.startswith("a whole")}
    return {study: load_run(folder) for study, folder in whole.items()}


def test_rows_are_the_lines_of_the_csv_with_types(runs: dict[str, RunResults], tmp_path: Path) -> None:
    assert set(runs) == {"trained", "lookup", "ranking", "diversity"}
    for results in runs.values():
        (tmp_path / "board.csv").write_text(render(results.board, "csv"))
        csv, rows = pd.read_csv(tmp_path / "board.csv"), results.rows()
        assert list(csv.columns) == list(rows.columns)
        assert csv["value"].tolist() == pytest.approx(rows["value"].tolist(), nan_ok=True)
        assert csv["what"].tolist() == rows["what"].tolist()
    assert str(runs["trained"].rows()["rank"].dtype) == "Int64"


def test_samples_sum_up_to_what_boards_read(runs: dict[str, RunResults]) -> None:
    run, samples = runs["trained"].run, runs["trained"].samples()
    keys = ["task", "domain", "role", "method", "space", "selection", "seed", "report_seed"]
    sums = samples.groupby(keys, dropna=False)[["numerator", "denominator"]].sum()
    scores = [unit for unit in run.units if unit.kind.name == "score"]
    assert len(sums) == len(scores) == 162
    expected = []
    for unit in scores:
        metric = json.loads((run.place(unit) / "record.json").read_text())["result"]["metric"]
        found = read_sums(run, unit, metric)
        expected.append((found.numerators.sum(), found.denominators.sum()))
    assert np.array(sorted(sums.to_numpy().tolist())) == pytest.approx(np.array(sorted(expected)))
    images = samples[samples["task"] == "toy_patterns"]
    assert ((images["prediction"] == images["label"]) == (images["numerator"] == 1)).all()
    assert (images["log_probability"].dropna() <= 0).all()
    assert images["log_probability"].notna().sum() > 4000
    assert samples[samples["task"] == "toy_bytes"]["prediction"].isna().all()
    assert runs["lookup"].samples().empty
    assert list(runs["lookup"].samples().columns) == list(samples.columns)


def test_units_and_history_are_what_the_records_hold(runs: dict[str, RunResults]) -> None:
    for results in runs.values():
        units = results.units().set_index("unit")
        assert (units["status"] == "ok").all()
        for unit in results.run.units:
            assert units.loc[unit.folder, "result"] == results.run.records[unit.hash].result_hash
    history = runs["trained"].history()
    kept = {
        (one["score"], one["parameters"])
        for record in runs["trained"].run.records.values()
        if record.kind == "search"
        for one in record.result["history"]
    }
    searched = history[history["space"].notna()]
    assert set(zip(searched["score"], searched["parameters"], strict=True)) == kept
    assert set(searched["method"]) < set(runs["trained"].rows()["method"])
    assert searched.groupby(["task", "method", "space", "seed"])["evaluation"].max().eq(5).all()
    found = runs["lookup"].history()
    best = found.sort_values("evaluation").groupby(["domain", "feedback", "method", "seed"])["score"]
    assert best.apply(lambda scores: scores.is_monotonic_increasing).all()
    assert runs["ranking"].history().empty


def test_runs_that_are_half_done_or_empty_have_the_same_columns(runs: dict[str, RunResults]) -> None:
    for one in recorded_runs():
        part, whole = RunResults(one.run), runs[one.run.study]
        assert (
            {"value", "low", "high", "marks"} <= set(part.rows().columns) <= set(whole.rows().columns) | {"p"}
        )
        for name in ("units", "samples", "history"):
            found, of_all = getattr(part, name)(), getattr(whole, name)()
            assert list(found.columns) == list(of_all.columns)
            assert len(found) <= len(of_all)
        done = sum(record.status == "ok" for record in one.run.records.values())
        assert part.units()["result"].notna().sum() == done
        assert part.units()["reason"].notna().sum() == len(one.run.records) - done
        assert part._repr_html_().startswith("<h1>")


def test_what_a_notebook_shows_is_inert(runs: dict[str, RunResults], tmp_path: Path) -> None:
    folder = runs["lookup"].run.folder
    results = load_run(folder)
    object.__setattr__(results.run, "title", "<script>alert(1)</script>")
    shown = results._repr_html_()
    assert "<table>" in shown
    assert "<script" not in shown
    assert "21 of 21 units done" in repr(results)
    with pytest.raises(HarnessError, match="There is no run in"):
        load_run(tmp_path / "nothing")


@pytest.mark.slow
@pytest.mark.ci
def test_a_suite_runs_from_python_as_the_command_runs_it(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(FLOORS)
    results = harness.evaluate(
        tmp_path / "mine.toml", out=tmp_path / "run", workers=1, limit=20, set={"seeds": [3, 4], "title": "é"}
    )
    assert results.board.title == "é"
    assert set(results.units()["status"]) == {"ok"}
    samples = results.samples()
    assert set(zip(samples["seed"], samples["report_seed"], strict=True)) == {(3, 4)}
    assert results.run.limit == 20
    with pytest.raises(HarnessError, match="no suite named 'nonsense'"):
        harness.evaluate("nonsense", out=tmp_path / "other")
    with pytest.raises(HarnessError, match="Invalid value for '--workers'"):
        harness.evaluate("toy", out=tmp_path / "other", workers=0)
    with pytest.raises(HarnessError, match="no baseline named 'nobody'"):
        harness.evaluate("toy", out=tmp_path / "other", model="nobody", set="seeds=[1, 2]")
    assert not (tmp_path / "other").exists()


def test_python_and_the_command_have_the_same_options() -> None:
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = {one.opts[0].removeprefix("--").replace("-", "_") for one in verbs["eval"].params}
    of_the_command = {"dry_run", "on", "price", "register", "json", "suites", "from"}  # `from` is no name
    python = set(inspect.signature(harness.evaluate).parameters)
    assert python == options - of_the_command | {"suite", "origin"}


def test_the_cells_of_the_notebook_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook: Any = json.loads((ROOT / "docs" / "notebook.ipynb").read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 3
    assert all(not cell["outputs"] for cell in cells)
    shutil.copytree(recorded_runs()[-1].run.folder, tmp_path / "runs" / "quickstart_smoke")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in cells:
        exec(compile("".join(cell["source"]), "docs/notebook.ipynb", "exec"), names)
    assert names["results"].run.study == "trained"


def test_names_load_no_pandas_before_a_frame_is_made() -> None:
    done = python(
        """
        import sys
        import harness
        harness.load_run, harness.evaluate
        print(sorted({"torch", "pandas"} & set(sys.modules)))
        """
    )
    assert done.stdout.strip() == "[]", done.stderr
