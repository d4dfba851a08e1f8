"""The ranked searchers of a suite on a table, at every budget and feedback."""

from harness import Axis, Bar, Block, Figure, Forest, LookupBoard, Run, Section, interval
from harness.board.scale import percent, with_interval
from harness.study.lookup.board import LookupRanking
from harness.study.lookup.tables import ranking_table, regret_table
from harness.study.published import published_tables


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

    bars = tuple(
        Bar(
            series=row.method,
            label=f"{row.rank}. {row.method}" if row.rank else row.method,
            main=interval(row.regret, 100),
            text=with_interval(row.regret),
        )
        for row in rows
    )
    forest = Forest(
        title=f"{ranking.feedback} as feedback, {ranking.budget} evaluations",
        axis=Axis(label="normalised regret in %", better="lower", zero=(0.0, "nothing is lacking")),
        bars=bars,
    )
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
    return Figure(name=name, alt=alt, plots=(forest,), data=data)


SECTION = Section(
    title="Leaderboard",
    order=25,
    summary="Ranked by normalised regret, with the course of random search and published rows apart.",
    render=render,
    studies=("lookup",),
)
