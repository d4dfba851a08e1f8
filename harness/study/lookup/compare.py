"""Two searchers of a run on a table: independent searches, per domain and over all."""

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
from harness.run.loaded import Run
from harness.stats.effect import seed_effect
from harness.stats.sums import Array
from harness.study.lookup.board import LookupBoard, LookupRanking, build_lookup_board
from harness.study.lookup.tables import feedback_name
from harness.study.lookup.units import LOOKUP, TABLE, TableFound

REGRET = Scale(unit="percent", higher_is_better=False, decimals=2)


def compare_lookup(run: Run, first: str, second: str, metric: str | None = None) -> RowComparison:
    """Returns two searchers at every feedback and budget, that of the run's verdict first.

    Raises:
        UnknownNameError: there is no such searcher.
        HarnessError: both names mean one searcher, or another metric is asked for.
    """
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
    table = next(map(run.result, run.planned(TABLE)), None)
    budget = max(ranking.budget for ranking in board.rankings)
    head = board.ranking(board.rankings[0].feedback, budget)
    order = [head, *(ranking for ranking in board.rankings if ranking is not head)]
    parts = tuple(_part(run, board, ranking, table, chosen) for ranking in order)
    return RowComparison(
        name=run.name, first=chosen[0], second=chosen[1], sentence=parts[0].sentence, parts=parts
    )


def _part(
    run: Run,
    board: LookupBoard,
    ranking: LookupRanking,
    table: TableFound | None,
    names: tuple[str, str],
) -> ComparedPart:
    rows = [ranking.row(name) for name in names]
    domains, regrets = [], []
    for domain in board.domains:
        cells = [next(cell for cell in row.cells if cell.domain == domain) for row in rows if row]
        scale = board.scales[domain]
        lacking = next(
            ((name, cell) for name, cell in zip(names, cells, strict=True) if cell.state != "ok"), None
        )
        if lacking is not None:
            name, cell = lacking
            reason = f"{name} has no score on {domain} ({cell.state}: {cell.reason})"
            domains.append(Compared(where=domain, scale=scale, state=cell.state, reason=reason))
            continue
        if table is None:
            reason = "the table was not read yet"
            domains.append(Compared(where=domain, scale=scale, state="missing", reason=reason))
            continue
        tests = [_tests(run, name, domain, ranking) for name in names]
        about = table.domains[domain]
        regrets.append([(about.best.test - one) / about.span for one in tests])
        domains.append(_compared(domain, scale, *(scale.sign * one for one in tests)))
    if len(regrets) == len(domains):
        means = [np.mean([pair[side] for pair in regrets], axis=0) for side in (0, 1)]
        overall = _compared(OVERALL, REGRET, means[0], means[1])
    else:
        lacks = next((one for one in domains if one.reason), None)
        reason = (lacks.reason if lacks else None) or "a score lacks"
        overall = Compared(where=OVERALL, scale=REGRET, state="missing", reason=reason)
    heading = f"{board.table}, {ranking.budget} evaluations, {feedback_name(board, ranking.feedback)}"
    return ComparedPart(
        heading=heading,
        what="each domain in its own unit, the mean as normalised regret in % (lower is better)",
        overall=overall,
        domains=adjusted(domains),
        sentence=sentence(heading, names, overall, over="of normalised regret", kind="difference"),
    )


def _tests(run: Run, method: str, domain: str, ranking: LookupRanking) -> Array:
    """Returns the test score that each search had reached at the budget, shape (seeds,)."""
    wanted = (method, domain, ranking.feedback)
    units = [
        unit
        for unit in run.planned(LOOKUP)
        if (unit.spec.method, unit.spec.domain, unit.spec.feedback) == wanted
    ]
    is_anytime = len({unit.spec.evaluations for unit in units}) == 1
    found = []
    for unit in units:
        result = run.result(unit)
        if result is not None and (is_anytime or unit.spec.evaluations == ranking.budget):
            found += [search.test_at(ranking.budget) for search in result.searches]
    return np.asarray(found, dtype=np.float64)


def _compared(where: str, scale: Scale, first: Array, second: Array) -> Compared:
    return Compared(
        where=where,
        scale=scale,
        first=float(first.mean()),
        second=float(second.mean()),
        difference=Difference.of(seed_effect(first, second)),
        samples=min(first.size, second.size),
    )
