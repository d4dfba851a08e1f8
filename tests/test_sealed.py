"""Sealed domains. Truth: what a suite may read, and a count of the runs that this test starts."""

import json
from pathlib import Path

import pytest
from command import harness

from harness.cli.cards import describe
from harness.data.sealed import open_sealed, openings, ordinal
from harness.errors import HarnessError
from harness.run.loaded import load_run
from harness.study.study import make_plan
from harness.study.suite import load_suite

LETTERS = """\
kind = "bytes"
summary = "Letters of three people."
sources = ["ann"]
held_out = ["ben", "cid"]
context = 8

[data]
folder = "letters/{domain}"
stratum = "near"

[domains.cid]
sealed = true
family = "strangers"
"""
SUITE = """\
title = "Letters"
study = "trained"
seeds = [0, 1]
baselines = ["default", "floor"]
tuned_space = "hybrid:micro-attention"
reference = "floor"
again = false
OPENS
[claim]
method = "default"
[[tasks]]
name = "letters"
DOMAINS
validation_samples = 4
test_samples = 10
[tasks.training]
steps = 1
batch_size = 2
"""
OPENED = 'opens = ["letters/cid"]'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a folder with a catalog of one task, one of whose domains is sealed, and a data folder."""
    tasks = tmp_path / "mine" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "letters.toml").write_text(LETTERS)
    for who in ("ann", "ben", "cid"):
        folder = tasks / "letters" / who
        folder.mkdir(parents=True)
        for number in range(12):
            (folder / f"{number}.txt").write_text(f"{who} writes the letter {number} " * 2)
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path / "mine"))
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
    return tmp_path


def suite(home: Path, domains: str = "", opens: str = "", study: str = "") -> Path:
    path = home / f"letters_{len([*home.glob('*.toml')])}.toml"
    path.write_text(SUITE.replace("OPENS", opens).replace("DOMAINS", domains))
    return path


def plan(path: Path) -> object:
    return make_plan(*load_suite(str(path)))


@pytest.mark.parametrize(
    ("domains", "opens", "told"),
    [
        ('held_out = ["cid"]', "", r'letters/cid is sealed, .* only with opens = \["letters/cid"\]'),
        ('sources = ["cid"]\nheld_out = ["ben"]', "", "letters/cid is sealed"),
        ('held_out = ["cid+typos-2"]', "", "letters/cid is sealed"),
        (
            'held_out = ["ben"]',
            OPENED,
            "opens names 'letters/cid', which is no sealed domain that this suite",
        ),
        ('held_out = ["ben"]', 'opens = ["letters/ben"]', "opens names 'letters/ben', which is no sealed"),
    ],
)
def test_what_is_sealed_is_read_where_a_suite_opens_it_alone(
    home: Path, domains: str, opens: str, told: str
) -> None:
    with pytest.raises(HarnessError, match=told):
        plan(suite(home, domains, opens))


@pytest.mark.parametrize("domains", ["", 'held_out = "each"'])
def test_defaults_and_each_leave_it_out_and_say_so(home: Path, domains: str) -> None:
    (task,) = plan(suite(home, domains)).table["tasks"]
    assert "cid" not in {*task["sources"], *task["held_out"]}
    assert task["left_out"] == ["cid"]
    (opened,) = plan(suite(home, domains, OPENED)).table["tasks"]
    assert "cid" in opened["held_out"]
    assert opened["left_out"] == []


@pytest.mark.slow
@pytest.mark.ci
def test_each_run_that_opens_it_counts_once(home: Path) -> None:
    opening = suite(home, 'held_out = ["ben", "cid"]', OPENED)
    for out, times in (("first", 1), ("first", 1), ("second", 2)):
        done = harness("eval", opening, "--out", home / out)
        assert done.returncode == 0, done.stderr
        assert len(openings("letters", "cid", home / "data")) == times
    (unit,) = (unit for unit in load_run(home / "second").units if unit.kind.name == "open")
    entry = openings("letters", "cid", home / "data")[-1]
    assert entry == {"plan": unit.spec.plan, "code": unit.spec.suite_code}
    assert load_run(home / "second").records[unit.hash].about == {"opening": 2}
    told = f"letters/cid is sealed, and was opened for the 2nd time, by plan {entry['plan']} with code"
    assert told in (home / "second" / "report.md").read_text()
    boards = [(home / out / "board.json").read_bytes() for out in ("first", "second")]
    assert boards[0] == boards[1], "how often it was opened is no result"
    scores = [unit for unit in load_run(home / "first").units if unit.kind.name == "score"]
    run = load_run(home / "first")
    opened = {
        one.spec.domain for one in scores if any(run._by_hash[n].kind.name == "open" for n in one.needs)
    }
    assert opened == {"cid"}
    assert harness("reproduce", home / "first").returncode == 0
    assert len(openings("letters", "cid", home / "data")) == 2, "to check a run is no opening"
    again = harness("rescore", home / "first", "--metric", "bits_per_byte")
    assert again.returncode == 2
    assert "opened letters/cid" in again.stderr


def test_a_plan_that_changed_opens_it_anew(home: Path) -> None:
    def key(more: str) -> str:
        path = suite(home, f'held_out = ["cid"]\n{more}', OPENED)
        return next(one.spec.plan for one in plan(path).units if one.kind.name == "open")

    assert key("") == key("")
    assert key("") != key("test_bytes = 500")


def test_cards_lists_and_exports_say_what_is_sealed(home: Path) -> None:
    assert harness("data", "prepare", "letters").returncode == 0
    open_sealed("letters", "cid", home / "data", plan="p", code="c")
    cards = {one["domain"]: one for one in describe("task", "letters", home / "data")["domains"]}
    assert cards["cid"]["sealed"] == "opened 1 times so far"
    assert "sealed" not in cards["ben"]
    assert (cards["cid"]["family"], cards["ben"]["family"], cards["ben"]["stratum"]) == (
        "strangers",
        "ben",
        "near",
    )
    assert sum(cards["ben"]["groups_in_splits"].values()) == 12
    assert "letters/cid: prepared, sealed" in harness("data", "list").stdout
    rows = json.loads(harness("data", "list", "--json").stdout)
    assert [row["domain"] for row in rows if row["sealed"] and row["task"] == "letters"] == ["cid"]
    out = harness("export-task", "letters", "--out", home / "exported")
    assert "wait letters/cid: sealed" in out.stdout
    assert sorted(file.stem for file in (home / "exported").glob("*.jsonl")) == [
        "crossdomain__letters__ann",
        "crossdomain__letters__ben",
    ]
    told = harness("check", "task", "letters").stdout
    assert "ben: a unigram model beats chance. " in told
    assert "cid: a unigram model beats chance. sealed, so nothing is told" in told


def test_a_journal_that_was_changed_counts_nothing(tmp_path: Path) -> None:
    for number in (1, 2):
        assert open_sealed("t", "d", tmp_path, plan="p", code="c") == number
    (file,) = (tmp_path / "openings").glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b'"p"', b'"q"', 1))
    with pytest.raises(
        HarnessError, match="was changed or cut short, so nobody knows how often t/d was opened"
    ):
        open_sealed("t", "d", tmp_path, plan="p", code="c")


def test_ordinals() -> None:
    assert [ordinal(one) for one in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]
    )
