"""From records to rows: means, intervals, paired differences and ranks of one run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from harness.board.language_model import language_model_use
from harness.board.marks import OUTSIDE, Marked, Marks, mark_notes, marks_of
from harness.board.paired import paired, paired_mean
from harness.board.values import FEW_GROUPS, Cell, Difference, Estimate, Role
from harness.catalog import metric_of
from harness.identity.unit import Unit
from harness.run.loaded import Run
from harness.run.samples import read_samples, sums_of
from harness.search.report import SearchReport
from harness.seeds import generator
from harness.stats.aggregates import WorstGroup, worst_group
from harness.stats.bootstrap import (
    Array,
    GroupSums,
    aligned,
    bootstrap_ratios,
    group_shares,
    grouped_ratio,
    percentile_interval,
)
from harness.stats.intervals import Interval, square_and_add
from harness.stats.pairs import flip_groups, holm
from harness.stats.ranks import rank_intervals, ranks, stability
from harness.study.settings import PlannedTask
from harness.study.trained.boards.notes import (
    SELECTION_NOTES,
    stability_note,
    tuning_note,
    zero_shot_chance,
    zero_shot_note,
)
from harness.study.trained.boards.scored import Scored
from harness.study.trained.boards.values import Board, Key, Row, TaskBoard, chosen_by, finals_of, scores_of
from harness.study.trained.results import Score, Search, ZeroShotScore
from harness.study.trained.settings import PlannedBoard, PlannedSuite
from harness.study.trained.units import RowScoreSpec
from harness.task.metric import Metric
from harness.task.selection import ORACLE

REPLICATES = 4000


def build_trained_board(run: Run) -> Board:
    """Returns the board of a run that trains, complete or not.

    Raises:
        HarnessError: the scores of a finished unit are gone or damaged.
    """
    suite = PlannedSuite.of(run)
    claim = suite.claim
    return Board(
        name=run.name,
        title=run.title,
        limit=run.limit,
        reference=suite.reference,
        claim=(claim.method, claim.space or None) if claim else None,
        replicates=REPLICATES,
        tasks=tuple(
            _TaskBuilder(run, task, rule, suite.reference).board()
            for rule in suite.selection
            for task in suite.tasks
            if rule != ORACLE or task.trained_on is None
        ),
    )


class _TaskBuilder:
    """Everything between the records of one task and its rows."""

    def __init__(self, run: Run, entry: PlannedTask | PlannedBoard, selection: str, reference: str) -> None:
        self.run = run
        self.task = entry.name
        self.selection = selection
        self.trained_on = entry.trained_on
        self.metric: Metric = metric_of(entry.metric)
        self.metric_name = entry.metric
        self.chance: float | None = entry.chance
        scores = scores_of(run, self.task, selection)
        self.elsewhere = {
            domain: [
                result
                for unit in scores
                if unit.spec.domain == domain and isinstance(result := run.result(unit), ZeroShotScore)
            ]
            for domain in (entry.held_out if self.trained_on else ())
        }
        if self.trained_on is not None:
            self.chance = zero_shot_chance(self.elsewhere)
        self.sign = self.metric.sign
        self.domains: list[tuple[Role, str]] = [("source", name) for name in entry.sources]
        self.domains += [("held_out", name) for name in entry.held_out]
        self.units: dict[tuple[Key, str], list[Unit[RowScoreSpec, Score]]] = {}
        for unit in scores:
            self.units.setdefault((unit.spec.key, unit.spec.domain), []).append(unit)
        self.keys = sorted({key for key, _ in self.units}, key=lambda key: (key[0], key[1] or ""))
        self.marks = {key: self._marks(key) for key in self.keys}
        self.scored: dict[tuple[Key, str], Scored] = {}
        self.p_values: dict[tuple[str, ...], Mapping[Key, float]] = {}
        for _, domain in self.domains:
            self._score(domain)
        self.reference = next((key for key in self.keys if key[0] == reference), None)

    def board(self) -> TaskBoard:
        rows = self._ranked([self._row(key) for key in self.keys])
        return TaskBoard(
            task=self.task,
            selection=self.selection,
            metric=self.metric_name,
            chance=self.chance,
            trained_on=self.trained_on,
            sources=tuple(name for role, name in self.domains if role == "source"),
            held_out=tuple(name for role, name in self.domains if role == "held_out"),
            rows=tuple(rows),
            notes=tuple(self._notes(rows)),
        )

    def _marks(self, key: Key) -> Marks:
        """Returns the marks of a row: those of its scores, which look back to all that they read."""
        scores = (units for (one, _), units in self.units.items() if one == key)
        return marks_of(self.run, [unit for units in scores for unit in units])

    def _score(self, domain: str) -> None:
        """Fills `scored` for every row whose units of this domain are all there, on shared resamples.

        What shares neither data nor protocol with the others is resampled alone.
        """
        apart = [key for key in self.keys if self.marks[key].is_apart]
        for keys in ([key for key in self.keys if key not in apart], *([key] for key in apart)):
            self._resample(domain, keys)

    def _resample(self, domain: str, keys: Sequence[Key]) -> None:
        found: list[tuple[Key, GroupSums]] = []
        for key in keys:
            units = self.units.get((key, domain), [])
            if units and all(self.run.result(unit) is not None for unit in units):
                found += [(key, sums_of(read_samples(self.run, unit), self.metric)) for unit in units]
        if not found:
            return
        numerators, denominators = aligned([sums for _, sums in found])
        values = grouped_ratio(numerators.sum(axis=1), denominators.sum(axis=1))
        shares = group_shares(numerators, denominators)
        replicates = bootstrap_ratios(
            numerators,
            denominators,
            generator=generator(0, "board", self.task, domain),
            replicates=REPLICATES,
        )
        for key in {key for key, _ in found}:
            mine = [index for index, (owner, _) in enumerate(found) if owner == key]
            self.scored[key, domain] = Scored(
                values[mine],
                replicates[mine],
                shares[mine].mean(axis=0),
                self._worst(numerators[mine], denominators[mine]),
                int((denominators[mine].sum(axis=(0, 2)) > 0).sum()),
            )

    def _worst(self, numerators: Array, denominators: Array) -> WorstGroup | None:
        """Returns the worst group, of sums of shape (roles, groups, classes)."""
        if not self.metric.is_proportion:
            return None
        right, samples = numerators.sum(axis=(0, 2)), denominators.sum(axis=(0, 2))
        return worst_group(right, samples, samples / len(numerators))

    def _row(self, key: Key) -> Row:
        held_out, in_domain = self._mean(key, "held_out"), self._mean(key, "source")
        gap = None
        if held_out is not None and in_domain is not None:
            replicates = self.sign * (self._replicates(key, "source") - self._replicates(key, "held_out"))
            gap = Estimate(self.sign * (in_domain.value - held_out.value), *percentile_interval(replicates))
        finals = finals_of(self.run, self.trained_on or self.task, self.selection, key)
        results = [result for result in map(self.run.result, finals) if result is not None]
        choosing = [chosen_by(self.run, final) for final in finals]
        searched = [search for search in map(self.run.result, choosing) if search is not None]
        return Row(
            method=key[0],
            space=key[1],
            seeds=tuple((final.spec.select_seed, final.spec.report_seed) for final in finals),
            cells=tuple(self._cell(key, role, domain) for role, domain in self.domains),
            held_out=held_out,
            in_domain=in_domain,
            gap=gap,
            difference=self._difference(key, [name for role, name in self.domains if role == "held_out"]),
            rank=None,
            rank_best=None,
            rank_worst=None,
            unbeaten=False,
            parameters=tuple(result.parameters for result in results),
            macs=tuple(result.macs for result in results),
            evaluations=tuple(search.evaluations for search in searched) if key[1] or any(choosing) else None,
            steps=tuple(result.steps for result in results),
            llm=language_model_use(
                SearchReport.of(search.report) for search in searched if isinstance(search, Search)
            ),
            outside=next((result.outside for result in results if result.outside), None),
            marks=self.marks[key],
        )

    def _cell(self, key: Key, role: Role, domain: str) -> Cell:
        units = self.units.get((key, domain), [])
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
        scored = self.scored[key, domain]
        results = [result for unit in units if (result := self.run.result(unit)) is not None]
        return Cell(
            domain=domain,
            role=role,
            state="ok",
            estimate=Estimate(scored.value, *scored.interval(self.metric)),
            by_seed=tuple(map(float, scored.by_seed)),
            samples=min(result.samples for result in results),
            groups=scored.groups,
            worst=scored.worst,
            limited=any(result.limited for result in results),
            difference=self._difference(key, [domain]),
        )

    def _parts(self, key: Key, role: Role) -> list[Scored] | None:
        """Returns the row's scores on every domain of `role`, or None when one is missing."""
        wanted = [domain for other, domain in self.domains if other == role]
        parts = [self.scored[key, domain] for domain in wanted if (key, domain) in self.scored]
        return parts if parts and len(parts) == len(wanted) else None

    def _replicates(self, key: Key, role: Role) -> Array:
        parts = self._parts(key, role) or []
        return np.asarray(np.mean([part.replicates for part in parts], axis=0))

    def _mean(self, key: Key, role: Role) -> Estimate | None:
        parts = self._parts(key, role)
        if parts is None:
            return None
        values = [part.value for part in parts]
        if self.metric.is_proportion and {0.0, 1.0} & set(values):
            interval = square_and_add(values, [part.interval(self.metric) for part in parts])
        else:
            interval = percentile_interval(self._replicates(key, role))
        return Estimate(float(np.mean(values)), *interval)

    def _difference(self, key: Key, domains: Sequence[str]) -> Difference | None:
        """Returns row minus reference, over `domains`; None where one of the two lacks a score."""
        reference = self.reference
        if (
            reference is None
            or key == reference
            or self.marks[key].is_apart
            or self.marks[reference].is_apart
        ):
            return None
        if not all((one, domain) in self.scored for one in (key, reference) for domain in domains):
            return None
        pairs = [(self.scored[key, domain], self.scored[reference, domain]) for domain in domains]
        replicates = np.mean([mine.replicates - other.replicates for mine, other in pairs], axis=0)
        by_seed: tuple[float, ...] = ()
        if all(len(mine.by_seed) == len(other.by_seed) for mine, other in pairs):
            by_seed = tuple(
                map(float, np.mean([mine.by_seed - other.by_seed for mine, other in pairs], axis=0))
            )
        values = [mine.value - other.value for mine, other in pairs]
        parts = [
            paired(
                Estimate(mine.value, *mine.interval(self.metric)),
                Estimate(other.value, *other.interval(self.metric)),
                mine.replicates - other.replicates,
                mine.shares - other.shares,
                groups=mine.groups,
                is_proportion=self.metric.is_proportion,
            )
            for mine, other in pairs
        ]
        found = paired_mean(values, parts, replicates)
        return Difference(
            float(np.mean(values)),
            *found.interval,
            self._p_values(tuple(domains))[key],
            found.error,
            by_seed,
        )

    def _shares(self, key: Key, domains: Sequence[str]) -> Array:
        """Returns what every group of every domain adds to the row's mean over them, shape (groups,)."""
        return np.concatenate([self.scored[key, domain].shares for domain in domains]) / len(domains)

    def _flipped(self, differences: Sequence[Array], domains: Sequence[str]) -> Array:
        """Returns the p-value of each difference, given by group, under flips of whole groups."""
        return flip_groups(np.array(differences), generator=generator(0, "flips", self.task, *domains))

    def _p_values(self, domains: tuple[str, ...]) -> Mapping[Key, float]:
        """Returns the p-value of every row's difference to the reference over these domains."""
        if domains not in self.p_values:
            assert self.reference is not None
            keys = [
                key
                for key in self.keys
                if not self.marks[key].is_apart and all((key, domain) in self.scored for domain in domains)
            ]
            base = self._shares(self.reference, domains)
            found = self._flipped([self._shares(key, domains) - base for key in keys], domains)
            self.p_values[domains] = dict(zip(keys, map(float, found), strict=True))
        return self.p_values[domains]

    def _ranked(self, rows: list[Row]) -> list[Row]:
        """Returns the rows in display order, complete ones with ranks."""
        complete = [
            row for row in rows if row.is_complete and not (row.is_floor or row.outside or row.marks.is_apart)
        ]
        estimates = [row.held_out for row in complete if row.held_out]
        places = ranks([self.sign * one.value for one in estimates])
        intervals = [Interval(*sorted((self.sign * one.low, self.sign * one.high))) for one in estimates]
        spans = rank_intervals(intervals)
        unbeaten = self._unbeaten(complete)
        ranked = [
            replace(row, rank=place, rank_best=span.best, rank_worst=span.worst, unbeaten=best)
            for row, place, span, best in zip(complete, places, spans, unbeaten, strict=True)
        ]
        ranked.sort(key=lambda row: (row.rank or 0, row.method, row.space or ""))
        others = [row for row in rows if row not in complete]
        return ranked + sorted(others, key=lambda row: (row.is_floor, row.method, row.space or ""))

    def _unbeaten(self, rows: Sequence[Row]) -> list[bool]:
        """Returns who is beaten by nobody where somebody is, at 5 % after Holm over all pairs."""
        pairs = list(combinations(range(len(rows)), 2))
        if not pairs:
            return [False] * len(rows)
        domains = [domain for role, domain in self.domains if role == "held_out"]
        shares = [self._shares((row.method, row.space), domains) for row in rows]
        differences = [self.sign * (shares[first] - shares[second]) for first, second in pairs]
        losses: set[int] = set()
        adjusted = holm(self._flipped(differences, domains))
        for (first, second), difference, p in zip(pairs, differences, adjusted, strict=True):
            if p < 0.05:
                losses.add(second if difference.sum() > 0 else first)
        return [bool(losses) and index not in losses for index in range(len(rows))]

    def _notes(self, rows: Sequence[Row]) -> list[str]:
        notes = [SELECTION_NOTES[self.selection]] if self.selection in SELECTION_NOTES else []
        if self.trained_on is not None:
            notes.append(
                zero_shot_note([one for found in self.elsewhere.values() for one in found], self.trained_on)
            )
        for _, domain in self.domains:
            groups = max((one.groups for (_, name), one in self.scored.items() if name == domain), default=0)
            if 0 < groups < FEW_GROUPS:
                notes.append(
                    f"{domain} has only {groups} groups to resample: with fewer than {FEW_GROUPS} its "
                    "interval is too narrow."
                )
        notes += tuning_note(self.run, self.trained_on or self.task)
        notes += self._stability([row for row in rows if row.rank is not None])
        if any(cell.limited for row in rows for cell in row.cells):
            notes.append("‡ scored on a limited sample of the test split (--limit).")
        outside = {f"{row.name} ({row.outside})" for row in rows if row.outside}
        if outside:
            notes.append(
                f"{OUTSIDE} had training data from outside and is not ranked: {', '.join(sorted(outside))}."
            )
        notes += mark_notes([Marked(row.name, row.marks) for row in rows])
        if any(not row.is_complete for row in rows):
            notes.append("Rows with a failed (✗) or missing (—) score are not ranked.")
        return notes

    def _stability(self, ranked: Sequence[Row]) -> list[str]:
        """Says how far the order hangs on which domains were held out."""
        domains = [domain for role, domain in self.domains if role == "held_out"]
        if len(ranked) < 2 or len(domains) < 2:
            return []
        scores = [[self.scored[(row.method, row.space), one].value for one in domains] for row in ranked]
        kept = stability(
            self.sign * np.array(scores), generator=generator(0, "stability", self.task, *domains)
        )
        return [stability_note(kept.order, kept.first, domains=len(domains), rows=len(ranked))]
