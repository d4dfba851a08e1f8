"""A ranking of any study as a site shows it: rows, scores and texts, and nothing that one study alone has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.board.table import Table
from harness.board.values import Estimate, Outcome
from harness.identity.schema import Schema


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow:
    """One row of a leaderboard.

    Attributes:
        method: its name; one page tells of a method.
        shown: the name as it is printed, with its marks.
        space: that it searched; None for none.
        series: its name in figures.
        place: the rank as it is printed, with the ranks that the tests allow.
        rank: None where it has none.
        score: with its 95 % interval, in the metric's own unit; None where one lacks.
        score_text: as it is printed, or the sign of what happened.
        difference: to the reference; None for that row itself, and where there is none.
        difference_text: as it is printed.
        seeds: of it.
        is_control: whether it is there to judge the others, and is no method.
        is_apart: whether an axis may end before it, as it is a floor.
    """

    method: str
    shown: str
    space: str | None = None
    series: str
    place: str
    rank: int | None = None
    score: Estimate | None = None
    score_text: str
    difference: Estimate | None = None
    difference_text: str
    seeds: int
    is_control: bool = False
    is_apart: bool = False


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """Rows that one run ranks together.

    Attributes:
        subject: what they are ranked on, a task or a table; one page tells of it.
        title: the subject, and what of it.
        score: quantity and unit of the scores.
        unit: of differences.
        factor: what a score is multiplied by where it is printed.
        better: which direction is better.
        reference: row that differences refer to; empty without one.
        claim: what the claim is here, a sentence; empty without one.
        outcome: what is decided of the claim; None without one.
        gain: the claim's difference as it is printed; empty where there is none.
        rows: in their order.
        table: of the rows, one line each and in their order; lines of others may follow.
        more: tables beside it.
    """

    subject: str
    title: str
    score: str
    unit: str
    factor: float
    better: Literal["higher", "lower"]
    reference: str
    claim: str
    outcome: Outcome | None
    gain: str
    rows: tuple[LeaderboardRow, ...]
    table: Table
    more: tuple[Table, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FoundNetwork(Schema):
    """An architecture that a row trained.

    Attributes:
        task: that it was trained on.
        method: of the row.
        space: that it is of.
        seed: of the search.
        parameters: of the network.
        architecture: its JSON form.
    """

    task: str
    method: str
    space: str
    seed: int
    parameters: int
    architecture: Mapping[str, Any]

    @property
    def row(self) -> tuple[str, str | None]:
        """Method and space."""
        return self.method, self.space
