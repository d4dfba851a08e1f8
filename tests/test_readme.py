"""What README and docs show works as written. Truth: their own code blocks."""

import re
import subprocess
from pathlib import Path

import pytest
from command import apart

ROOT = Path(__file__).parents[1]
OWN, TABLES = ROOT / "docs/own.md", ROOT / "docs/tables.md"


@pytest.mark.slow
@pytest.mark.ci
def test_the_entries_of_the_readme_hold_and_run_in_a_suite(tmp_path: Path) -> None:
    text = OWN.read_text()
    blocks = re.findall(r"`mine/(\S+?)`:\n\n```\w+\n(.*?)```", text, flags=re.DOTALL)
    kinds = [name.partition("/")[0] for name, _ in blocks]
    assert kinds == ["tasks", "search_spaces", "metrics", "searchers", "reports", "leaderboards"]
    for name, code in blocks:
        assert code.count("\n") < (60 if name.startswith("search_spaces") else 40)
        (tmp_path / "mine" / name).parent.mkdir(parents=True)
        (tmp_path / "mine" / name).write_text(code)

    def harness(*words: str) -> "subprocess.CompletedProcess[str]":
        return apart(*words, cwd=tmp_path, HARNESS_CATALOG=str(tmp_path / "mine"))

    listed = harness("list").stdout
    assert {"stripes", "knobs", "smallest_first"} <= set(listed.split())
    checks = [("task", "stripes"), ("space", "knobs"), ("metric", "error"), ("searcher", "smallest_first")]
    again = ("rescore", "runs/mine", "--metric", "error")
    for words in (*(("check", *check) for check in checks), ("count", "knobs"), ("eval", "mine"), again):
        done = harness(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "runs" / "mine" / "report.html").read_text()
    assert '<figure id="figure-sizes-stripes">' in page
    assert "could not be made" not in page


@pytest.mark.slow
@pytest.mark.ci
def test_the_table_of_the_readme_is_checked_and_searched(tmp_path: Path) -> None:
    card = re.search(r"`mine/tasks/cells.toml`:\n\n```toml\n(.*?)```", TABLES.read_text(), flags=re.DOTALL)
    folder = tmp_path / "mine" / "tasks"
    folder.mkdir(parents=True)
    (folder / "cells.toml").write_text(card.group(1))
    columns = [
        "street_val",
        "street_test",
        "forest_val",
        "forest_one",
        "forest_two",
        "depth_val",
        "depth_test",
    ]
    lines = [",".join(["cell", *columns])]
    names = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    for row in range(20):
        ops = [names[(row // 5 + edge * row) % 5] for edge in range(6)]
        cell = f"|{ops[0]}~0|+|{ops[1]}~0|{ops[2]}~1|+|{ops[3]}~0|{ops[4]}~1|{ops[5]}~2|"
        scores = [50 + row + (column * row) % 7 for column in range(5)]
        lines.append(",".join(map(str, [cell, *scores, 3 - row / 10, 3.1 - row / 10])))
    (folder / "cells.csv").write_text("\n".join(lines) + "\n")
    suite = tmp_path / "cells.toml"
    written = re.search(r'```toml\n(title = "My cells".*?)```', TABLES.read_text(), flags=re.DOTALL)
    suite.write_text(written.group(1))
    for words in (["check", "table", "cells"], ["eval", str(suite), "--out", str(tmp_path / "run")]):
        done = apart(*words, HARNESS_CATALOG=str(tmp_path / "mine"))
        assert done.returncode == 0, done.stdout + done.stderr
