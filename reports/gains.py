"""Gain of the space and gain of the search, told apart by random architectures; rows of equal compute."""

from harness import Block, Board, Run, Section
from harness.study.trained.boards.tables import equal_compute_table, gain_table


def render(run: Run, board: Board) -> Block:
    tables = [
        table
        for task in board.tasks
        for table in (gain_table(task), equal_compute_table(board, task))
        if table is not None
    ]
    paragraph = (
        "A searched row differs from the reference by its space, by its search and by what was spent on it. "
        "Random architectures of a space, trained alone, are what it gives without a search."
        if tables
        else "This suite has no rows of random architectures and no two rows of equal compute, so it cannot "
        "tell a gain of the space from one of the search: add 'random' to its baselines."
    )
    return Block(paragraphs=(paragraph,), tables=tuple(tables))


SECTION = Section(
    title="Space, search or compute",
    order=40,
    summary="What a space gives, what a search gives, and the rows that cost the same.",
    render=render,
    studies=("trained",),
)
