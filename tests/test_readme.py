"""What the README shows works as written. Truth: its own code blocks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
@pytest.mark.ci
def test_the_task_and_the_searcher_of_the_readme_run_in_a_suite(tmp_path: Path) -> None:
    text = README.read_text()
    blocks = re.findall(r"`mine/(\S+?)`:\n\n```\w+\n(.*?)```", text, flags=re.DOTALL)
    assert [name.partition("/")[0] for name, _ in blocks] == ["tasks", "searchers", "leaderboards"]
    for name, code in blocks:
        assert code.count("\n") < 40
        (tmp_path / "mine" / name).parent.mkdir(parents=True)
        (tmp_path / "mine" / name).write_text(code)

    def harness(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", "from harness.cli import main; main()", *words]
        settings = {"HARNESS_CATALOG": str(tmp_path / "mine")}
        return subprocess.run(
            command, capture_output=True, text=True, env=os.environ | settings, cwd=tmp_path, timeout=500
        )

    listed = harness("list").stdout
    assert "stripes" in listed
    assert "smallest_first" in listed
    for words in (["check", "task", "stripes"], ["check", "searcher", "smallest_first"], ["eval", "mine"]):
        done = harness(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "runs" / "mine" / "report.html").is_file()
