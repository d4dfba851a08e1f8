"""Results as files for others. Truth: git, the boards of the same runs, and what reads such files."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import made_run
import pytest
from command import harness

from harness import load_run
from harness.results.rows import row_results
from harness.results.tree import read_tree

TASKS = [made_run.IMAGES | {"name": "digits"}, made_run.BYTES]
HERS: list[made_run.Row] = [("tuned", made_run.PLAIN), ("default", None)]
HIS: list[made_run.Row] = [("tuned", made_run.PLAIN), ("local_search", made_run.DIVERSE)]


def make(folder: Path, rows: list[made_run.Row], **settings: Any) -> Path:
    """Writes a run whose rows have these scores."""
    folder.mkdir(parents=True)
    levels = {"tuned": 0.6, "default": 0.55, "local_search": 0.8} | settings.pop("levels", {})
    samples = made_run.drawn(levels, per_group=2)
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
        "different results of default on": (
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
