"""The site of many runs. Truth: the boards of the runs, the files that lie there, and a parser of HTML."""

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import made_run
import pytest
from command import harness, python
from hypothesis import given
from hypothesis import strategies as st

from harness.board.wording import show_estimate
from harness.errors import HarnessError
from harness.files import read_sealed
from harness.report.site import write
from harness.report.site.slug import is_stem, slug
from harness.report.site.write import write_site
from harness.report.submission import submission_of, submission_text
from harness.results.tree import read_tree, tree_tables
from harness.run.loaded import load_run
from harness.study.formats import board_json, render
from harness.study.study import build_board
from harness.study.trained.study import TrainedStudy

Files = dict[str, bytes]
NAMES = ("first", "second", "other")


TASKS = [made_run.IMAGES | {"name": "digits"}, made_run.BYTES]
ROWS: list[made_run.Row] = [("tuned", made_run.PLAIN), ("local_search", made_run.DIVERSE), ("default", None)]
CLAIM = {"method": "local_search", "space": made_run.DIVERSE}


def make(folder: Path, level: float, tasks: list[dict[str, Any]], **settings: Any) -> Path:
    """Writes a run whose claimed row has this score."""
    folder.mkdir(parents=True)
    samples = made_run.drawn({"tuned": 0.6, "default": 0.55, "local_search": level}, samples=60)
    suite = {"seeds": [0, 1, 2], "claim": CLAIM}
    settings |= {"rows": ROWS, "tasks": tasks, "suite": suite, "name": folder.name}
    return made_run.make(folder, samples, **settings)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Returns two runs that agree, and one of other data."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        "first": make(folder / "first", 0.8, TASKS),
        "second": make(folder / "second", 0.7, TASKS),
        "other": make(folder / "other", 0.75, TASKS[:1], prepared="cd"),
    }


