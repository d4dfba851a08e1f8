"""The rows of one board: what the records of a run say of each method on each domain."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from harness.board.language_model import language_model_use
from harness.board.marks import Marks, marks_of
from harness.board.values import Cell, Difference, Role
from harness.catalog import metric_of
from harness.identity.unit import Unit
from harness.run.loaded import Run
from harness.search.report import SearchReport
from harness.study.settings import PlannedTask
from harness.study.trained.boards.line import in_domain_line, is_of_curve
from harness.study.trained.boards.scored import ScoreUnit, TaskScores
from harness.study.trained.boards.values import (
    AtEqual,
    InDomainLine,
    Key,
    Row,
    chosen_by,
    compute_of,
    finals_of,
    scores_of,
)
from harness.study.trained.results import Final, Search
from harness.study.trained.settings import PlannedBoard, PlannedSuite
from harness.study.trained.units import SHORTER, FinalSpec
from harness.task.metric import Metric
from harness.task.selection import ORACLE


def task_rows(run: Run) -> list["TaskRows"]:
    """Returns the rows of each task of a run, and of each of its strata, under each rule of selection."""
    suite = PlannedSuite.of(run)
    return [
        TaskRows(run, task, rule, suite, stratum)
        for rule in suite.selection
        for task in suite.tasks
        if rule != ORACLE or task.trained_on is None
        for stratum in dict.fromkeys(task.strata.get(domain, "") for domain in task.held_out)
    ]


class TaskRows:
    """The rows of one task, or of one stratum of its held-out domains, under one rule of selection.

    Attributes:
        keys: the rows, but for shorter trainings of the reference, which give its line alone.
        units: (row, place) -> the units of its scores, in the order of seeds; a place is a held-out domain,
            or a source in one fold.
        inside: source -> its places.
        scores: by seed and group.
        reference: the row that differences refer to; None where the run has no such row.
    """

    def __init__(
        self,
        run: Run,
        entry: PlannedTask | PlannedBoard,
        selection: str,
        suite: PlannedSuite,
        stratum: str,
    ) -> None:
        self.run, self.entry = run, entry
        self.task, self.trained_on = entry.name, entry.trained_on
        self.selection, self.stratum = selection, stratum
        self.metric: Metric = metric_of(entry.metric)
        self.held_out = tuple(name for name in entry.held_out if entry.strata.get(name, "") == stratum)
        self.folds = tuple(tuple(fold) for fold in entry.folds if set(fold) & set(self.held_out))
        is_shown = {"held_out": set(self.held_out), "source": set(entry.sources)}
        scores = [
            unit
            for unit in scores_of(run, self.task, selection)
            if unit.spec.domain in is_shown[unit.spec.role]
            and (not self.folds or unit.spec.fold in self.folds)
        ]
        of_sources = {unit.spec.place: unit.spec.domain for unit in scores if unit.spec.role == "source"}
        self.sources = tuple(
            name for name in entry.sources if not self.folds or name in set(of_sources.values())
        )
        self.inside = {
            name: [place for place, domain in of_sources.items() if domain == name] or [name]
            for name in self.sources
        }
        self.units: dict[tuple[Key, str], list[ScoreUnit]] = {}
        for unit in scores:
            self.units.setdefault((unit.spec.key, unit.spec.place), []).append(unit)
        every = sorted({key for key, _ in self.units}, key=lambda key: (key[0], key[1] or ""))
        self.keys = [key for key in every if key[0].rpartition(" ")[2] not in SHORTER]
        self.marks = {key: self._marks(key) for key in every}
        apart = [key for key in every if self.marks[key].is_apart]
        self.scores = TaskScores(
            run,
            entry.metric,
            self.units,
            apart,
            seeds=len(suite.seeds),
            margin=suite.claim.margin if suite.claim else 0.0,
        )
        self.claim = (suite.claim.method, suite.claim.space or None) if suite.claim else None
        self.reference = next((key for key in self.keys if key[0] == suite.reference), None)
        self.curve = [key for key in every if key not in apart and is_of_curve(key, self.reference)]

    @property
    def every_source(self) -> list[str]:
        """The sources, each once for every fold that it is a source of."""
        return [place for places in self.inside.values() for place in places]

    @cached_property
    def line(self) -> InDomainLine | None:
        """The line of the reference; None without shorter trainings of it, or where a score lacks."""
        if self.reference is None:
            return None
        return in_domain_line(self.scores, self.reference, self.curve, self.every_source, self.held_out)

    def row(self, key: Key) -> Row:
        finals = finals_of(self.run, self.trained_on or self.task, self.selection, key)
        results = [result for result in map(self.run.result, finals) if result is not None]
        choosing = [chosen_by(self.run, final) for final in finals]
        searched = [search for search in map(self.run.result, choosing) if search is not None]
        return Row(
            method=key[0],
            space=key[1],
            seeds=tuple(dict.fromkeys((final.spec.select_seed, final.spec.report_seed) for final in finals)),
            cells=(
                *(self._cell(key, "source", domain, places) for domain, places in self.inside.items()),
                *(self._cell(key, "held_out", domain, [domain]) for domain in self.held_out),
            ),
            held_out=self.scores.mean(key, self.held_out),
            in_domain=self.scores.mean(key, self.every_source),
            gap=self.scores.gap(key, self.every_source, self.held_out),
            difference=self._difference(key, self.held_out),
            at_equal=self._at_equal(key),
            rank=None,
            rank_best=None,
            rank_worst=None,
            unbeaten=False,
            parameters=tuple(result.parameters for result in results),
            macs=tuple(result.macs for result in results),
            evaluations=tuple(search.evaluations for search in searched) if any(choosing) else None,
            steps=tuple(result.steps for result in results),
            compute=self._compute(finals),
            llm=language_model_use(
                SearchReport.of(search.report) for search in searched if isinstance(search, Search)
            ),
            outside=next((result.outside for result in results if result.outside), None),
            marks=self.marks[key],
        )

    def _marks(self, key: Key) -> Marks:
        """Returns the marks of a row: those of its scores, which look back to all that they read."""
        scores = (units for (one, _), units in self.units.items() if one == key)
        return marks_of(self.run, [unit for units in scores for unit in units])

    def _compute(self, finals: Sequence[Unit[FinalSpec, Final]]) -> tuple[int, ...] | None:
        found = [compute_of(self.run, final) for final in finals]
        known = [one for one in found if one is not None]
        return tuple(known) if len(known) == len(found) else None

    def _cell(self, key: Key, role: Role, domain: str, places: Sequence[str]) -> Cell:
        """Returns a row on a domain, the mean over the folds that it is a source of."""
        units = [unit for place in places for unit in self.units.get((key, place), [])]
        records = [self.run.records.get(unit.hash) for unit in units]
        for state in ("failed", "skipped"):
            for record in records:
                if record is not None and record.status == state:
                    return Cell(
                        domain=domain, role=role, state=record.status, reason=record.reason or "no reason"
                    )
        if not units or None in records:
            reason = f"{records.count(None)} of {len(units)} scores were not run yet"
            return Cell(domain=domain, role=role, state="missing", reason=reason)
        if lacking := [self.scores.lacking[key, one] for one in places if (key, one) in self.scores.lacking]:
            reason = lacking[0]
            return Cell(domain=domain, role=role, state="missing", reason=reason)
        found = [self.scores.found[key, place] for place in places]
        results = [result for unit in units if (result := self.run.result(unit)) is not None]
        return Cell(
            domain=domain,
            role=role,
            state="ok",
            estimate=self.scores.mean(key, places),
            by_seed=tuple(map(float, np.mean([one.sums.by_seed for one in found], axis=0))),
            samples=min(result.samples for result in results),
            groups=found[0].groups,
            bytes=results[0].bytes,
            of=results[0].of,
            worst=found[0].worst if len(found) == 1 else None,
            limited=any(result.limited for result in results),
            difference=self._difference(key, places),
            at_equal=self._on_its_line(key, domain) if role == "held_out" and key == self.claim else None,
        )

    def _on_its_line(self, key: Key, domain: str) -> Difference | None:
        """Returns row minus reference on a held-out domain, beside the line that the reference has there."""
        reference = self.reference
        if reference in (None, key) or self.marks[key].is_apart or self.marks[reference].is_apart:
            return None
        where = (self.every_source, [domain])
        own = in_domain_line(self.scores, reference, self.curve, *where)
        if own is None or own.lacks:
            return None
        found = self.scores.at_equal(key, reference, self.curve, *where)
        return found.difference if found else None

    def _difference(self, key: Key, domains: Sequence[str]) -> Difference | None:
        """Returns row minus reference, over `domains`; None where one of the two lacks a score."""
        reference = self.reference
        if reference in (None, key) or self.marks[key].is_apart or self.marks[reference].is_apart:
            return None
        return self.scores.difference(key, reference, domains)

    def _at_equal(self, key: Key) -> AtEqual | None:
        """Returns row minus reference at equal in-domain score; None where there is no line that holds."""
        reference = self.reference
        if reference in (None, key) or self.line is None or self.line.lacks or self.marks[key].is_apart:
            return None
        return self.scores.at_equal(key, reference, self.curve, self.every_source, self.held_out)
