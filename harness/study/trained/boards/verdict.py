"""The verdict: one sentence per task made from the paired interval of a comparison fixed in advance."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from harness.board.marks import STALE
from harness.board.values import Difference, Outcome
from harness.board.wording import listed, show, show_correlation, show_difference, unit_of_difference
from harness.catalog import metric_of
from harness.run.loaded import Run
from harness.stats.effect import LEAST_GROUPS, LEAST_SEEDS
from harness.stats.equal import MOST_OUTSIDE
from harness.study.trained.boards.notes import CORRUPTIONS
from harness.study.trained.boards.values import Board, Row, TaskBoard, is_drawn
from harness.study.trained.settings import PlannedSuite
from harness.study.trained.units import RowSpec
from harness.study.work.units import PREPARE, SourcesSpec

MOST_REPAIRED = 0.5
"""Share of a language model's proposals above which repairs, and not the model, searched."""


class TaskVerdict(NamedTuple):
    """What one task says of the claim, the sentence that says so, and whether a fixed row is above it."""

    task: str
    outcome: Outcome
    sentence: str
    fixed_above: bool = False


def trained_verdict(board: Board) -> str:
    """Returns the verdict of the whole run: first the sentence over all tasks, then one per task."""
    verdicts = [task_verdict(board, task) for task in board.decisive]
    sentences = [overall(board, verdicts), *(one.sentence for one in verdicts)]
    return " ".join(sentences)


def trained_wants(run: Run, board: Board) -> Iterator[str]:
    """Yields what each task without a verdict would need: seeds with their cost, samples, other domains."""
    for task in board.decisive:
        row = task.row(*board.claim) if board.claim else None
        if row is None or row.difference is None:
            continue
        seeds = row.difference.seeds
        if seeds is not None and seeds < LEAST_SEEDS:
            spent = [
                timing.seconds
                for unit in run.units
                if isinstance(unit.spec, SourcesSpec | RowSpec)
                and unit.spec.task in (task.task, task.trained_on)
                and (timing := run.timings.get(unit.hash))
            ]
            hours = sum(spent) / 3600 * (LEAST_SEEDS - seeds) / len(PlannedSuite.of(run).seeds)
            yield (
                f"{task.title}: {LEAST_SEEDS - seeds} more seeds in `seeds`, about {hours:.2g} hours of one "
                "process as fast as those of this run."
            )
        if _control_failed(board, task):
            yield f"{task.title}: more seeds in `seeds`, as the control failed under these."
        for cell in row.on("held_out"):
            if not cell.difference or not (groups := cell.difference.groups) or groups >= LEAST_GROUPS:
                continue
            prepared = (
                run.result(unit)
                for unit in run.planned(PREPARE)
                if (unit.spec.task, unit.spec.domain) == (task.task, cell.domain)
            )
            in_test = next((found.groups["test"] for found in prepared if found), 0)
            there = cell.of.groups if cell.of else in_test
            if there >= LEAST_GROUPS:
                yield f"{task.title}: more samples of {cell.domain}, which has {there} groups."
            else:
                yield f"{task.title}: another domain, as {cell.domain} has no more than {there} groups."


def overall(board: Board, verdicts: list[TaskVerdict]) -> str:
    """Returns the sentence over all tasks; it claims an effect only where every task does."""
    if board.claim is None:
        return "The suite fixes no claim, so there is no verdict."
    claim, tasks = board.claimed, len(verdicts)
    if not verdicts:
        return "Every held-out domain is of a family that a source is of, so there is no verdict."
    every = "the one board" if tasks == 1 else f"all {tasks} boards"
    is_corrupted = all(task.is_corrupted for task in board.decisive)
    where, of = (CORRUPTIONS, f" of {CORRUPTIONS}") if is_corrupted else ("held-out domains", "")
    outcomes = {one.outcome for one in verdicts}
    if outcomes == {"better"}:
        above = listed([one.task for one in verdicts if one.fixed_above])
        but = f", but a fixed architecture that no search chose is above both on {above}" if above else ""
        return f"On {where} {claim} is better than {board.reference} on {every}{but}."
    if outcomes == {"worse"}:
        return f"On {where} {claim} is worse than {board.reference} on {every}."
    if outcomes == {"no verdict"}:
        on = f" on {CORRUPTIONS}" if is_corrupted else ""
        return f"This run gives no verdict on whether {claim} holds up better{on} than {board.reference}."
    if outcomes <= {"cannot tell", "same", "no verdict"}:
        return f"This run cannot tell whether {claim} holds up better on {where} than {board.reference} does."
    counts = Counter(one.outcome for one in verdicts)
    words: dict[Outcome, str] = {
        "better": "better on {}",
        "worse": "worse on {}",
        "same": "the same on {}",
        "cannot tell": "not to be told apart on {}",
        "no verdict": "without a verdict on {}",
    }
    found = [text.format(counts[outcome]) for outcome, text in words.items() if counts[outcome]]
    disagree = " The signs disagree, so no one sentence holds." if {"better", "worse"} <= outcomes else ""
    return (
        f"Over {tasks} boards{of} there is no single answer: against {board.reference}, {claim} is "
        f"{listed(found)} of them.{disagree}"
    )


