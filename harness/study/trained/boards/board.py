"""From records to rows: means, intervals, paired differences and ranks of one run."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Literal, get_args

import numpy as np

from harness.board.language_model import end_notes, language_model_use
from harness.board.marks import OUTSIDE, Marked, Marks, mark_notes, marks_of
from harness.board.values import Cell, Difference, Role, Splits, row_name
from harness.catalog import metric_of
from harness.identity.unit import Unit
from harness.run.loaded import Run
from harness.search.report import SearchReport
from harness.seeds import generator
from harness.stats.effect import LEAST_GROUPS
from harness.stats.ranks import placements, stability
from harness.study.published import published_on
from harness.study.settings import SEEN, PlannedTask
from harness.study.trained.boards.line import in_domain_line, is_of_curve
from harness.study.trained.boards.notes import (
    SELECTION_NOTES,
    again_note,
    few_groups_note,
    in_turn_note,
    lost_notes,
    rank_notes,
    seen_note,
    stability_note,
    tuning_note,
    zero_shot_chance,
    zero_shot_note,
)
from harness.study.trained.boards.ranked import rank_qualities
from harness.study.trained.boards.scored import TaskScores
from harness.study.trained.boards.values import (
    AtEqual,
    Board,
    Gain,
    InDomainLine,
    Key,
    RankQuality,
    Row,
    TaskBoard,
    chosen_by,
    compute_of,
    finals_of,
    is_drawn,
    scores_of,
)
from harness.study.trained.results import Final, Score, Search, ZeroShotScore
from harness.study.trained.settings import PlannedBoard, PlannedSuite
from harness.study.trained.units import SHORTER, FinalSpec, RowScoreSpec, Variant
from harness.task.metric import Metric
from harness.task.selection import ORACLE


def build_trained_board(run: Run) -> Board:
    """Returns the board of a run that trains, complete or not.

    Raises:
        HarnessError: the scores of a finished unit are gone or damaged.
    """
    return board_of(run, task_builders(run))


def task_builders(run: Run) -> list["TaskBuilder"]:
    """Returns the builder of each task of a run under each rule of selection."""
    suite = PlannedSuite.of(run)
    return [
        TaskBuilder(run, task, rule, suite, stratum)
        for rule in suite.selection
        for task in suite.tasks
        if rule != ORACLE or task.trained_on is None
        for stratum in dict.fromkeys(task.strata.get(domain, "") for domain in task.held_out)
    ]


def board_of(run: Run, builders: Sequence["TaskBuilder"]) -> Board:
    """Returns the board of a run from what `task_builders` gave."""
    suite = PlannedSuite.of(run)
    claim = suite.claim
    return Board(
        name=run.name,
        title=run.title,
        limit=run.limit,
        reference=suite.reference,
        shared_supernet=suite.search.shared_supernet,
        claim=(claim.method, claim.space or None) if claim else None,
        tasks=tuple(builder.board() for builder in builders),
    )


class TaskBuilder:
    """Everything between the records of one task, or of one stratum of its held-out domains, and its rows."""

    def __init__(
        self,
        run: Run,
        entry: PlannedTask | PlannedBoard,
        selection: str,
        suite: PlannedSuite,
        stratum: str,
    ) -> None:
        self.run = run
        self.task = entry.name
        self.selection = selection
        self.trained_on = entry.trained_on
        self.metric: Metric = metric_of(entry.metric)
        self.metric_name = entry.metric
        self.chance: float | None = entry.chance
        self.stratum = stratum
        self.held_out = tuple(name for name in entry.held_out if entry.strata.get(name, "") == stratum)
        self.published = published_on(suite.published, {f"{self.task}/{one}": one for one in self.held_out})
        self.families = [entry.families.get(name, name) for name in self.held_out]
        self.folds = tuple(tuple(fold) for fold in entry.folds if set(fold) & set(self.held_out))
        self.left_out = entry.left_out
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
        self.elsewhere = {
            domain: [
                result
                for unit in scores
                if unit.spec.domain == domain and isinstance(result := run.result(unit), ZeroShotScore)
            ]
            for domain in (self.held_out if self.trained_on else ())
        }
        if self.trained_on is not None:
            self.chance = zero_shot_chance(self.elsewhere)
        self.sign = self.metric.sign
        self.tuned_space = suite.tuned_space
        self.units: dict[tuple[Key, str], list[Unit[RowScoreSpec, Score]]] = {}
        for unit in scores:
            self.units.setdefault((unit.spec.key, unit.spec.place), []).append(unit)
        every = sorted({key for key, _ in self.units}, key=lambda key: (key[0], key[1] or ""))
        self.keys = [key for key in every if key[0].rpartition(" ")[2] not in SHORTER]
        self.marks = {key: self._marks(key) for key in every}
        apart = [key for key in every if self.marks[key].is_apart]
        self.scores = TaskScores(
            run,
            self.metric,
            self.units,
            apart,
            seeds=len(suite.seeds),
            margin=suite.claim.margin if suite.claim else 0.0,
        )
        self.reference = next((key for key in self.keys if key[0] == suite.reference), None)
        self.curve = [key for key in every if key not in apart and is_of_curve(key, self.reference)]

    def board(self) -> TaskBoard:
        rows = self._ranked([self._row(key) for key in self.keys])
        return TaskBoard(
            task=self.task,
            selection=self.selection,
            metric=self.metric_name,
            chance=self.chance,
            trained_on=self.trained_on,
            stratum=self.stratum,
            regime=self._regime(rows),
            again=self.again,
            gains=tuple(self._gains()),
            line=self.line,
            ranks=self.ranks,
            sources=self.sources,
            held_out=self.held_out,
            folds=self.folds,
            rows=tuple(rows),
            published=self.published,
            notes=tuple(self._notes(rows)),
        )

    def _marks(self, key: Key) -> Marks:
        """Returns the marks of a row: those of its scores, which look back to all that they read."""
        scores = (units for (one, _), units in self.units.items() if one == key)
        return marks_of(self.run, [unit for units in scores for unit in units])

    def _row(self, key: Key) -> Row:
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
            in_domain=self.scores.mean(key, self._every_source),
            gap=self.scores.gap(key, self._every_source, self.held_out),
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

    def _compute(self, finals: Sequence[Unit[FinalSpec, Final]]) -> tuple[int, ...] | None:
        known = [one for final in finals if (one := compute_of(self.run, final)) is not None]
        return tuple(known) if len(known) == len(finals) else None

    @property
    def _every_source(self) -> list[str]:
        """The sources, each once for every fold that it is a source of."""
        return [place for places in self.inside.values() for place in places]

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
            waiting = f"{records.count(None)} of {len(units)} scores were not run yet"
            return Cell(domain=domain, role=role, state="missing", reason=waiting)
        if lacking := [self.scores.lacking[key, one] for one in places if (key, one) in self.scores.lacking]:
            return Cell(domain=domain, role=role, state="missing", reason=lacking[0])
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
        )

    def _difference(self, key: Key, domains: Sequence[str]) -> Difference | None:
        """Returns row minus reference, over `domains`; None where one of the two lacks a score."""
        reference = self.reference
        if reference in (None, key) or self.marks[key].is_apart or self.marks[reference].is_apart:
            return None
        return self.scores.difference(key, reference, domains)

    @cached_property
    def line(self) -> InDomainLine | None:
        """The line of the reference; None without shorter trainings of it, or where a score lacks."""
        if self.reference is None:
            return None
        return in_domain_line(self.scores, self.reference, self.curve, self._every_source, self.held_out)

    def _at_equal(self, key: Key) -> AtEqual | None:
        """Returns row minus reference at equal in-domain score; None where there is no line that holds."""
        reference = self.reference
        if reference in (None, key) or self.line is None or self.line.lacks or self.marks[key].is_apart:
            return None
        return self.scores.at_equal(key, reference, self.curve, self._every_source, self.held_out)

    def _regime(self, rows: Sequence[Row]) -> Difference | None:
        """Returns the reference minus the best floor, in domain; None without the two."""
        floors = [(row.key, row.in_domain.value) for row in rows if row.is_floor and row.in_domain]
        if self.reference is None or not floors:
            return None
        best, _ = max(floors, key=lambda floor: self.sign * floor[1])
        return self.scores.difference(self.reference, best, self._every_source)

    def _gains(self) -> Iterator[Gain]:
        """Yields what each space, and each search, gives beside random architectures."""
        drawn = {key[1]: key for key in self.keys if is_drawn(key)}
        plain = drawn.get(self.tuned_space)
        for key in self.keys:
            control = plain if is_drawn(key) else drawn.get(key[1])
            is_variant = key[0].rpartition(" ")[2] in get_args(Variant)
            if key[1] is None or control in (None, key) or is_variant or self.marks[key].is_apart:
                continue
            difference = self.scores.difference(key, control, self.held_out)
            if difference is not None and not self.marks[control].is_apart:
                of: Literal["space", "search"] = "space" if is_drawn(key) else "search"
                yield Gain(of=of, row=row_name(*key), control=row_name(*control), difference=difference)

    @cached_property
    def ranks(self) -> tuple[RankQuality, ...]:
        """How well what searches in each space read ranks its architectures."""
        return tuple(rank_qualities(self.run, self.trained_on or self.task))

    @cached_property
    def again(self) -> Splits | None:
        """What the rule says of the reference against itself; None without the row."""
        if self.reference is None:
            return None
        method, space = self.reference
        return self.scores.splits(self.reference, (f"{method} again", space), self.held_out)

    def _ranked(self, rows: list[Row]) -> list[Row]:
        """Returns the rows in display order, complete ones with ranks."""
        complete = [
            row
            for row in rows
            if row.is_complete and not (row.is_floor or row.is_variant or row.outside or row.marks.is_apart)
        ]
        scores = [self.sign * row.held_out.value for row in complete if row.held_out]
        ranked = [
            replace(row, rank=at.rank, rank_best=at.best, rank_worst=at.worst, unbeaten=at.unbeaten)
            for row, at in zip(complete, placements(scores, partial(self._test, complete)), strict=True)
        ]
        ranked.sort(key=lambda row: (row.rank or 0, row.method, row.space or ""))
        others = [row for row in rows if row not in complete]
        return ranked + sorted(others, key=lambda row: (row.is_floor, row.method, row.space or ""))

    def _test(self, rows: Sequence[Row], first: int, second: int) -> tuple[float, float] | None:
        """Returns how much better one row is than another, and p; None with too few seeds or groups."""
        found = self.scores.effect(rows[first].key, rows[second].key, self.held_out)
        if found is None or not found.is_judged or found.p is None:
            return None
        return self.sign * found.value, found.p

    def _notes(self, rows: Sequence[Row]) -> list[str]:
        notes = [SELECTION_NOTES[self.selection]] if self.selection in SELECTION_NOTES else []
        if self.trained_on is not None:
            notes.append(
                zero_shot_note([one for found in self.elsewhere.values() for one in found], self.trained_on)
            )
        if self.folds:
            notes.append(in_turn_note(self.folds))
        if self.left_out:
            notes.append(f"Left out, as sealed: {', '.join(self.left_out)}.")
        if self.stratum.endswith(SEEN):
            notes.append(seen_note(self.held_out))
        first = {domain: places[0] for domain, places in self.inside.items()}
        for domain, place in (*first.items(), *zip(self.held_out, self.held_out, strict=True)):
            of_rows = (one.sums.groups for (_, name), one in self.scores.found.items() if name == place)
            groups = max(of_rows, default=0)
            if 0 < groups < LEAST_GROUPS:
                notes.append(few_groups_note(domain, groups))
        if self.again is not None and self.reference is not None:
            notes.append(again_note(self.reference[0], self.again))
        notes += rank_notes(self.ranks)
        notes += tuning_note(self.run, self.trained_on or self.task)
        notes += self._stability([row for row in rows if row.rank is not None])
        if any(cell.limited for row in rows for cell in row.cells):
            notes.append("‡ scored on a limited sample (--limit).")
        notes += [
            f"{row.name}: {100 * row.llm.repaired:.0f} % of the model's proposals lay outside of the window "
            f"of parameters; the nearest legal one was taken, {row.llm.choices_changed:.1f} choices away."
            for row in rows
            if row.llm and row.llm.repaired
        ]
        notes += [note for row in rows for note in end_notes(row.name, row.llm)]
        if outside := {f"{row.name} ({row.outside})" for row in rows if row.outside}:
            notes.append(
                f"{OUTSIDE} had training data from outside and is not ranked: {', '.join(sorted(outside))}."
            )
        notes += mark_notes([Marked(row.name, row.marks) for row in rows])
        if any(not row.is_complete for row in rows):
            notes.append("Rows with a failed (✗) or missing (—) score are not ranked.")
        notes += lost_notes(rows)
        return notes

    def _stability(self, ranked: Sequence[Row]) -> list[str]:
        """Says how far the order hangs on which domains were held out."""
        domains = self.held_out
        if len(ranked) < 2 or len(domains) < 2:
            return []
        scores = [[self.scores.found[row.key, one].sums.by_seed.mean() for one in domains] for row in ranked]
        kept = stability(
            self.sign * np.array(scores),
            self.families,
            generator=generator(0, "stability", self.task, *domains),
        )
        counts = {"domains": len(domains), "families": len(set(self.families)), "rows": len(ranked)}
        return [stability_note(kept.order, kept.first, **counts)]
