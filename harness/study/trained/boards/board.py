"""From rows to a board: ranks, what stands beside the rows, and the notes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Literal, get_args

import numpy as np

from harness.board.language_model import end_notes, stand_in_notes
from harness.board.marks import OUTSIDE, Marked, mark_notes
from harness.board.values import Difference, Pair, Splits, row_name
from harness.catalog import metric_of
from harness.language.export import lm_eval_name
from harness.run.loaded import Run
from harness.seeds import generator
from harness.stats.effect import LEAST_GROUPS
from harness.stats.ranks import kendall, kendall_interval, placements, stability
from harness.study.published import ForeignRow, Published, published_on
from harness.study.settings import CORRUPTED, LM_EVAL, SEEN, PlannedTask
from harness.study.trained.boards.notes import (
    SELECTION_NOTES,
    again_note,
    corrupted_note,
    few_groups_note,
    in_turn_note,
    lost_notes,
    rank_notes,
    regime_note,
    same_notes,
    seen_note,
    stability_note,
    tuning_note,
    zero_shot_chance,
    zero_shot_note,
)
from harness.study.trained.boards.rows import TaskRows, task_rows
from harness.study.trained.boards.values import Board, Gain, RankQuality, Row, TaskBoard, is_drawn
from harness.study.trained.results import ZeroShotScore
from harness.study.trained.settings import PlannedSuite
from harness.study.trained.units import Variant
from harness.study.work.units import INHERITED, SCRATCH, Scratch
from harness.task.metric import Need

MOST_PAIRED = 12
"""Ranked rows that a report can take as the reference in place of the suite's."""


def build_trained_board(run: Run) -> Board:
    """Returns the board of a run that trains, complete or not.

    Raises:
        HarnessError: the scores of a finished unit are gone or damaged.
    """
    return board_of(run, task_rows(run))


def board_of(run: Run, tasks: Sequence[TaskRows]) -> Board:
    """Returns the board of a run from what `task_rows` gave."""
    suite = PlannedSuite.of(run)
    claim = suite.claim
    return Board(
        name=run.name,
        title=run.title,
        limit=run.limit,
        reference=suite.reference,
        shared_supernet=suite.search.shared_supernet,
        claim=(claim.method, claim.space or None) if claim else None,
        tasks=tuple(_task_board(of) for of in tasks),
    )


def _task_board(of: TaskRows) -> TaskBoard:
    rows = _ranked(of, [of.row(key) for key in of.keys])
    chance = of.entry.chance if of.trained_on is None else zero_shot_chance(_elsewhere(of), of.metric)
    trained = PlannedSuite.of(of.run).task(of.trained_on or of.task)
    board = TaskBoard(
        task=of.task,
        selection=of.selection,
        metric=of.entry.metric,
        chance=chance,
        trained_on=of.trained_on,
        stratum=of.stratum,
        regime=_regime(of, rows),
        is_path_only=isinstance(trained, PlannedTask) and trained.regime == "path only",
        again=_again(of),
        gains=tuple(_gains(of)),
        line=of.line,
        ranks=tuple(_rank_qualities(of.run, of.trained_on or of.task)),
        sources=of.sources,
        held_out=of.held_out,
        folds=of.folds,
        rows=tuple(rows),
        pairs=tuple(_pairs(of, rows)),
        published=published_on(
            PlannedSuite.of(of.run).published, {f"{of.task}/{one}": one for one in of.held_out}
        ),
        notes=(),
    )
    return replace(board, notes=tuple(_notes(of, board)))


def _elsewhere(of: TaskRows) -> dict[str, list[ZeroShotScore]]:
    """Returns held-out domain -> the scores of all rows by lm-eval's own code."""
    return {
        domain: [
            result
            for (_, place), units in of.units.items()
            for unit in units
            if place == domain and isinstance(result := of.run.result(unit), ZeroShotScore)
        ]
        for domain in of.held_out
    }


def _regime(of: TaskRows, rows: Sequence[Row]) -> Difference | None:
    """Returns the reference minus the best floor, in domain; None without the two."""
    floors = [(row.key, row.in_domain.value) for row in rows if row.is_floor and row.in_domain]
    if of.reference is None or not floors:
        return None
    best, _ = max(floors, key=lambda floor: of.metric.sign * floor[1])
    return of.scores.difference(of.reference, best, of.every_source)


def _again(of: TaskRows) -> Splits | None:
    """Returns what the rule says of the reference against itself; None without the row."""
    if of.reference is None:
        return None
    again = (f"{of.reference[0]} again", of.reference[1])
    return of.scores.splits(of.reference, again, of.held_out)


