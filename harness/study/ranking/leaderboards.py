"""The orders of each space's architectures, a leaderboard for each space."""

from collections.abc import Iterator

from harness.board.leaderboard import Leaderboard, LeaderboardRow
from harness.board.values import Estimate
from harness.study.ranking.board import (
    ALONE,
    CONTROLS,
    RankingBoard,
    RankingRow,
    SpaceRanking,
    ranking_sentence,
    ranking_tables,
)


def ranking_leaderboards(board: RankingBoard) -> Iterator[Leaderboard]:
    """Yields the leaderboard of each space, whose rows are strategies of weight sharing."""
    for space, table in zip(board.spaces, ranking_tables(board), strict=True):
        yield Leaderboard(
            subject=board.task,
            title=f"{board.task}, rank quality in {space.space}",
            score="Kendall's tau with training alone",
            unit="tau",
            factor=1,
            better="higher",
            reference=CONTROLS[0],
            claim=ranking_sentence(space),
            outcome=None,
            gain="",
            rows=tuple(
                _row(board, space, row, line) for row, line in zip(space.rows, table.rows, strict=True)
            ),
            table=table,
        )


def _row(board: RankingBoard, space: SpaceRanking, row: RankingRow, line: tuple[str, ...]) -> LeaderboardRow:
    found = row.difference
    return LeaderboardRow(
        method=row.name,
        shown=line[0],
        space=space.space,
        series=row.name,
        place="control" if row.name in (*CONTROLS, ALONE) else "",
        score=row.tau,
        score_text=line[1],
        difference=Estimate(found.value, found.low, found.high) if found else None,
        difference_text=line[2],
        seeds=len(board.seeds),
        is_control=row.name in (*CONTROLS, ALONE),
    )