def task_verdict(board: Board, task: TaskBoard) -> TaskVerdict:
    """Returns the verdict of one task; it never looks at which row came out best."""
    if board.claim is None:
        return TaskVerdict(task.title, "no verdict", f"{task.title}: the suite fixes no claim.")
    row, reference = task.row(*board.claim), task.row(board.reference)
    claim = board.claimed
    if (
        row is None
        or reference is None
        or row.difference is None
        or not (row.held_out and reference.held_out)
    ):
        why = _why_incomplete(row, claim) or _why_incomplete(reference, board.reference)
        why = why or f"{claim} is the reference itself"
        return TaskVerdict(task.title, "no verdict", f"{task.title}: no verdict, because {why}.")
    difference = row.difference
    mine, other = (show(task.metric, one.value, unit=True) for one in (row.held_out, reference.held_out))
    start = (
        f"{task.title}: {claim} scores {mine} on {_fixed(task)}, {board.reference} {other}; the "
        f"{'paired ' if difference.by_seed else ''}difference over {_seeds(board, row, difference)} is "
        f"{show_difference(task.metric, difference)}"
    )
    stale = _stale(row, reference)
    if lacking := list(refusals(board, task, row)):
        return TaskVerdict(
            task.title, "no verdict", f"{start}: no verdict, because {listed(lacking)}.{_floor(task)}{stale}"
        )
    outcome = outcome_of(task, difference)
    subject = "the search" if row.space else row.method
    words = {
        "better": f"{subject} holds up better",
        "worse": f"{subject} holds up worse",
        "same": "the two are alike on every group of every seed",
        "cannot tell": "this run cannot tell; it would find a true difference of "
        f"{show(task.metric, difference.detectable)} {unit_of_difference(task.metric)} four times in five",
    }[outcome]
    if difference.beyond is not None and difference.beyond < 0.05:
        words += f", and any difference is within the suite's margin (p = {difference.beyond:.3f})"
    fixed = _fixed_above(task, row)
    more = _at_equal(board, task, row) + _by_chance(task, row) + fixed + _floor(task) + stale
    return TaskVerdict(task.title, outcome, f"{start}: {words}.{more}", bool(fixed))


def _fixed(task: TaskBoard) -> str:
    """Says that the domains are these, so that an interval speaks of no others, and what they are."""
    count = len(task.held_out)
    are = f", {CORRUPTIONS}" if task.is_corrupted else ""
    return f"{count} fixed held-out domain{'s' if count > 1 else ''}{are}"


def outcome_of(task: TaskBoard, difference: Difference) -> Outcome:
    """Returns what the decision says of a row, as people read its metric."""
    return difference.outcome(higher_is_better=metric_of(task.metric).higher_is_better)


def refusals(board: Board, task: TaskBoard, row: Row) -> Iterator[str]:
    """Yields why a task gives no verdict on a row."""
    assert row.difference is not None
    if row.difference.seeds is not None and row.difference.seeds < LEAST_SEEDS:
        yield f"there are {row.difference.seeds} report seeds of the {LEAST_SEEDS} that it takes"
    few = {cell.domain: cell.difference.groups for cell in row.on("held_out") if cell.difference}
    for domain, groups in few.items():
        if groups is not None and groups < LEAST_GROUPS:
            yield f"{domain} counts as {groups:.0f} groups of the {LEAST_GROUPS} that it takes"
    if row.llm is not None and row.llm.repaired > MOST_REPAIRED:
        yield (
            f"{100 * row.llm.repaired:.0f} % of its model's proposals lay outside of the parameter window, "
            "so that repairs searched, and not the model"
        )
    if task.is_path_only:
        yield "the suite shows the path only: its networks are trained too little to pass the floor in domain"
    elif task.is_past_floor is False:
        yield "the reference does not pass the floor in domain, so this is no regime that answers"
    if failed := _control_failed(board, task):
        yield failed