def _pairs(of: TaskRows, rows: Sequence[Row]) -> Iterator[Pair]:
    """Yields each ranked row minus each later one, by the labels that figures have."""
    ranked = [row for row in rows if row.rank is not None][:MOST_PAIRED]
    for first, second in combinations(ranked, 2):
        found = of.scores.difference(first.key, second.key, of.held_out)
        if found is not None:
            yield Pair(first.label, second.label, found.value, found.low, found.high)


def _gains(of: TaskRows) -> Iterator[Gain]:
    """Yields what each space, and each search, gives beside random architectures."""
    drawn = {key[1]: key for key in of.keys if is_drawn(key)}
    plain = drawn.get(PlannedSuite.of(of.run).tuned_space)
    for key in of.keys:
        control = plain if is_drawn(key) else drawn.get(key[1])
        is_variant = key[0].rpartition(" ")[2] in get_args(Variant)
        if key[1] is None or control in (None, key) or is_variant or of.marks[key].is_apart:
            continue
        difference = of.scores.difference(key, control, of.held_out)
        if difference is not None and not of.marks[control].is_apart:
            what: Literal["space", "search"] = "space" if is_drawn(key) else "search"
            yield Gain(of=what, row=row_name(*key), control=row_name(*control), difference=difference)


def _ranked(of: TaskRows, rows: list[Row]) -> list[Row]:
    """Returns the rows in display order, complete ones with ranks."""
    complete = [
        row
        for row in rows
        if row.is_complete and not (row.is_floor or row.is_variant or row.outside or row.marks.is_apart)
    ]
    scores = [of.metric.sign * row.held_out.value for row in complete if row.held_out]
    ranked = [
        replace(row, rank=at.rank, rank_best=at.best, rank_worst=at.worst, unbeaten=at.unbeaten)
        for row, at in zip(complete, placements(scores, partial(_test, of, complete)), strict=True)
    ]
    ranked.sort(key=lambda row: (row.rank or 0, row.method, row.space or ""))
    others = [row for row in rows if row not in complete]
    return ranked + sorted(others, key=lambda row: (row.is_floor, row.method, row.space or ""))


def _test(of: TaskRows, rows: Sequence[Row], first: int, second: int) -> tuple[float, float] | None:
    """Returns how much better one row is than another, and p; None with too few seeds or groups."""
    found = of.scores.effect(rows[first].key, rows[second].key, of.held_out)
    if found is None or not found.is_judged or found.p is None:
        return None
    return of.metric.sign * found.value, found.p


def _notes(of: TaskRows, board: TaskBoard) -> list[str]:
    rows = board.rows
    notes = [SELECTION_NOTES[of.selection]] if of.selection in SELECTION_NOTES else []
    if of.trained_on is not None:
        scores = [one for found in _elsewhere(of).values() for one in found]
        notes.append(zero_shot_note(scores, of.trained_on))
    if of.folds:
        notes.append(in_turn_note(of.folds))
    if of.entry.left_out:
        notes.append(f"Left out, as sealed: {', '.join(of.entry.left_out)}.")
    if of.stratum.endswith(SEEN):
        notes.append(seen_note(of.held_out))
    if of.stratum.endswith(CORRUPTED):
        notes.append(corrupted_note(of.held_out))
    first = {domain: places[0] for domain, places in of.inside.items()}
    for domain, place in (*first.items(), *zip(of.held_out, of.held_out, strict=True)):
        of_rows = (one.sums.groups for (_, name), one in of.scores.found.items() if name == place)
        groups = max(of_rows, default=0)
        if 0 < groups < LEAST_GROUPS:
            notes.append(few_groups_note(domain, groups))
    if board.regime is not None:
        notes.append(regime_note(board.metric, board.regime, is_past=bool(board.is_past_floor)))
    if board.again is not None and of.reference is not None:
        notes.append(again_note(of.reference[0], board.again))
    notes += rank_notes(board.ranks)
    notes += tuning_note(of.run, of.trained_on or of.task)
    notes += same_notes(of.run, of.trained_on or of.task, of.selection, of.keys)
    notes += _stability(of, [row for row in rows if row.rank is not None])
    if any(cell.limited for row in rows for cell in row.cells):
        notes.append("‡ scored on a limited sample (--limit).")
    notes += [
        f"{row.name}: {100 * row.llm.repaired:.0f} % of the model's proposals lay outside of the window "
        f"of parameters; the nearest legal one was taken, {row.llm.choices_changed:.1f} choices away."
        for row in rows
        if row.llm and row.llm.repaired
    ]
    notes += stand_in_notes(row.llm for row in rows)
    notes += [note for row in rows for note in end_notes(row.name, row.llm)]
    outside = {f"{row.name} ({row.outside})" for row in rows if row.outside}
    if outside:
        notes.append(
            f"{OUTSIDE} had training data from outside and is not ranked: {', '.join(sorted(outside))}."
        )
    notes += mark_notes([Marked(row.name, row.marks) for row in rows])
    if any(not row.is_complete for row in rows):
        notes.append("Rows with a failed (✗) or missing (—) score are not ranked.")
    notes += lost_notes(rows)
    return notes


