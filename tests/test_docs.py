"""README and docs. Truth: the files that they name, and mkdocs itself."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

QUIET = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_links_to_what_is_there(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        place, _, anchor = link.partition("#")
        if place.startswith(("http", "reference/")):
            continue
        found = page.parent / place if place else page
        assert found.is_file(), link
        if anchor:
            heads = [line.lstrip("# ") for line in found.read_text().splitlines() if line.startswith("#")]
            assert anchor in [re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads], link


def test_readme_is_two_screens_and_shows_the_searcher_that_docs_show() -> None:
    readme = (ROOT / "README.md").read_text()
    assert readme.count("\n") < 100
    (code,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    assert code in (ROOT / "docs/own.md").read_text()


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.skipif(find_spec("mkdocs") is None, reason="pip install '.[docs]' builds the pages")
def test_docs_are_built_without_a_warning(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=QUIET)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    keys = (tmp_path / "site/reference/suites/index.html").read_text()
    assert "<code>search.evaluations</code>" in keys
    assert "Searcher" in (tmp_path / "site/reference/python/index.html").read_text()
