"""The result of each row of a run on each task, as files for others hold it: alone, without any other row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from harness.board.leaderboard import FoundNetwork, Leaderboard, LeaderboardRow
from harness.board.values import Estimate, row_name
from harness.errors import HarnessError
from harness.files import content_hash
from harness.identity.schema import Schema
from harness.results.frames import RunResults, keys_of
from harness.study.merge import Terms, terms_of
from harness.study.study import load_study

APART: Final = frozenset({"rank", "method", "space", "task", "what"})
"""Columns of a board's lines that depend on other rows, or that a whole result shares."""


@dataclass(frozen=True, kw_only=True)
class MeanScore(Schema):
    """The score of a row that a leaderboard ranks.

    Attributes:
        board: the leaderboard.
        score: with its 95 % interval, in the metric's own unit.
        seeds: of the row.
    """

    board: str
    score: Estimate
    seeds: int


@dataclass(frozen=True, kw_only=True)
class RowResult(Schema):
    """What a row scores on a task, or on a table.

    Attributes:
        study: catalog name.
        suite: name of it.
        limit: largest number of samples of each split; None for all.
        task: or table.
        method: of the row.
        space: that it searched; None for none.
        measured: quantity and unit of the scores, as they are printed.
        factor: what a score is multiplied by where it is printed.
        better: which direction is better.
        means: one for each leaderboard.
        domains: a line for each domain: how the network was selected or what a search saw, the value with its
            95 % interval, and how many samples, groups or seeds are behind it.
        architectures: that it found, of its first seeds.
        protocol: 16 hexadecimal digits over all that must agree before rows stand in one ranking.
        code: 16 hexadecimal digits over all code and files that its units ran and read.
        results: 16 hexadecimal digits over what its units computed.
    """

    study: str
    suite: str
    limit: int | None
    task: str
    method: str
    space: str | None
    measured: str
    factor: float
    better: Literal["higher", "lower"]
    means: tuple[MeanScore, ...]
    domains: tuple[Mapping[str, Any], ...]
    architectures: tuple[FoundNetwork, ...] = ()
    protocol: str
    code: str
    results: str

    @property
    def name(self) -> str:
        """The row, as people read it."""
        return row_name(self.method, self.space)


def row_results(results: RunResults) -> list[RowResult]:
    """Returns the result of each row on each task, without rows that have no score.

    Raises:
        HarnessError: the run has no rows.
    """
    run, study = results.run, load_study(results.run.study)
    every: dict[tuple[str, str, str | None], list[tuple[Leaderboard, LeaderboardRow]]] = {}
    for board in study.leaderboards(results.board):
        for row in board.rows:
            if row.score is not None and not row.is_control:
                every.setdefault((board.subject, row.method, row.space), []).append((board, row))
    if "leaderboards" not in study.parts:
        raise HarnessError(f"{run.name} is of a study without rows: it {study.summary}.")
    if not every:
        raise HarnessError(f"{run.name} in {run.folder} has no row with a score; run its suite to its end.")
    lines, found, protocol = study.lines(results.board), study.found(run), _digest(terms_of(run))
    return [
        RowResult(
            study=run.study,
            suite=run.name,
            limit=run.limit,
            task=task,
            method=method,
            space=space,
            measured=placed[0][0].score,
            factor=placed[0][0].factor,
            better=placed[0][0].better,
            means=tuple(
                MeanScore(board=board.title, score=row.score, seeds=row.seeds)
                for board, row in placed
                if row.score is not None
            ),
            domains=tuple(_domains(lines, task, method, space)),
            architectures=tuple(one for one in found if (one.task, *one.row) == (task, method, space)),
            protocol=protocol,
            **_hashes(results, task, method, space),
        )
        for (task, method, space), placed in every.items()
    ]


def _digest(terms: Terms) -> str:
    return content_hash([terms.study, dict(terms.protocol), dict(terms.code)])


def _domains(
    lines: list[dict[str, Any]], task: str, method: str, space: str | None
) -> Iterator[dict[str, Any]]:
    """Yields a board's lines of a row's domains; those of a board of one table name no task."""
    for line in lines:
        row = line.get("task", task), line.get("method"), line.get("space", space)
        if line.get("domain") and row == (task, method, space) and "state" in line:
            yield {key: one for key, one in line.items() if key not in APART and one is not None}


def _hashes(results: RunResults, task: str, method: str, space: str | None) -> dict[str, str]:
    """Returns hashes over the units of a row; where no unit is of one row alone, over those of all."""
    run = results.run
    kinds = {kind.name for kind in load_study(run.study).rows}
    units = [(unit, run.records[unit.hash]) for unit in run.units if unit.hash in run.records]
    done = [(unit, record) for unit, record in units if record.status == "ok"]
    mine = [
        (unit, record)
        for unit, record in done
        if unit.kind.name in kinds and _is_of(keys_of(unit), task, method, space)
    ] or done
    return {
        "code": content_hash({unit.hash: dict(record.code) for unit, record in mine}),
        "results": content_hash({unit.hash: record.result_hash for unit, record in mine}),
    }


def _is_of(keys: Mapping[str, Any], task: str, method: str, space: str | None) -> bool:
    """Returns whether a unit is of a row; that of a table names no space."""
    return (keys["task"], keys["method"]) == (task, method) and keys["space"] in (space, None)
