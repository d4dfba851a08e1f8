"""Two searchers of a run on a table: independent searches, per domain and over all."""

from collections.abc import Sequence

import numpy as np

from harness.board.comparison import (
    OVERALL,
    Compared,
    ComparedPart,
    RowComparison,
    adjusted,
    find_row,
    sentence,
)
from harness.board.scale import Scale
from harness.board.values import Difference
from harness.errors import HarnessError
from harness.identity.unit import Unit
from harness.run.loaded import Run
from harness.stats.effect import seed_effect
from harness.stats.sums import Array
from harness.study.lookup.board import (
    LookupBoard,
    LookupRanking,
    at_budget,
    blocks_of,
    build_lookup_board,
    reached,
)
from harness.study.lookup.tables import feedback_name
from harness.study.lookup.units import TABLE, LookupSpec, Searches

REGRET = Scale(unit="percent", higher_is_better=False, decimals=2)


def compare_lookup(run: Run, first: str, second: str, metric: str | None = None) -> RowComparison:
    """Returns two searchers at every feedback and budget, that of the run's verdict first."""
    if metric is not None:
        raise HarnessError(f"{run.name} looks scores up in a table, which has no other metric.")
    board = build_lookup_board(run)
    names = sorted(row.method for row in board.rankings[0].rows)
    chosen = (find_row(first, names), find_row(second, names))
    if chosen[0] == chosen[1]:
        raise HarnessError(f"{chosen[0]} cannot be compared with itself; name two rows.")
    for row in (board.rankings[0].row(name) for name in chosen):
        if row is not None and row.marks.is_apart:
            raise HarnessError(
                f"{row.method} {row.marks.why}, so nothing pairs with it; run `{run.command}` again."
            )
    budget = max(ranking.budget for ranking in board.rankings)
    head = board.ranking(board.rankings[0].feedback, budget)
    order = [head, *(ranking for ranking in board.rankings if ranking is not head)]
    parts = tuple(_part(run, board, ranking, chosen) for ranking in order)
    return RowComparison(
        name=run.name, first=chosen[0], second=chosen[1], sentence=parts[0].sentence, parts=parts
    )


def _part(run: Run, board: LookupBoard, ranking: LookupRanking, names: tuple[str, str]) -> ComparedPart:
    table = next(map(run.result, run.planned(TABLE)), None)
    rows = [row for row in map(ranking.row, names) if row]
    blocks = blocks_of(run)
    domains, regrets = [], []
    for index, (domain, scale) in enumerate(board.scales.items()):
        lacking = next((row for row in rows if row.cells[index].state != "ok"), None)
        if lacking is not None:
            cell = lacking.cells[index]
            reason = f"{lacking.method} has no score on {domain} ({cell.state}: {cell.reason})"
            domains.append(Compared(where=domain, scale=scale, state=cell.state, reason=reason))
        elif table is None:
            domains.append(_missing(domain, scale, "the table was not read yet"))
        else:
            about = table.domains[domain]
            tests = [
                _tests(run, blocks[name, domain, ranking.feedback], ranking.budget, about.mean)
                for name in names
            ]
            regrets.append([about.regret(one) for one in tests])
            domains.append(_compared(domain, scale, *(scale.sign * one for one in tests)))
    if len(regrets) == len(domains):
        means = (np.mean([pair[side] for pair in regrets], axis=0) for side in (0, 1))
        overall = _compared(OVERALL, REGRET, *means)
    else:
        reason = next((one.reason for one in domains if one.reason), "a score lacks")
        overall = _missing(OVERALL, REGRET, reason)
    heading = f"{board.table}, {ranking.budget} evaluations, {feedback_name(board, ranking.feedback)}"
    return ComparedPart(
        heading=heading,
        what="each domain in its own unit, the mean as normalised regret in % (lower is better)",
        overall=overall,
        domains=adjusted(domains),
        sentence=sentence(heading, names, overall, over="of normalised regret", kind="difference"),
    )


def _tests(run: Run, blocks: Sequence[Unit[LookupSpec, Searches]], budget: int, mean: float) -> Array:
    return reached(filter(None, map(run.result, at_budget(blocks, budget))), budget, mean)[0]


def _missing(where: str, scale: Scale, reason: str) -> Compared:
    return Compared(where=where, scale=scale, state="missing", reason=reason)


def _compared(where: str, scale: Scale, first: Array, second: Array) -> Compared:
    return Compared(
        where=where,
        scale=scale,
        first=float(first.mean()),
        second=float(second.mean()),
        difference=Difference.of(seed_effect(first, second)),
        samples=min(first.size, second.size),
    )
