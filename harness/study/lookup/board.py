"""The board of a suite on a table: searchers by regret, at every budget and feedback."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import floor, log10
from typing import ClassVar

import numpy as np

from harness.board.language_model import language_model_use
from harness.board.marks import CURRENT, Marked, Marks, mark_notes, marks_of
from harness.board.scale import Scale
from harness.board.series import Part, Series, family_of
from harness.board.values import Difference, Estimate, LanguageModelUse, State
from harness.identity.unit import Unit
from harness.run.loaded import Run
from harness.search.report import SearchReport
from harness.stats.effect import seed_effect
from harness.stats.intervals import t_interval
from harness.stats.ranks import placements
from harness.stats.sums import Array
from harness.study.lookup.notes import alike_notes, table_notes, tie_notes
from harness.study.lookup.settings import LookupSuite, PublishedSearch
from harness.study.lookup.units import LOOKUP, TABLE, LookupSpec, Searches, TableDomain, TableFound


@dataclass(frozen=True, kw_only=True)
class LookupCell:
    """One searcher on one domain at one budget.

    Attributes:
        domain: its name.
        state: ok, or why there is no value.
        reason: one sentence when the state is not ok.
        test: test score of the architecture that the feedback chose, mean over seeds, a share or raw.
        gap: how much worse that is than the table's best test score.
        source_gap: how much worse it is than what the best single source chooses; None if none is held out.
        seeds: searches behind it.
        lost: of them, those that found nothing within the limit, which count as the table's mean.
    """

    domain: str
    state: State
    reason: str | None = None
    test: Estimate | None = None
    gap: float | None = None
    source_gap: Estimate | None = None
    seeds: int = 0
    lost: int = 0


@dataclass(frozen=True, kw_only=True)
class LookupRow:
    """One searcher at one budget with one feedback.

    Attributes:
        method: the suite's name of it.
        searcher: the catalog's name of it.
        cells: one per domain.
        regret: mean over domains of (best - found) / (best - mean of the table); None when a cell lacks.
        source_regret: regret minus that of the best single source of each domain, which nobody knows before;
            None where no domain is held out.
        evaluations: mean evaluations that a search spent.
        llm: None when no language model was asked.
        difference: regret minus that of the reference; None for the reference itself.
        rank: by regret, 1 for the least.
        rank_best: smallest rank that the tests allow.
        rank_worst: largest rank that the tests allow.
        unbeaten: no row is significantly better, where some row is significantly better than another.
        marks: when and where it was made.
    """

    method: str
    searcher: str
    cells: tuple[LookupCell, ...]
    regret: Estimate | None
    source_regret: Estimate | None
    evaluations: float | None
    llm: LanguageModelUse | None
    difference: Difference | None = None
    rank: int | None = None
    rank_best: int | None = None
    rank_worst: int | None = None
    unbeaten: bool = False
    marks: Marks = CURRENT


@dataclass(frozen=True, kw_only=True)
class LookupRanking:
    """The rows of one feedback and budget, ranked ones first.

    Attributes:
        feedback: what the searchers saw and the choice is made by.
        budget: evaluations.
        random: domain -> exact expectation of random search; None before the table was read.
        rows: all of them.
        controls: control -> regret minus that of the first control.
        random_regret: of random search, as exact; None where it is not known on every domain.
    """

    feedback: str
    budget: int
    random: Mapping[str, float | None]
    rows: tuple[LookupRow, ...]
    controls: Mapping[str, Difference]
    random_regret: float | None = None

    def row(self, method: str) -> LookupRow | None:
        """Returns the row of `method`, or None."""
        return next((row for row in self.rows if row.method == method), None)


@dataclass(frozen=True, kw_only=True)
class LookupBoard:
    """All rankings of a run on a table; holds no timing.

    Attributes:
        name: the suite's name.
        title: the suite's title.
        limit: largest number of seeds; None for all.
        table: catalog name of the table.
        domains: its columns that are reported.
        scales: domain -> how its scores are told.
        held_out: whether a search sees the other domains alone.
        reference: searcher that differences refer to.
        claim: searcher of the verdict, fixed in the suite.
        rankings: by feedback, then by budget.
        published: rows of papers that are near one of its feedbacks, scores as shares or raw.
        notes: what a reader must know of the table's columns, and of a limit.
        sampled: architectures that were drawn to estimate optimum, mean and random search of each domain,
            where no table lists them all; None where these are exact.
    """

    study: ClassVar[str] = "lookup"
    name: str
    title: str
    limit: int | None
    table: str
    domains: tuple[str, ...]
    scales: Mapping[str, Scale]
    held_out: bool
    reference: str
    claim: str
    rankings: tuple[LookupRanking, ...]
    published: tuple[PublishedSearch, ...]
    notes: tuple[str, ...]
    sampled: int | None = None

    @property
    def series(self) -> tuple[Series, ...]:
        """Its rows as figures draw them."""
        parts: dict[str, Part] = {self.claim: "claim", self.reference: "reference"}
        return tuple(
            Series(
                row.method,
                "language model" if row.llm else family_of(row.searcher),
                parts.get(row.method, ""),
            )
            for row in self.rankings[-1].rows
        )

    @property
    def optimum(self) -> str:
        """What regret is counted from."""
        return f"the best of {self.sampled:,} sampled" if self.sampled else "the table's best"

    def ranking(self, feedback: str, budget: int) -> LookupRanking:
        """Returns the ranking of that feedback and budget."""
        return next(one for one in self.rankings if (one.feedback, one.budget) == (feedback, budget))


def build_lookup_board(run: Run) -> LookupBoard:
    suite = LookupSuite.of(run)
    table = next(map(run.result, run.planned(TABLE)), None)
    about = table.domains if table else {}
    scales = {domain: _scale(about.get(domain)) for domain in suite.reported}
    blocks = blocks_of(run)
    marks = {
        method: marks_of(run, [unit for unit in run.planned(LOOKUP) if unit.spec.method == method])
        for method in dict.fromkeys(method for method, _, _ in blocks)
    }
    rankings = [
        _Builder(run, suite, table, scales, blocks, marks, feedback, budget).ranking()
        for feedback in suite.feedback
        for budget in sorted(set(suite.search.evaluations))
    ]
    return LookupBoard(
        name=run.name,
        title=run.title,
        limit=run.limit,
        table=suite.table,
        domains=tuple(suite.reported),
        scales=scales,
        held_out=bool(suite.held_out),
        reference=suite.reference,
        claim=suite.claim,
        rankings=tuple(rankings),
        published=tuple(row for row in suite.published if row.feedback in suite.feedback),
        notes=(
            *(table_notes(table) if table else ()),
            *tie_notes(run),
            *alike_notes(run),
            *mark_notes([Marked(method, one) for method, one in marks.items()]),
        ),
        sampled=table.sampled if table else None,
    )


Blocks = dict[tuple[str, str, str], list[Unit[LookupSpec, Searches]]]
"""(method, domain, feedback) -> blocks of searches."""


def blocks_of(run: Run) -> Blocks:
    """Returns all planned blocks of searches by what they are of."""
    found: Blocks = {}
    for unit in run.planned(LOOKUP):
        found.setdefault((unit.spec.method, unit.spec.domain, unit.spec.feedback), []).append(unit)
    return found


def at_budget(blocks: Sequence[Unit[LookupSpec, Searches]], budget: int) -> list[Unit[LookupSpec, Searches]]:
    """Returns the blocks that tell of a budget: all of an anytime searcher, which ran once for every one."""
    is_anytime = len({unit.spec.evaluations for unit in blocks}) == 1
    return [unit for unit in blocks if is_anytime or unit.spec.evaluations == budget]


def reached(results: Iterable[Searches], budget: int, mean: float) -> tuple[Array, int]:
    """Returns the test score that each search had reached, shape (seeds,), and how many had none.

    Those count as the mean of the table, which is what a blind choice scores.
    """
    tests = [search.test_at(budget) for result in results for search in result.searches]
    scores = [mean if test is None else test for test in tests]
    return np.asarray(scores, dtype=np.float64), sum(test is None for test in tests)


@dataclass(frozen=True)
class _Builder:
    """The ranking of one feedback and budget."""

    run: Run
    suite: LookupSuite
    table: TableFound | None
    scales: Mapping[str, Scale]
    blocks: Blocks
    marks: Mapping[str, Marks]
    feedback: str
    budget: int
    regrets: dict[str, Array] = field(default_factory=dict)

    def ranking(self) -> LookupRanking:
        rows = [self._row(method) for method in self.suite.searchers]
        first, *others = self.suite.controls or [""]
        compared = {name: self._difference(name, first) for name in others}
        return LookupRanking(
            feedback=self.feedback,
            budget=self.budget,
            random={domain: self._shown(domain) for domain in self.scales},
            random_regret=self._random_regret(),
            rows=tuple(self._ranked(rows)),
            controls={name: found for name, found in compared.items() if found is not None},
        )

    def _row(self, method: str) -> LookupRow:
        units = {
            domain: at_budget(self.blocks.get((method, domain, self.feedback), []), self.budget)
            for domain in self.scales
        }
        found = {domain: self._cell(domain, units[domain]) for domain in self.scales}
        tests = {domain: scores for domain, (_, scores) in found.items() if scores is not None}
        source_regret = None
        if self.table is not None and len(tests) == len(found):
            about = self.table.domains
            self.regrets[method] = np.mean([about[one].regret(tests[one]) for one in tests], axis=0)
            to_source = [(self._to_source(one, tests[one]), about[one].span) for one in tests]
            shares = [apart / span for apart, span in to_source if apart is not None]
            if len(shares) == len(tests):
                source_regret = _estimate(np.mean(shares, axis=0))
        results = filter(None, map(self.run.result, chain(*units.values())))
        searches = [search for result in results for search in result.searches]
        spent = [min(search.evaluations, self.budget) for search in searches]
        sample = next((units[0] for key, units in self.blocks.items() if key[0] == method), None)
        return LookupRow(
            method=method,
            searcher=sample.spec.searcher if sample else method,
            cells=tuple(cell for cell, _ in found.values()),
            regret=self._regret(method),
            source_regret=source_regret,
            evaluations=float(np.mean(spent)) if spent else None,
            llm=language_model_use(SearchReport.of(search.report) for search in searches),
            marks=self.marks.get(method, CURRENT),
        )

    def _regret(self, method: str) -> Estimate | None:
        """Returns a row's regret, whose interval does not go below what no choice can."""
        if method not in self.regrets:
            return None
        found = _estimate(self.regrets[method])
        return found if self.table is None or self.table.sampled else found._replace(low=max(0.0, found.low))

    def _cell(
        self, domain: str, units: Sequence[Unit[LookupSpec, Searches]]
    ) -> tuple[LookupCell, Array | None]:
        """Returns the cell and, where every search is there, the test score of each seed."""
        for record in filter(None, (self.run.records.get(unit.hash) for unit in units)):
            if record.status != "ok":
                reason = record.reason or "no reason"
                return LookupCell(domain=domain, state=record.status, reason=reason), None
        results = [result for unit in units if (result := self.run.result(unit)) is not None]
        if not units or len(results) < len(units):
            reason = f"{len(units) - len(results)} of {len(units)} blocks of searches were not run yet"
            return LookupCell(domain=domain, state="missing", reason=reason), None
        if self.table is None:
            return LookupCell(domain=domain, state="missing", reason="the table was not read yet"), None
        about = self.table.domains[domain]
        scores, lost = reached(results, self.budget, about.mean)
        to_source = self._to_source(domain, scores)
        cell = LookupCell(
            domain=domain,
            state="ok",
            test=_estimate(self.scales[domain].sign * scores),
            gap=float(about.best.test - scores.mean()),
            source_gap=None if to_source is None else _estimate(to_source),
            seeds=scores.size,
            lost=lost,
        )
        return cell, scores

    def _exact(self, domain: str) -> float | None:
        """Returns what random search is expected to find, as records hold it; None where it is not known."""
        random = self.table.domains[domain].random[self.feedback] if self.table else {}
        return random.get(str(self.budget))

    def _shown(self, domain: str) -> float | None:
        """Returns the same with the domain's own sign."""
        exact = self._exact(domain)
        return None if exact is None else self.scales[domain].sign * exact

    def _random_regret(self) -> float | None:
        found = {domain: self._exact(domain) for domain in self.scales}
        if self.table is None or None in found.values():
            return None
        about = self.table.domains
        return float(np.mean([about[one].regret(np.asarray(score)) for one, score in found.items()]))

    def _to_source(self, domain: str, tests: Array) -> Array | None:
        """Returns how much worse each seed's choice is than that of the best single source."""
        choices = self.table.domains[domain].held_out if self.table else None
        if choices is None:
            return None
        best = max(one.value for one in choices[self.feedback].sources.values())
        return np.asarray(best - tests)

    def _difference(self, method: str, other: str) -> Difference | None:
        mine, theirs = self.regrets.get(method), self.regrets.get(other)
        if method == other or mine is None or theirs is None:
            return None
        if any(self.marks.get(one, CURRENT).is_apart for one in (method, other)):
            return None
        return Difference.of(seed_effect(mine, theirs))

    def _ranked(self, rows: Sequence[LookupRow]) -> Iterator[LookupRow]:
        complete = [row for row in rows if row.regret is not None and not row.marks.is_apart]
        scores = [-row.regret.value for row in complete if row.regret]

        def test(first: int, second: int) -> tuple[float, float] | None:
            found = self._difference(complete[first].method, complete[second].method)
            if found is None or found.p is None or found.call == "no verdict":
                return None
            return -found.value, found.p

        ranked = [
            replace(
                row,
                rank=at.rank,
                rank_best=at.best,
                rank_worst=at.worst,
                unbeaten=at.unbeaten,
                difference=self._difference(row.method, self.suite.reference),
            )
            for row, at in zip(complete, placements(scores, test), strict=True)
        ]
        yield from sorted(ranked, key=lambda row: (row.rank or 0, row.method))
        yield from (row for row in rows if row not in complete)


def _scale(about: TableDomain | None) -> Scale:
    """Returns the scale of a domain from the table's record; decimals show a hundredth of its spread."""
    if about is None:
        return Scale(unit="percent")
    if about.unit != "raw":
        return Scale(unit=about.unit, higher_is_better=about.higher_is_better)
    decimals = min(8, max(0, 2 - floor(log10(about.sd))))
    return Scale(unit=about.unit, higher_is_better=about.higher_is_better, decimals=decimals)


def _estimate(values: Array) -> Estimate:
    return Estimate(float(values.mean()), *t_interval(values))
