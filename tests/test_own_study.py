"""A study of one's own, one folder. Truth: the draws of its coins, made again here."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import COMMAND, harness

from harness.files import sealed

STUDY = '''\
"""How often coins land heads."""

import random
import time
from dataclasses import dataclass, field
from typing import ClassVar

from harness import Done, HarnessError, Limits, Plan, Schema, Spec, Study, Table, UnitKind, planned
from harness.board.comparison import Compared, ComparedPart, RowComparison
from harness.board.scale import Scale
from harness.board.values import Difference
from harness.stats.effect import seed_effect

PERCENT = Scale(unit="percent", higher_is_better=True)


@dataclass(frozen=True, kw_only=True)
class Coins:
    title: str
    study: str
    coins: dict[str, float]
    throws: int
    seeds: list[int]
    seconds: float = 0.0
    limits: Limits = field(default_factory=Limits)
    extends: str = ""


@dataclass(frozen=True, kw_only=True)
class FlipSpec(Spec):
    coin: str
    bias: float
    throws: int
    seed: int
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Flips(Schema):
    heads: float


def flip(unit, needs, folder):
    time.sleep(unit.spec.seconds)
    draw = random.Random(unit.spec.seed)
    thrown = [draw.random() < unit.spec.bias for _ in range(unit.spec.throws)]
    (folder / "throws.txt").write_text("".join("ht"[not one] for one in thrown))
    return Done(result=Flips(heads=sum(thrown) / len(thrown)))


FLIP = UnitKind(
    name="flip", spec=FlipSpec, result=Flips, work="harness.catalog.studies.coins.study:flip", seconds=0.1
)


@dataclass(frozen=True, kw_only=True)
class CoinBoard:
    study: ClassVar[str] = "coins"
    name: str
    title: str
    limit: int | None
    heads: dict[str, list[float]]


class CoinStudy(Study):
    summary = "throws coins"
    settings = Coins
    planned = Coins
    kinds = (FLIP,)
    rows = (FLIP,)
    parts = {"values": "harness.catalog.studies.coins.study:CoinBoard"}

    def check(self, settings, need):
        need(settings.throws >= 1, "throws must be at least 1")

    def plan(self, name, settings, *, limit, tables):
        throws = min(settings.throws, limit or settings.throws)
        units = [
            planned(FLIP, FlipSpec(coin=coin, bias=bias, throws=throws, seed=seed, seconds=settings.seconds))
            for coin, bias in settings.coins.items()
            for seed in settings.seeds
        ]
        table = {key: getattr(settings, key) for key in ("title", "study", "coins", "throws", "seeds")}
        return Plan(name=name, suite=settings, table=table, limit=limit, units=tuple(units))

    def board(self, run):
        heads = {}
        for unit in run.planned(FLIP):
            result = run.result(unit)
            heads.setdefault(unit.spec.coin, []).extend([result.heads] if result else [])
        return CoinBoard(name=run.name, title=run.title, limit=run.limit, heads=heads)

    def verdict(self, board):
        best = max(board.heads, key=lambda coin: sum(board.heads[coin]))
        return f"{best} lands heads most often."

    def tables(self, board):
        rows = tuple((coin, f"{sum(found) / len(found):.3f}") for coin, found in board.heads.items() if found)
        return [Table(caption="Shares of heads", columns=("Coin", "Heads"), rows=rows)]

    def lines(self, board):
        return [{"coin": coin, "seeds": len(found)} for coin, found in board.heads.items()]

    def compare(self, run, first, second, metric):
        heads = self.board(run).heads
        for name in (first, second):
            if name not in heads:
                raise HarnessError(f"There is no coin {name}; there are {', '.join(heads)}.")
        found = Difference.of(seed_effect(heads[first], heads[second]))
        one = Compared(where="mean", scale=PERCENT, first=1, second=0, difference=found)
        text = f"{first} less {second} is {100 * found.value:.1f} points."
        part = ComparedPart(heading="coins", what="heads in %", overall=one, domains=(), sentence=text)
        return RowComparison(name=run.name, first=first, second=second, sentence=text, parts=(part,))


STUDY = CoinStudy()
'''
SUITE = """\
title = "Two coins"
study = "coins"
throws = 40
seeds = [0, 1, 2]
seconds = {}
[coins]
fair = 0.5
loaded = 0.8
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a catalog folder that holds the study in one folder, and a suite."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "catalog" / "studies" / "coins").mkdir(parents=True)
    (folder / "catalog" / "studies" / "coins" / "study.py").write_text(STUDY)
    (folder / "catalog" / "leaderboards").mkdir()
    (folder / "catalog" / "leaderboards" / "two_coins.toml").write_text(SUITE.format("0.0"))
    return folder


