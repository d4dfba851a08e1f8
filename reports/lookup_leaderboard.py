"""The ranked searchers of a suite on a table, at every budget and feedback."""

from collections.abc import Sequence

from harness import Axes, Block, Figure, LookupBoard, Run, Section, draw, forest
from harness.board.scale import percent
from harness.study.lookup.board import LookupRanking
from harness.study.lookup.tables import ranking_table, regret_table
from harness.study.published_table import published_tables


def render(run: Run, board: LookupBoard) -> Block:
    budget = max(ranking.budget for ranking in board.rankings)
    last = [ranking for ranking in board.rankings if ranking.budget == budget]
    figures = [_figure(board, ranking) for ranking in last if any(row.regret for row in ranking.rows)]
    others = [ranking for ranking in board.rankings if ranking.budget != budget]
    tables = [ranking_table(board, one) for one in last]
    tables += [*published_tables(board.table, board.published), regret_table(board)]
    tables += [ranking_table(board, one) for one in others]
    return Block(figures=tuple(figures), tables=tuple(tables))


def _figure(board: LookupBoard, ranking: LookupRanking) -> Figure:
    rows = [row for row in ranking.rows if row.regret]

    def paint(axes: Sequence[Axes]) -> None:
        forest(axes[0], [row.method for row in rows], [row.regret for row in rows if row.regret], scale=100)
        axes[0].set_xlabel("normalised regret in %, left is better")
        axes[0].set_title(f"{ranking.feedback} as feedback, {ranking.budget} evaluations")

    first = rows[0]
    assert first.regret is not None
    alt = (
        f"{board.table}: normalised regret with 95 % intervals, {ranking.feedback} as feedback, "
        f"{ranking.budget} evaluations. {first.method} comes first with {percent(first.regret.value)} %; "
        f"its interval allows ranks {first.rank_best} to {first.rank_worst}."
    )
    data = [
        {"method": row.method, "regret": est.value, "low": est.low, "high": est.high}
        for row in rows
        if (est := row.regret)
    ]
    name = f"lookup-{ranking.feedback}-{ranking.budget}"
    return draw(paint, name=name, alt=alt, data=data, size=(9.0, 1.2 + 0.36 * len(rows)))


SECTION = Section(
    title="Leaderboard",
    order=30,
    summary="Ranked by normalised regret, with the course of random search and published rows apart.",
    render=render,
    studies=("lookup",),
)
