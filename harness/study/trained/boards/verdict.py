"""The verdict: one sentence per task made from the paired interval of a comparison fixed in advance."""

from typing import Literal, NamedTuple

from harness.board.marks import STALE
from harness.board.values import FEW_GROUPS
from harness.board.wording import show, show_difference
from harness.catalog import metric_of
from harness.study.trained.boards.values import Board, Row, TaskBoard

Outcome = Literal["better", "worse", "cannot tell"]


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


def overall(board: Board, verdicts: list[TaskVerdict]) -> str:
    """Returns the sentence over all tasks; it claims an effect only where every task does."""
    if board.claim is None:
        return "The suite fixes no claim, so there is no verdict."
    claim = board.claimed
    counts = {
        outcome: sum(one.outcome == outcome for one in verdicts)
        for outcome in ("better", "worse", "cannot tell")
    }
    tasks = "the one task" if len(verdicts) == 1 else f"all {len(verdicts)} tasks"
    if counts["better"] == len(verdicts) > 0:
        above = " and ".join(one.task for one in verdicts if one.fixed_above)
        but = f", but a fixed architecture that no search chose is above both on {above}" if above else ""
        return f"On held-out domains {claim} is better than {board.reference} on {tasks}{but}."
    if counts["worse"] == len(verdicts) > 0:
        return f"On held-out domains {claim} is worse than {board.reference} on {tasks}."
    parts = [f"{word} on {count}" for word, count in counts.items() if count and word != "cannot tell"]
    if not parts:
        return (
            f"This run cannot tell whether {claim} holds up better on held-out domains than "
            f"{board.reference} does."
        )
    open_tasks = counts["cannot tell"]
    rest = f", and the run cannot tell on {open_tasks}" if open_tasks else ""
    return (
        f"Over {len(verdicts)} tasks this run cannot tell: {claim} is {' and '.join(parts)} "
        f"of them than {board.reference} on held-out domains{rest}."
    )


def task_verdict(board: Board, task: TaskBoard) -> TaskVerdict:
    """Returns the verdict of one task; it never looks at which row came out best."""
    if board.claim is None:
        return TaskVerdict(task.title, "cannot tell", f"{task.title}: the suite fixes no claim.")
    row, reference = task.row(*board.claim), task.row(board.reference)
    claim = board.claimed
    if row is None or reference is None or row.difference is None:
        why = _why_incomplete(row, claim) or _why_incomplete(reference, board.reference)
        why = why or f"{claim} is the reference itself"
        return TaskVerdict(task.title, "cannot tell", f"{task.title}: this run cannot tell, because {why}.")
    outcome = _outcome(row, task)
    assert row.held_out is not None
    assert reference.held_out is not None
    mine, other = (show(task.metric, one.value, unit=True) for one in (row.held_out, reference.held_out))
    subject = "the search" if row.space else row.method
    words = {
        "better": f"{subject} holds up better",
        "worse": f"{subject} holds up worse",
        "cannot tell": "this run cannot tell",
    }[outcome]
    if outcome == "cannot tell" and not row.difference.low <= 0 <= row.difference.high:
        words += (
            ", because its seeds disagree about the direction"
            if _seeds_disagree(row)
            else f", because flips of whole groups give p = {row.difference.p:.3f}"
        )
    sentence = (
        f"{task.title}: {claim} scores {mine} on held-out domains, {board.reference} {other}; the paired "
        f"difference is {show_difference(task.metric, row.difference)}: {words}."
    )
    fixed = _fixed_above(task, row)
    more = _few_groups(task) + fixed + _floor(task) + _stale(row, reference)
    return TaskVerdict(task.title, outcome, sentence + more, bool(fixed))


def _stale(*rows: Row) -> str:
    """Says so where a row of the claim was made before something changed."""
    return "".join(
        f" {row.name} was made before {' and '.join(row.marks.stale)} changed ({STALE})."
        for row in rows
        if row.marks.stale
    )


def _outcome(row: Row, task: TaskBoard) -> Outcome:
    difference = row.difference
    assert difference is not None
    if difference.low <= 0 <= difference.high:
        return "cannot tell"
    if difference.p >= 0.05 or _seeds_disagree(row):
        return "cannot tell"
    return "better" if (difference.value > 0) == metric_of(task.metric).higher_is_better else "worse"


def _seeds_disagree(row: Row) -> bool:
    by_seed = row.difference.by_seed if row.difference else ()
    return min(by_seed, default=0.0) < 0 < max(by_seed, default=0.0)


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


def _few_groups(task: TaskBoard) -> str:
    """Says so when resampling groups cannot carry the interval."""
    few = [
        cell.domain
        for cell in (task.rows[0].on("held_out") if task.rows else ())
        if cell.groups is not None and cell.groups < FEW_GROUPS
    ]
    if not few:
        return ""
    return f" That interval is too narrow: fewer than {FEW_GROUPS} groups in {' and '.join(few)}."


def _fixed_above(task: TaskBoard, row: Row) -> str:
    """Says so when a fixed architecture, which no search chose, scores above the claimed row of a search."""
    if row.space is None:
        return ""
    sign = metric_of(task.metric).sign
    assert row.held_out is not None
    at = sign * row.held_out.value
    above = [
        f"{one.name} ({show(task.metric, one.held_out.value, unit=True)})"
        for one in task.rows
        if one.rank is not None and one.space is None and one.held_out and sign * one.held_out.value > at
    ]
    if not above:
        return ""
    if len(above) == 1:
        return f" The fixed architecture {above[0]}, which no search chose, is above it."
    listed = f"{', '.join(above[:-1])} and {above[-1]}"
    return f" The fixed architectures {listed}, which no search chose, are above it."


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
