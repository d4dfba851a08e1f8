"""One ranking over vision and language."""

from harness import Block, Board, Run, Section
from harness.study.trained.boards.overall import overall_table


def render(run: Run, board: Board) -> Block:
    table = overall_table(board)
    return Block(tables=(table,)) if table else Block()


SECTION = Section(
    title="All tasks together",
    order=35,
    summary="Mean rank, win rate and normalised scores over all boards, which share no unit.",
    render=render,
    studies=("trained",),
)
