"""Units of a study on a table: the table itself, and blocks of searches."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.identity.schema import Schema
from harness.identity.unit import Read, Spec, UnitKind
from harness.stats.sums import Array
from harness.stats.transfer import Chosen, Transfer
from harness.study.work.units import ENDPOINT, PROXIES, SearchingSpec, table_reads


@dataclass(frozen=True, kw_only=True)
class CostCut(Schema):
    """A limit that keeps costly architectures from being chosen: a share of all, or `at_most` where not 0.

    `sha256` is that of the file of costs; empty where they stand in the table.
    """

    cost: str
    share: float
    at_most: float
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class TableSpec(Spec):
    """A table of published results.

    Attributes:
        table: catalog name.
        sha256: of its file.
        domains: columns that are read.
        budgets: evaluations at which random search is told.
        held_out: domains that are reported and not searched on.
        cost_limit: see `CostCut`; None for none.
    """

    table: str
    sha256: str
    domains: tuple[str, ...]
    budgets: tuple[int, ...]
    held_out: tuple[str, ...] = ()
    cost_limit: CostCut | None = None

    def reads(self) -> Iterator[Read]:
        yield from table_reads(self.table)


@dataclass(frozen=True, kw_only=True)
class Best(Schema):
    """The best score of a domain, by split."""

    validation: float
    test: float


@dataclass(frozen=True, kw_only=True)
class CostFound(Schema):
    """What a limited cost is on a domain.

    Attributes:
        cost: its name.
        unit: of the cost.
        value: largest that may be chosen.
        within: share of the architectures that keep to it.
        front: (cost, score) of the architectures that no other one dominates.
        most: largest cost of the domain.
    """

    cost: str
    unit: str
    value: float
    within: float
    front: tuple[tuple[float, float], ...]
    most: float


@dataclass(frozen=True, kw_only=True)
class SourceChoices(Schema):
    """What a held-out domain makes of the choice by all sources together, and by each of them."""

    all: Chosen
    sources: Mapping[str, Chosen]


@dataclass(frozen=True, kw_only=True)
class TableDomain(Schema):
    """What is exact of a domain, of the architectures within the limit alone where there is one.

    Attributes:
        best: score.
        mean: test score.
        sd: standard deviation of the test scores.
        unit: percent, share or raw.
        higher_is_better: of the table's own scores; these here are negated where it is not so.
        random: feedback -> evaluations -> test score that random search is expected to find.
        exact: whether every architecture was read.
        sampled: architectures that were drawn where it was not so.
        limit: of the cost.
        held_out: feedback -> what it makes of choices on other domains.
    """

    best: Best
    mean: float
    sd: float
    unit: str
    higher_is_better: bool
    random: Mapping[str, Mapping[str, float]]
    exact: bool = True
    sampled: int = 0
    limit: CostFound | None = None
    held_out: Mapping[str, SourceChoices] | None = None

    @property
    def span(self) -> float:
        """From the mean to the best test score."""
        return self.best.test - self.mean

    def regret(self, tests: Array) -> Array:
        """Returns the normalised regret of test scores, of their shape."""
        return (self.best.test - tests) / self.span


@dataclass(frozen=True, kw_only=True)
class TransferFound(Schema):
    """How choices on one domain serve another: source -> target -> measures, overlap of the `top` best."""

    top: int
    matrix: Mapping[str, Mapping[str, Transfer]]


@dataclass(frozen=True, kw_only=True)
class TableFound(Schema):
    """What a table holds.

    Attributes:
        sha256: of its file.
        origin: where it was published.
        licence: of the table.
        domains: name -> what is exact of it.
        notes: domain -> what a reader must know.
        rows: architectures; None where scores are computed.
        left_out: rows that lack a score.
        averaged: rows that are means over repetitions.
        transfer: between domains; None where scores are computed.
        sampled: architectures that were drawn where scores are computed.
    """

    sha256: str
    origin: str
    licence: str
    domains: Mapping[str, TableDomain]
    notes: Mapping[str, str]
    rows: int | None = None
    left_out: int = 0
    averaged: int = 0
    transfer: TransferFound | None = None
    sampled: int | None = None


@dataclass(frozen=True, kw_only=True)
class LookupSpec(SearchingSpec):
    """A block of searches of one searcher on one domain.

    Attributes:
        table: catalog name.
        method: name of the row.
        domain: that is searched on, or held out of the search.
        feedback: `validation` or `test`: which score the search sees.
        seeds: of the searches.
        sources: domains that a search for a held-out one sees.
        cost_limit: see `CostCut`.
    """

    table: str
    method: str
    domain: str
    feedback: str
    seeds: tuple[int, ...]
    sources: tuple[str, ...] | None = None
    cost_limit: CostCut | None = None

    def reads(self) -> Iterator[Read]:
        yield from table_reads(self.table)
        yield from super().reads()

    @property
    def words(self) -> list[str]:
        return [*super().words, f"seeds {self.seeds[0]} to {self.seeds[-1]}"]


Incumbent = tuple[int, int | None, float, float]
"""Evaluations so far, row of the table, the score that chose it, and the test score."""


@dataclass(frozen=True, kw_only=True)
class TableSearch(Schema):
    """One search.

    Attributes:
        seed: of the search.
        evaluations: spent.
        over_limit: architectures that cost too much.
        stopped: why it ended.
        incumbents: every architecture that was the best so far; its test score is the mean of all that tie.
        ties: architectures that share the best score at the end.
        found: the last incumbent's JSON form, where scores are computed.
        evaluated: rows, or architectures; with the four below where a cost is limited.
        costs: of what was evaluated.
        seen: scores that the search saw.
        tests: test scores.
        report: of the searcher, where it asked a language model.
    """

    seed: int
    evaluations: int
    over_limit: int
    stopped: str
    incumbents: tuple[Incumbent, ...]
    ties: int = 1
    found: Mapping[str, Any] | None = None
    evaluated: tuple[Any, ...] | None = None
    costs: tuple[float | None, ...] | None = None
    seen: tuple[float | None, ...] | None = None
    tests: tuple[float | None, ...] | None = None
    report: Mapping[str, Any] | None = None

    def test_at(self, budget: int) -> float | None:
        """Returns the test score of what had been chosen after `budget` evaluations; None for nothing."""
        reached = [test for at, _, _, test in self.incumbents if at <= budget]
        return reached[-1] if reached else None


@dataclass(frozen=True, kw_only=True)
class Searches(Schema):
    """The searches of a block, and the searchers' counters summed."""

    searches: tuple[TableSearch, ...]
    counters: Mapping[str, int]


TABLE = UnitKind(
    name="table",
    spec=TableSpec,
    result=TableFound,
    work="harness.study.lookup.search:table",
    seconds=1.0,
)
LOOKUP = UnitKind(
    name="lookup",
    spec=LookupSpec,
    result=Searches,
    work="harness.study.lookup.search:lookup",
    seconds=5.0,
)
KINDS = (TABLE, ENDPOINT, PROXIES, LOOKUP)
