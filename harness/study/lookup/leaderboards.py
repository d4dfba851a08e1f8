"""The rankings of a suite on a table, at its largest budget, a leaderboard for each feedback."""

from collections.abc import Iterator

from harness import catalog
from harness.board.leaderboard import Leaderboard, LeaderboardRow
from harness.board.scale import with_interval
from harness.board.values import Estimate
from harness.study.lookup.board import LookupBoard, LookupRow
from harness.study.lookup.tables import lookup_sentence, ranking_table, regret_table
from harness.study.published import published_tables


def lookup_leaderboards(board: LookupBoard) -> Iterator[Leaderboard]:
    """Yields the leaderboard of each feedback; the table of all budgets stands beside the first."""
    budget = max(ranking.budget for ranking in board.rankings)
    space = _space(board.table)
    more = (regret_table(board), *published_tables(board.table, board.published))
    for ranking in board.rankings:
        if ranking.budget != budget:
            continue
        row, table = ranking.row(board.claim), ranking_table(board, ranking)
        gain = row.difference if row else None
        yield Leaderboard(
            subject=board.table,
            title=f"{board.table}, {ranking.feedback} as feedback, {budget:,} evaluations",
            score="normalised regret in %",
            unit="points of normalised regret",
            factor=100,
            better="lower",
            reference=board.reference,
            claim=lookup_sentence(board, ranking),
            outcome=gain.outcome(higher_is_better=False) if gain else None,
            gain=f"{with_interval(gain, signed=True)} points of regret" if gain else "",
            rows=tuple(
                _row(board, one, line, space) for one, line in zip(ranking.rows, table.rows, strict=False)
            ),
            table=table,
            more=more,
        )
        more = ()


def _row(board: LookupBoard, row: LookupRow, line: tuple[str, ...], space: str | None) -> LeaderboardRow:
    found = row.difference
    is_reference = row.method == board.reference
    return LeaderboardRow(
        method=row.method,
        shown=line[1],
        space=space,
        series=row.method,
        place=line[0],
        rank=row.rank,
        score=row.regret,
        score_text=with_interval(row.regret),
        difference=Estimate(found.value, found.low, found.high) if found else None,
        difference_text="reference" if is_reference else with_interval(found, signed=True),
        seeds=max((cell.seeds for cell in row.cells), default=0),
    )


def _space(table: str) -> str | None:
    """Returns the space that the table's card names; None where the table is not in this catalog."""
    if table not in catalog.files("table"):
        return None
    space = catalog.load("table", table).get("space")
    return str(space) if space else None
