"""Results as files for others. Truth: git, the boards of the same runs, and what reads such files."""

import json
import math
import shutil
import subprocess
import zipfile
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import made_run
import pandas as pd
import pytest
import yaml
from command import harness

from harness import load_run
from harness.checks.section import recorded_runs
from harness.data.fetch import fetch
from harness.data.packages import wheel
from harness.errors import DataUnavailableError
from harness.results.rows import row_results
from harness.results.tree import read_tree
from harness.run.stored import write_dates

EVERY_EVAL_EVER = wheel(
    "every-eval-ever", "0.3.0", "564b8bc624c1f822f749a769dc69dc058a736e83d920cbeb147c3a30d3152317"
)
TASKS = [made_run.IMAGES | {"name": "digits"}, made_run.BYTES]
HERS: list[made_run.Row] = [("tuned", made_run.PLAIN), ("default", None)]
HIS: list[made_run.Row] = [("tuned", made_run.PLAIN), ("local_search", made_run.DIVERSE)]


def make(folder: Path, rows: list[made_run.Row], **settings: Any) -> Path:
    """Writes a run whose rows have these scores."""
    folder.mkdir(parents=True)
    levels = {"tuned": 0.6, "default": 0.55, "local_search": 0.8} | settings.pop("levels", {})
    samples = made_run.drawn(levels, per_group=2)
    write_dates(folder, "2026-01-02T03:04+00:00", did_something=True)
    return made_run.make(folder, samples, rows=rows, tasks=TASKS, name=folder.name, **settings)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Returns the runs of two people, which share a row, and one of other data."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        "hers": make(folder / "a" / "mine", HERS),
        "his": make(folder / "b" / "mine", HIS),
        "other": make(folder / "c" / "mine", HIS, prepared="cd"),
    }


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tree(out: Path, *runs: Path) -> str:
    done = harness("leaderboard", *runs, "--format", "tree", "--out", out)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> dict[str, bytes]:
    found = folder.glob("*/*/*.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_trees_of_two_people_merge_by_git_and_are_the_tree_of_both(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    git(repository, "commit", "-q", "--allow-empty", "-m", "begin")
    for name in runs:
        git(repository, "checkout", "-q", "-b", name, "main")
        tree(repository / "results", runs[name])
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "-m", name)
    git(repository, "merge", "-q", "-m", "both", "hers", "his")
    assert git(repository, "status", "--porcelain") == ""
    tree(tmp_path / "both", *runs.values())
    both = files(tmp_path / "both")
    assert files(repository / "results") == both
    assert len({name.split("/")[0] for name in both}) == 2, "other data is another protocol"
    assert len(both) == 2 * 3 + 2 * 2
    again = tree(tmp_path / "both", runs["hers"])
    assert "added" not in again
    assert "replaced" not in again


def test_a_tree_holds_what_the_board_says(runs: dict[str, Path], tmp_path: Path) -> None:
    tree(tmp_path / "tree", runs["his"])
    board: Any = load_run(runs["his"]).board
    found = read_tree(tmp_path / "tree")
    assert len(found) == 4
    for one in found:
        task = next(task for task in board.tasks if task.task == one.task)
        row = task.row(one.method, one.space)
        assert tuple(one.means[0].score) == pytest.approx(tuple(row.held_out), abs=1e-9)
        assert one.means[0].seeds == len(row.seeds)
        assert {line["domain"]: line["value"] for line in one.domains} == pytest.approx(
            {cell.domain: cell.estimate.value for cell in row.cells}, abs=1e-9
        )
        assert all(line["samples"] == 120 and line["selection"] == task.selection for line in one.domains)
        assert "rank" not in json.dumps(one.to_json())
    printed = harness("leaderboard", tmp_path / "tree", "--format", "md").stdout
    for name, order in (("**digits", ["local", "tuned"]), ("**prose", ["tuned", "local"])):
        rows = [row for row in printed[printed.index(name) :].splitlines() if row.startswith("| ")]
        assert [row[2:7] for row in rows[2:4]] == order, "more is right, or fewer bits"