@pytest.fixture
def mine(written: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CATALOG", str(written / "catalog"))
    return written


def evaluated(mine: Path) -> Path:
    """Returns the run of the suite, made where it is not there."""
    done = harness("eval", "two_coins", "--out", mine / "run", "--workers", "1")
    assert done.returncode == 0, done.stderr
    return mine / "run"


def heads(bias: float, seed: int) -> float:
    draw = random.Random(seed)
    return sum(draw.random() < bias for _ in range(40)) / 40


def results(run: Path) -> dict[str, bytes]:
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in [*run.glob("units/*/record.json"), *run.glob("units/*/throws.txt"), run / "board.json"]
    }


@pytest.mark.slow
@pytest.mark.ci
def test_a_study_in_one_folder_is_listed_checked_run_told_and_compared(mine: Path) -> None:
    assert f"coins: How often coins land heads. ({mine}" in harness("list", "studies").stdout
    schema = json.loads(harness("schema", "--study", "coins").stdout)
    assert schema["properties"]["coins"] == {"type": "object", "additionalProperties": {"type": "number"}}
    assert schema["anyOf"][1]["required"] == ["title", "study", "coins", "throws", "seeds"]
    checked = harness("check", "study", "coins")
    assert checked.returncode == 0, checked.stdout
    run = str(evaluated(mine))
    board = json.loads((mine / "run" / "board.json").read_text())
    assert board["verdict"] == "loaded lands heads most often."
    assert board["heads"] == {
        coin: [heads(bias, seed) for seed in range(3)] for coin, bias in (("fair", 0.5), ("loaded", 0.8))
    }
    assert "Shares of heads" in harness("leaderboard", run).stdout
    assert harness("leaderboard", run, "--format", "site", "--out", mine / "site").returncode == 0
    page = (mine / "site" / "runs" / "run.html").read_text()
    assert all(text in page for text in ("loaded lands heads most often.", "Shares of heads", "throws coins"))
    assert harness("leaderboard", run, "--format", "csv").stdout.splitlines() == [
        "coin,seeds",
        "fair,3",
        "loaded,3",
    ]
    assert "loaded lands heads most often." in (mine / "run" / "report.md").read_text()
    told = harness("compare", run, "loaded", "fair")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("loaded less fair is ")
    again = harness("eval", "two_coins", "--out", run)
    assert "was already finished" in again.stderr


@pytest.mark.slow
@pytest.mark.ci
def test_a_study_of_ones_own_that_was_killed_ends_in_the_bytes_of_a_fresh_run(mine: Path) -> None:
    suite = mine / "slow.toml"
    suite.write_text(SUITE.format("0.2"))
    assert harness("eval", str(suite), "--out", str(mine / "whole"), "--workers", "1").returncode == 0
    words = [*COMMAND, "eval", str(suite), "--out", str(mine / "killed"), "--workers", "1"]
    process = subprocess.Popen(words, env=os.environ, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    for _ in range(600):
        if list((mine / "killed").glob("units/*/record.json")):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 1 <= len(list((mine / "killed").glob("units/*/record.json"))) < 6
    assert harness(*words[3:]).returncode == 0
    assert results(mine / "killed") == results(mine / "whole")


@pytest.mark.slow
@pytest.mark.ci
def test_what_is_wrong_with_it_is_one_sentence(mine: Path) -> None:
    suite = mine / "wrong.toml"
    for text, message in (
        (SUITE.format("0.0").replace("throws = 40", "throws = 0"), "throws must be at least 1"),
        (SUITE.format("0.0").replace('study = "coins"', 'study = "coin"'), "did you mean coins"),
        (SUITE.format("0.0").replace('study = "coins"\n', ""), "lacks the key 'study'"),
        (SUITE.format("0.0").replace("throws", "thrown"), "has no key 'thrown'; did you mean throws"),
    ):
        suite.write_text(text)
        done = harness("eval", str(suite), "--out", str(mine / "wrong"))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert message in done.stderr
    run = str(mine / "run")
    evaluated(mine)
    assert "There is no coin edge" in harness("compare", run, "edge", "fair").stderr
    assert "no other metric" in harness("rescore", run, "--metric", "accuracy").stderr


@pytest.mark.slow
@pytest.mark.ci
def test_a_plan_of_an_earlier_version_and_a_study_that_is_gone_are_refused_by_name(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = evaluated(mine)
    plan = json.loads((run / "plan.json").read_text())
    del plan["checksum"], plan["suite"]["study"]
    (mine / "old").mkdir()
    (mine / "old" / "plan.json").write_text(sealed(plan))
    for verb in ("leaderboard", "report", "reproduce"):
        done = harness(verb, str(mine / "old"))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "names no study, as an earlier version wrote it" in done.stderr
    monkeypatch.setenv("HARNESS_CATALOG", "")
    assert "There is no study named 'coins'" in harness("leaderboard", str(run)).stderr