def _stability(of: TaskRows, ranked: Sequence[Row]) -> list[str]:
    """Says how far the order hangs on which domains were held out."""
    domains = of.held_out
    families = [of.entry.families.get(name, name) for name in domains]
    if len(ranked) < 2 or len(set(families)) < 2:
        return []  # a resample of one family is that family
    scores = [[of.scores.found[row.key, one].sums.by_seed.mean() for one in domains] for row in ranked]
    kept = stability(
        of.metric.sign * np.array(scores), families, generator=generator(0, "stability", of.task, *domains)
    )
    counts = {"domains": len(domains), "families": len(set(families)), "rows": len(ranked)}
    return [stability_note(kept.order, kept.first, **counts)]


def _rank_qualities(run: Run, task: str) -> Iterator[RankQuality]:
    """Yields the rank quality of each space of a task whose drawn architectures all have their scores.

    Where domains are held out in turn, slices and trainings of one fold are held against each other.
    """
    slices = [unit for unit in run.planned(INHERITED) if unit.spec.task == task]
    trained = [unit for unit in run.planned(SCRATCH) if unit.spec.task == task]
    for space in dict.fromkeys(unit.spec.space for unit in slices):
        alone: dict[tuple[str, ...], list[Scratch]] = {}
        for unit in sorted(trained, key=lambda unit: unit.spec.index):
            if unit.spec.space == space and (result := run.result(unit)) is not None:
                alone.setdefault(unit.spec.sources, []).append(result)
        of_space = [unit for unit in slices if unit.spec.space == space]
        pairs = [
            (found, truth)
            for unit in of_space
            if (found := run.result(unit)) is not None
            and len(truth := alone.get(unit.spec.sources, [])) == len(found.scores)
        ]
        if len(pairs) < len(of_space):
            continue
        taus = [
            [
                float(kendall(one, [other.score for other in truth])[0])
                for one in (found.scores, found.parameters)
            ]
            for found, truth in pairs
        ]
        tau, by_parameters = map(float, np.mean(taus, axis=0))
        if np.isfinite(tau):
            count = len(pairs[0][1])
            low, high = kendall_interval(tau, count)
            yield RankQuality(
                space=str(space),
                tau=tau,
                low=low,
                high=high,
                architectures=count,
                supernets=len(pairs),
                by_parameters=by_parameters if np.isfinite(by_parameters) else None,
            )


def with_foreign(board: Board, rows: Sequence[ForeignRow]) -> Board:
    """Returns the board with these rows, unranked, on the tasks of which they have a score."""
    return replace(board, tasks=tuple(_joined(board.name, task, rows) for task in board.tasks))


def _joined(suite: str, task: TaskBoard, rows: Sequence[ForeignRow]) -> TaskBoard:
    found = [
        Published(name=row.name, source=row.source, scores=scores, parameters=row.parameters)
        for row in rows
        if (scores := dict(_scores(suite, task, row)))
    ]
    return replace(task, published=(*task.published, *found))


def _scores(suite: str, task: TaskBoard, row: ForeignRow) -> Iterator[tuple[str, float]]:
    """Yields the domains of a task that a row has a score of, which is of the task's metric."""
    for domain in task.held_out:
        found = next((row.scores[name] for name in _names(suite, task, domain) if name in row.scores), None)
        score = None if found is None else _of_metric(task.metric, found)
        if score is not None:
            yield domain, score


def _names(suite: str, task: TaskBoard, domain: str) -> tuple[str, ...]:
    """Returns what other programs may call a domain: as it is written here, or exported for lm-eval."""
    owner, _, part = domain.rpartition("/")  # questions are of a task of their own
    name = owner or task.task
    theirs = domain.removeprefix(LM_EVAL)
    return f"{task.task}/{domain}", lm_eval_name(name, part, suite), lm_eval_name(name, part), theirs


def _of_metric(name: str, measured: Mapping[Need, float]) -> float | None:
    """Returns the score that is the metric's; only a plain share of right predictions is one of others."""
    metric = metric_of(name)
    if metric.needs == "bits":
        return measured.get("bits")
    is_share = metric.needs == "prediction" and not metric.is_balanced and metric.read is None
    return measured.get("prediction") if is_share else None