def test_files_of_a_tree_keep_to_their_schema(runs: dict[str, Path], tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = jsonschema.Draft202012Validator(json.loads(harness("schema", "result").stdout))
    schema.check_schema(schema.schema)
    found = [one.run for one in recorded_runs() if one.told.startswith("a whole")]
    tree(tmp_path, *runs.values(), *(run.folder for run in found if run.study != "diversity"))
    for text in files(tmp_path).values():
        one = json.loads(text)
        assert [error.message for error in schema.iter_errors(one)] == []
        for key in one:
            assert not schema.is_valid({**one, key: {"no": "such"}})
        assert not schema.is_valid({**one, "more": 1})
    assert "is alike in every study" in harness("schema", "result", "--study", "lookup").stderr


def test_hashes_follow_what_rows_are_made_of(runs: dict[str, Path], tmp_path: Path) -> None:
    def hashes(run: Path) -> dict[str, tuple[str, str, str]]:
        found = row_results(load_run(run))
        return {one.method: (one.protocol, one.code, one.results) for one in found if one.task == "digits"}

    hers, his = hashes(runs["hers"]), hashes(runs["his"])
    assert hers["tuned"] == his["tuned"]
    assert len({one for found in (hers, his) for _, *rest in found.values() for one in rest}) == 6
    better = hashes(make(tmp_path / "better", HERS, levels={"default": 0.7}))
    assert better["tuned"] == hers["tuned"]
    assert better["default"][:2] == hers["default"][:2]
    assert better["default"][2] != hers["default"][2]


def test_what_is_no_tree_is_told_and_nothing_is_written(runs: dict[str, Path], tmp_path: Path) -> None:
    better = make(tmp_path / "better", HERS, levels={"default": 0.7})
    wrong = {
        "names it with --out|name it with --out": (runs["hers"], "--format", "tree"),
        "differ in": (
            runs["hers"],
            better,
            "--format",
            "tree",
            "--out",
            tmp_path / "out",
        ),
        "There is no run in": (tmp_path / "none", "--format", "tree", "--out", tmp_path / "out"),
        "is no folder": (runs["hers"], "--format", "tree", "--out", runs["hers"] / "plan.json"),
    }
    for text, words in wrong.items():
        done = harness("leaderboard", *words)
        assert done.returncode == 2
        assert any(one in done.stderr for one in text.split("|")), done.stderr
    assert not (tmp_path / "out").exists()
    tree(tmp_path / "tree", runs["hers"])
    path = next((tmp_path / "tree").glob("*/default/digits.json"))
    text = path.read_text()
    path.write_text(text.replace('"higher"', '"lower"'))
    assert "digits.json is damaged" in harness("leaderboard", tmp_path / "tree").stderr
    shutil.move(path.parents[1], tmp_path / "tree" / "0123456789abcdef")
    (tmp_path / "tree" / "0123456789abcdef" / "default" / "digits.json").write_text(text)
    assert "by the protocol of its folder" in harness("leaderboard", tmp_path / "tree").stderr


@pytest.fixture(scope="module")
def log_schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Returns the schema of Every Eval Ever as its package has it."""
    try:
        package = fetch(EVERY_EVAL_EVER, tmp_path_factory.mktemp("fetched"), offline=False)
    except DataUnavailableError as error:
        pytest.skip(f"the schema of Every Eval Ever cannot be fetched: {error}")
    with zipfile.ZipFile(package) as wheel:
        return json.loads(wheel.read("every_eval_ever/schemas/eval.schema.json"))


def test_logs_keep_to_the_schema_of_every_eval_ever(
    log_schema: Any, runs: dict[str, Path], tmp_path: Path
) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.validators.validator_for(log_schema)(log_schema)
    lookup = next(one.run.folder for one in recorded_runs() if one.told == "a whole run of lookup")
    for run in (runs["hers"], runs["his"], lookup):
        done = harness("leaderboard", run, "--format", "every-eval-ever", "--owner", "lab", "--out", tmp_path)
        assert done.returncode == 0, done.stderr
    logs = {path.relative_to(tmp_path): json.loads(path.read_text()) for path in tmp_path.rglob("*.json")}
    assert len(logs) == 6 + len(row_results(load_run(lookup))), "the row of both is one file"
    for path, log in logs.items():
        assert [error.message for error in validator.iter_errors(log)] == []
        data, suite, owner, model = path.parts[:4]
        assert (data, suite, f"{owner}/{model}") == (
            "data",
            log["evaluation_id"].split("/")[0],
            log["model_info"]["id"],
        )
        assert str(UUID(path.stem, version=4)) == path.stem
    validator.check_schema(log_schema)
    assert not validator.is_valid({**log, "evaluation_results": [{"evaluation_name": "x"}]})


def test_logs_and_entries_of_the_hub_say_what_the_board_says(runs: dict[str, Path], tmp_path: Path) -> None:
    from huggingface_hub import parse_eval_result_entries

    board: Any = load_run(runs["his"]).board
    for name in ("every-eval-ever", "hub"):
        words = ("--format", name, "--owner", "lab", "--out", tmp_path / name)
        assert harness("leaderboard", runs["his"], *words).returncode == 0
    logs = [json.loads(path.read_text()) for path in (tmp_path / "every-eval-ever").rglob("*.json")]
    for task in board.tasks:
        row = task.row("local_search", made_run.DIVERSE)
        log = next(
            log
            for log in logs
            if log["model_info"]["name"] == row.name
            and log["eval_library"]["additional_details"]["task"] == task.task
        )
        scores = {one["evaluation_name"]: one for one in log["evaluation_results"]}
        is_lower = task.metric == "bits_per_byte"
        assert all(one["metric_config"]["lower_is_better"] is is_lower for one in scores.values())
        expected = {task.title: row.held_out}
        expected |= {f"{task.task}/{cell.domain}": cell.estimate for cell in row.cells}
        assert set(scores) == set(expected)
        for where, estimate in expected.items():
            told = scores[where]["score_details"]
            ends = told["uncertainty"]["confidence_interval"]
            found = (told["score"], ends["lower"], ends["upper"])
            assert found == pytest.approx(tuple(estimate), abs=1e-9)
        folder = next((tmp_path / "hub").glob("local-search-*")) / ".eval_results"
        entries = parse_eval_result_entries(yaml.safe_load((folder / f"{task.task}.yaml").read_text()))
        assert {one.dataset_id for one in entries} == {"lab/mine"}
        values = [row.held_out.value, *(cell.estimate.value for cell in row.on("held_out"))]
        factor = 1 if is_lower else 100
        assert [one.value for one in entries] == pytest.approx([factor * value for value in values], abs=1e-6)
        assert all("95 % interval" in one.notes for one in entries)


@pytest.mark.parametrize("owner", ["", "a/b", "..", "data", "a b"])
def test_who_publishes_is_a_name(runs: dict[str, Path], tmp_path: Path, owner: str) -> None:
    words = ("--format", "hub", "--owner", owner, "--out", tmp_path / "out")
    done = harness("leaderboard", runs["hers"], *words)
    assert done.returncode == 2
    assert "give --owner NAME" in done.stderr
    assert not (tmp_path / "out").exists()


LM_EVAL = {
    "config": {"model": "hf", "model_args": "pretrained=x"},
    "model_name": "a|b<i>",
    "lm_eval_version": "0.4.13",
    "results": {
        "crossdomain__prose__tweets": {
            "alias": "tweets",
            "bits_per_byte,none": 1.25,
            "bits_per_byte_stderr,none": "N/A",
        },
        "crossdomain_suite__mine__prose__parl": {"bits_per_byte,none": 1.75, "byte_perplexity,none": 2.4},
        "crossdomain__digits__rough": {"alias": "rough", "acc,none": 0.875, "acc_norm,none": 0.5},
        "other": {"acc,none": 0.25},
    },
}
TIMM = "model,img_size,top1,top5,param_count\nr18,224,61.5,90.0,11.69\nr50,224,71.25,90.0,25.56\n"


def test_rows_of_other_programs_stand_unranked_beside_ours(runs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "results_1.json").write_text(json.dumps(LM_EVAL))
    (tmp_path / "rough.csv").write_text(TIMM)
    (tmp_path / "grainy.csv").write_text(TIMM.replace("71.25", "73.25"))
    files = ["results_1.json", "rough.csv=digits/rough", "grainy.csv=digits/grainy"]
    words = [word for file in files for word in ("--import", tmp_path / file)]
    plain = harness("leaderboard", runs["his"], "--format", "csv").stdout
    done = harness("leaderboard", runs["his"], *words, "--format", "csv", "--only", "a|b<i>,r50")
    assert done.returncode == 0, done.stderr
    lines = {line for line in done.stdout.splitlines() if "†" in line}
    assert set(done.stdout.splitlines()) - lines == set(plain.splitlines())
    frame = pd.read_csv(StringIO(done.stdout))
    added = frame[frame["method"].str.contains("†")]
    assert added["rank"].isna().all()
    found = {(one.method, one.task, one.domain): one.value for one in added.itertuples()}
    assert found == {
        ("a|b<i> †", "prose", "tweets"): 1.25,
        ("a|b<i> †", "prose", "parl"): 1.75,
        ("a|b<i> †", "digits", "rough"): 0.875,
        ("r50 †", "digits", "rough"): 0.7125,
        ("r50 †", "digits", "grainy"): 0.7325,
    }
    html = harness("leaderboard", runs["his"], *words, "--format", "html").stdout
    assert "a|b&lt;i&gt; †" in html
    assert "† results_1.json, sha256" in html
    assert "(lm-eval 0.4.13)" in html
    assert "25,560,000" in html
    assert "72.2" in html.replace("72.3", "72.2"), "the mean over both domains"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", "{", "is no results file of lm-eval"),
        ("a.json", "[]", "is no results file of lm-eval"),
        ("a.json", json.dumps(LM_EVAL | {"results": {"other": {"acc,none": 0.5}}}), "called other"),
        (
            "a.json",
            json.dumps(LM_EVAL | {"results": {"crossdomain__digits__rough": {"acc,none": 1.5}}}),
            "is no score",
        ),
        (
            "a.json",
            json.dumps(LM_EVAL | {"results": {"crossdomain__digits__rough": {"acc,none": math.nan}}}),
            "is no score",
        ),
        ("a.json=digits/rough", json.dumps(LM_EVAL), "not all of it is of digits/rough"),
        ("a.csv=digits/rough", "model,top5\nx,1\n", "no columns model and top1"),
        ("a.csv=digits/rough", "model,top1\nx,101\n", "top1 of line 2 is '101'"),
        ("a.csv=digits/none", "model,top1\nx,51\n", "called digits/none"),
        ("a.csv", TIMM, "a.csv=TASK/DOMAIN"),
        ("a.csv=prose/tweets", TIMM, "of a metric that"),
        (
            "a.csv=digits/rough",
            TIMM + 60 * "x,1,2,3,4\n" + "".join(f"m{i},1,2,3,4\n" for i in range(60)),
            "--only",
        ),
    ],
)
def test_files_that_give_no_row_are_told(
    runs: dict[str, Path], tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / name.partition("=")[0]).write_text(text)
    done = harness("leaderboard", runs["his"], "--import", tmp_path / name)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_format_that_is_none_is_told_with_all_there_are(tmp_path: Path) -> None:
    done = harness("leaderboard", "--format", "every-eval", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "There is no format named 'every-eval'; did you mean every-eval-ever?" in done.stderr
    assert not (tmp_path / "out").exists()