@pytest.fixture(scope="module")
def site(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("of") / "site"
    write_site(out, list(runs.values()))
    return out


def files(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Page(HTMLParser):
    """Where a page leads, the names of its elements, its scripts, and the texts of its table cells by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        about = {name: value or "" for name, value in attributes}
        self.ids += [about["id"]] if "id" in about else []
        self.links += [about["href"]] if tag == "a" else []
        self.loaded += [tag] if tag in ("link", "iframe", "object") or "src" in about else []
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def page(site: Path, path: str) -> Page:
    return Page((site / path).read_text())


def rows_of(site: Path, path: str, *cells: str) -> list[list[str]]:
    """Returns the rows of tables of a page that begin with these cells."""
    return [row for row in page(site, path).rows if row[: len(cells)] == list(cells)]


def test_every_link_leads_to_a_file_of_the_site(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) == 1 + 2 * len(NAMES) + len(TASKS) + 2 + len(ROWS)
    found = set()
    for path in pages:
        shown = Page(path.read_text())
        assert shown.loaded == []
        assert len(shown.ids) == len(set(shown.ids))
        for link in shown.links:
            where, _, part = link.partition("#")
            target = (path.parent / where).resolve() if where else path
            assert target.is_file(), link
            assert target.is_relative_to(site)
            assert part in {"", *shown.ids}
            found.add(target.relative_to(site).as_posix())
    ours = {path.relative_to(site).as_posix() for path in pages} | {f"results/{name}.json" for name in NAMES}
    assert found == ours, "all that is there can be reached"


def test_a_page_holds_one_script_whose_hash_it_allows_and_asks_for_nothing(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text()
        assert text.count("<script") == 1
        assert "default-src 'none'" in text
        assert re.search(r"script-src 'sha256-[\w+/=]+'\"", text)


def test_numbers_are_those_of_the_boards(site: Path, runs: dict[str, Path]) -> None:
    board: Any = build_board(load_run(runs["first"]))
    for task in board.tasks:
        for row in task.rows:
            told = show_estimate(task.metric, row.held_out)
            for path in (f"methods/{row.method}.html", "runs/first.html", f"tasks/{task.task}.html"):
                assert told in [cell for cells in page(site, path).rows for cell in cells]


def test_runs_that_agree_stand_in_one_list_best_first_and_others_apart_with_the_reason(site: Path) -> None:
    text = (site / "tasks/digits.html").read_text()
    assert "other stands apart from first: " in text
    lists: list[list[str]] = [[]]
    for row in page(site, "tasks/digits.html").rows:
        if row[0] == "Run":
            lists.append([])
        elif row[0] in NAMES:
            lists[-1].append(row[0])
    assert sorted(lists[1]) == sorted(NAMES), "the runs of the page"
    assert set(lists[2]) == {"first", "second"}, "the list of those that agree"
    assert len(lists) == 3
    by_method = page(site, "methods/local_search.html")
    assert by_method.rows[0][0] == "Run"
    assert "other stands apart from first: " in (site / "methods/local_search.html").read_text()


@pytest.mark.parametrize(
    ("task", "order"),
    [
        ("digits", ["first local_search", "second local_search", "first tuned", "second tuned"]),
        ("prose", ["first default", "second default", "first tuned", "second tuned"]),
    ],
)
def test_a_list_has_the_best_score_first_which_of_bits_is_the_lowest(
    site: Path, task: str, order: list[str]
) -> None:
    told = [row for row in page(site, f"tasks/{task}.html").rows if row[0] in NAMES and len(row) == 7]
    assert [f"{run} {method}" for run, method, *_ in told][:4] == order


def test_the_same_runs_give_the_same_bytes_in_any_order_and_another_process(
    site: Path, runs: dict[str, Path], tmp_path: Path
) -> None:
    code = """
    import sys
    from pathlib import Path
    from harness.report.site.write import write_site
    write_site(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]])
    """
    done = python(code, tmp_path / "again", *list(runs.values())[::-1])
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "again") == files(site)
    write_site(tmp_path / "again", [])
    assert files(tmp_path / "again") == files(site), "made anew of what it holds"


def test_a_site_grows_by_a_run_folder_or_by_a_file_in_its_results(
    site: Path, runs: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "site"
    write_site(out, [runs["first"], runs["other"]])
    (out / "CNAME").write_text("a host")
    (out / ".git").mkdir()
    (out / ".git" / "HEAD").write_text("main")
    before = files(out)
    done = write_site(out, [runs["second"]])
    assert (done.added, done.replaced, done.runs) == (("second",), (), 3)
    grown = files(out)
    assert {"CNAME", ".git/HEAD"} <= grown.keys()
    assert {path: data for path, data in grown.items() if path not in ("CNAME", ".git/HEAD")} == files(site)
    assert grown["runs/first/report.html"] == before["runs/first/report.html"]
    shutil.rmtree(out / "runs")
    (out / "results" / "second.json").unlink()
    write_site(out, [])
    assert not (out / "runs" / "second.html").exists()
    assert not rows_of(out, "index.html", "second")
    assert rows_of(out, "index.html", "first")
    shutil.copy(site / "results" / "second.json", out / "results")
    write_site(out, [])
    lacking = {path for path in files(site) if path.endswith(("report.html", "report.md"))}
    assert files(out).keys() == {*files(site), "CNAME", ".git/HEAD"} - lacking
    assert "so its whole report is not here" in (out / "runs/second.html").read_text()
    assert files(out)["tasks/digits.html"] == files(site)["tasks/digits.html"]


def test_a_run_of_the_same_name_takes_the_place_of_the_one_before(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "site"
    write_site(out, [runs["first"]])
    again = make(tmp_path / "first", 0.9, TASKS)
    done = write_site(out, [again])
    assert (done.added, done.replaced, done.runs) == ((), ("first",), 1)
    with pytest.raises(HarnessError, match=r"would both be results/first\.json; give one of them another"):
        write_site(out, [runs["first"], again])


def test_the_board_that_a_run_prints_is_a_result_file_too(runs: dict[str, Path], tmp_path: Path) -> None:
    printed = tmp_path / "printed.json"
    printed.write_text(harness("leaderboard", runs["first"], "--format", "json").stdout)
    write_site(tmp_path / "site", [printed, runs["second"]])
    text = (tmp_path / "site/tasks/digits.html").read_text()
    assert "nobody can tell whether their protocols agree" in text
    assert rows_of(tmp_path / "site", "methods/local_search.html", "first")


def test_a_board_is_read_back_as_it_was(runs: dict[str, Path]) -> None:
    for folder in runs.values():
        run = load_run(folder)
        board = build_board(run)
        again = submission_of(submission_text(run, board), folder).board
        assert board_json(again) == board_json(board)
        for form in ("md", "csv"):
            assert render(again, form) == render(board, form)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("suite", ["toy_lookup", "toy_quality"])
def test_a_run_of_every_study_leaves_a_result_file_that_makes_a_site(suite: str, tmp_path: Path) -> None:
    done = harness("eval", suite, "--out", tmp_path / "run", "--workers", "1")
    assert done.returncode == 0, done.stderr
    run = load_run(tmp_path / "run")
    assert (tmp_path / "run/board.json").read_text() == submission_text(run, build_board(run))
    write_site(tmp_path / "whole", [tmp_path / "run"])
    write_site(tmp_path / "file", [tmp_path / "run/board.json"])
    whole, of_file = files(tmp_path / "whole"), files(tmp_path / "file")
    assert whole.keys() - of_file.keys() == {"runs/run/report.html", "runs/run/report.md"}
    assert [path for path, data in of_file.items() if data != whole[path]] == ["runs/run.html"]


@given(st.sets(st.text(max_size=90) | st.sampled_from(["a/b", "a-b", "A-B", "a:b", "..", "", "a--b", "CON"])))
def test_names_have_file_names_of_their_own_that_stay_in_their_folder(names: set[str]) -> None:
    found = [slug(name) for name in names]
    assert len({one.casefold() for one in found}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", one) and ".." not in one for one in found)
    assert all(map(is_stem, found))


def test_usual_names_are_their_own_file_names() -> None:
    assert [slug(name) for name in ("digits", "hybrid:micro-attention", "local_search")] == [
        "digits",
        "hybrid.micro-attention",
        "local_search",
    ]


def test_a_folder_that_is_no_site_is_refused_and_left_as_it_is(runs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    done = harness("leaderboard", runs["other"], "--format", "site", "--out", tmp_path / "mine")
    assert done.returncode == 2
    assert "holds something else than a site (it has no site.json); give --out another folder." in done.stderr
    (tmp_path / "file").write_text("mine")
    done = harness("leaderboard", runs["other"], "--format", "site", "--out", tmp_path / "file")
    assert "is no folder" in done.stderr
    assert files(tmp_path) == {"mine/thesis.tex": b"mine", "file": b"mine"}


def test_nothing_from_beyond_a_site_becomes_a_part_of_it(site: Path, tmp_path: Path) -> None:
    out = shutil.copytree(site, tmp_path / "site")
    (tmp_path / "secret").write_text("a key")
    (out / "runs/first/report.html").unlink()
    (out / "runs/first/report.html").symlink_to(tmp_path / "secret")
    (out / "runs/second/notes").symlink_to(tmp_path / "secret")
    shutil.rmtree(out / "tasks")
    (out / "tasks").symlink_to(tmp_path)
    write_site(out, [])
    assert [path for path in out.rglob("*") if path.is_symlink()] == []
    assert not [path for path, data in files(out).items() if b"a key" in data]
    assert files(out).keys() == files(site).keys() - {"runs/first/report.html", "runs/first/report.md"}
    assert (tmp_path / "secret").read_text() == "a key"


def test_a_site_stays_as_it_is_where_making_it_fails(
    site: Path, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shutil.copytree(site, tmp_path / "site")

    def full(*arguments: object, **options: object) -> Path:
        raise HarnessError("the disk is full")

    monkeypatch.setattr(write, "write_report", full)
    with pytest.raises(HarnessError, match="the disk is full"):
        write_site(out, [runs["first"]])
    assert files(tmp_path) == {f"site/{path}": data for path, data in files(site).items()}
    with pytest.raises(HarnessError, match="the disk is full"):
        write_site(tmp_path / "new", [runs["first"]])
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_study_that_does_not_say_what_its_boards_are_has_no_page(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(TrainedStudy.parts, "values")
    with pytest.raises(HarnessError, match="its study does not say what its boards are"):
        write_site(tmp_path / "site", [runs["other"]])
    assert list(tmp_path.iterdir()) == []


Change = Callable[[dict[str, Any]], Any]


def planted(key: str, value: Any) -> Change:
    return lambda board: board["tasks"][0]["rows"][0].update({key: value})


WRONG: dict[str, tuple[Change, str]] = {
    "another schema": (lambda board: board.update(schema=1), "has schema 1, and this version reads 2"),
    "no study": (lambda board: board.pop("study"), "names no study"),
    "an unknown study": (lambda board: board.update(study="coins"), "There is no study named 'coins'"),
    "a text for a number": (planted("rank", "first"), "tasks.0.rows.0.rank: Input should be"),
    "no number": (planted("held_out", [float("nan")] * 3), "is no JSON of a board"),
    "a number that no axis reaches": (planted("held_out", [1e300, 0, 1e301]), "a score that no axis reaches"),
    "an unknown metric": (lambda board: board["tasks"][0].update(metric="luck"), "no metric named 'luck'"),
    "scores of a domain that it has not": (
        lambda board: board["tasks"][0]["held_out"].pop(),
        "holds a board that cannot be shown (ValueError: the table",
    ),
    "an architecture that cannot be drawn": (
        lambda board: board["run"]["found"][0].update(architecture={"kind": ["a"], "width": [None]}),
        "holds a board that cannot be shown (TypeError: ",
    ),
    "a sealed file that was changed": (lambda board: board.update(checksum="0" * 64), "is damaged"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_result_file_that_is_wrong_ends_in_one_sentence(wrong: str, site: Path, tmp_path: Path) -> None:
    change, reason = WRONG[wrong]
    board = read_sealed(site / "results/first.json", "")
    change(board)
    (tmp_path / "wrong.json").write_text(json.dumps(board))
    out = tmp_path / "site"
    done = harness("leaderboard", tmp_path / "wrong.json", "--format", "site", "--out", out)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert reason in done.stderr
    assert str(tmp_path / "wrong.json") in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.json"]


def test_what_is_asked_for_wrongly_ends_in_one_sentence(runs: dict[str, Path], tmp_path: Path) -> None:
    run, out = runs["other"], tmp_path / "site"
    asked = {
        "writes a folder; name it with --out": [run, "--format", "site"],
        "--out is for --format site, tree, every-eval-ever, hub; md is printed": [
            run,
            "--format",
            "md",
            "--out",
            out,
        ],
        "no format named 'pages'": [run, "--format", "pages"],
        "There is no run to print": ["--format", "md"],
        f"There is no run in {out / 'results'}": ["--format", "site", "--out", out],
        f"There is no run in {tmp_path} (no plan.json)": [tmp_path, "--format", "site", "--out", out],
    }
    for reason, words in asked.items():
        done = harness("leaderboard", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert reason in done.stderr
    assert list(tmp_path.iterdir()) == []
    made = harness("leaderboard", run, "--format", "site", "--out", out)
    assert made.stdout.splitlines() == ["new: results/other.json", f"Site of 1 run: {out / 'index.html'}"]
    (out / "results" / "Not A Stem.json").write_text("{}")
    done = harness("leaderboard", "--format", "site", "--out", out)
    assert "cannot name a page; call it by small letters and digits" in done.stderr


def test_trees_of_rows_join_a_site_stay_in_it_and_stand_in_its_index(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    mine, other, out = tmp_path / "mine", tmp_path / "other", tmp_path / "site"
    for tree, run in ((mine, "first"), (other, "other")):
        assert harness("leaderboard", runs[run], "--format", "tree", "--out", tree).returncode == 0
    assert harness("leaderboard", mine, "--format", "site", "--out", out).returncode == 0
    told = harness("leaderboard", other, runs["second"], "--format", "site", "--out", out)
    assert (told.returncode, told.stderr) == (0, "")
    assert files(out / "rows") == files(mine) | files(other)
    index = (out / "index.html").read_text()
    for tree in (mine, other):
        for table in tree_tables(read_tree(tree)):
            assert table.caption in index
            assert all(row[1] in index for row in table.rows)
    kept = files(out)
    assert harness("leaderboard", "--format", "site", "--out", out).returncode == 0
    assert files(out) == kept

    name, text = next(iter(files(mine).items()))
    (out / "rows" / name).write_bytes(text.replace(b"0.", b"9.", 1))
    ended = harness("leaderboard", "--format", "site", "--out", out)
    assert ended.returncode == 2
    assert name in ended.stderr
    assert (out / "index.html").read_text() == index