def _control_failed(board: Board, task: TaskBoard, *, at_equal: bool = False) -> str:
    """Says so where the rule tells the reference from itself under other seeds; empty where it does not."""
    again = task.row(f"{board.reference} again")
    scored = again.at_equal if again is not None and at_equal else again
    difference = scored.difference if scored is not None else None
    if difference is None or outcome_of(task, difference) not in ("better", "worse"):
        return ""
    return (
        f"the control failed: {board.reference} under other seeds differs from itself by "
        f"{show_difference(task.metric, difference)}"
    )


def _at_equal(board: Board, task: TaskBoard, row: Row) -> str:
    """Says what is left of the difference at equal in-domain score, or why nothing is said of it."""
    if task.line is None:
        return ""
    why, equal = task.line.lacks, row.at_equal
    if equal is not None and equal.beyond > MOST_OUTSIDE:
        why = (
            f"{100 * equal.beyond:.0f} % of its trainings have an in-domain score that no training of the "
            "reference has"
        )
    why = why or _control_failed(board, task, at_equal=True)
    if equal is None or why:
        return f" Nothing is said at equal in-domain score{f', because {why}' if why else ''}."
    told = {
        "better": "better",
        "worse": "worse",
        "same": "alike",
        "cannot tell": "not to be told apart",
        "no verdict": "no verdict",
    }[outcome_of(task, equal.difference)]
    return f" At equal in-domain score it is {show_difference(task.metric, equal.difference)}: {told}."


def _by_chance(task: TaskBoard, row: Row) -> str:
    """Says so where the scores that a search read are not shown to rank better than chance does."""
    ranks = next((one for one in task.ranks if one.space == row.space), None)
    if ranks is None or ranks.is_shown or is_drawn(row.key):
        return ""
    return (
        " What its search read is not shown to rank better than chance (Kendall's tau "
        f"{show_correlation(ranks.tau, ranks.low, ranks.high)} over {ranks.architectures} architectures)."
    )


def _seeds(board: Board, row: Row, difference: Difference) -> str:
    """Says what a seed is: the estimand is the method where each one searches anew."""
    if difference.seeds is None:
        return "networks that no seed changes"
    if row.space is None:
        return f"{difference.seeds} trainings of each"
    if is_drawn(row.key):
        return f"{difference.seeds} random architectures, a training of each"
    given = ", given one supernet," if board.shared_supernet else ""
    return f"{difference.seeds} independent searches with their finals{given}"


def _stale(*rows: Row) -> str:
    """Says so where a row of the claim was made before something changed."""
    return "".join(
        f" {row.name} was made before {' and '.join(row.marks.stale)} changed ({STALE})."
        for row in rows
        if row.marks.stale
    )


def _why_incomplete(row: Row | None, name: str) -> str | None:
    if row is None:
        return f"the run has no row {name}"
    if row.marks.is_apart:
        return f"{name} {row.marks.why}"
    for cell in row.on("held_out"):
        if cell.state != "ok":
            reason = (cell.reason or "no reason given").rstrip(".")
            return f"{name} has no score on {cell.domain} ({cell.state}: {reason})"
    return None


def _fixed_above(task: TaskBoard, row: Row) -> str:
    """Says so when architectures that no search chose, fixed or random, score above the row of a search."""
    if row.space is None or row.held_out is None:
        return ""
    sign = metric_of(task.metric).sign
    at = sign * row.held_out.value
    above = [
        f"{one.name} ({show(task.metric, one.held_out.value, unit=True)})"
        for one in task.rows
        if one.rank is not None
        and (one.space is None or is_drawn(one.key))
        and one.held_out
        and sign * one.held_out.value > at
    ]
    if not above:
        return ""
    many = len(above) > 1
    return (
        f" The row{'s' if many else ''} {listed(above)}, whose architecture no search chose, "
        f"{'are' if many else 'is'} above it."
    )


def _floor(task: TaskBoard) -> str:
    """Says so when rows that learn are below the one that does not."""
    floor = next((row for row in task.rows if row.is_floor and row.held_out), None)
    ranked = [row for row in task.rows if row.rank is not None and row.held_out]
    if floor is None or floor.held_out is None or not ranked:
        return ""
    sign = metric_of(task.metric).sign
    at = sign * floor.held_out.value
    below = [row for row in ranked if row.held_out and sign * row.held_out.value < at]
    value = show(task.metric, floor.held_out.value, unit=True)
    if len(below) == len(ranked):
        return f" The floor ({value}) does better than every ranked row, so none has shown itself of use."
    if below:
        return f" The floor ({value}) does better than {len(below)} of {len(ranked)} ranked rows."
    return ""
