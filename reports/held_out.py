"""Scores on each held-out domain and on each source."""

from harness.board import Board, Run, domain_table
from harness.report import Block, Section


def render(run: Run, board: Board) -> Block:
    """Returns two tables per task."""
    tables = []
    for task in board.tasks:
        tables += [domain_table(task, "held_out"), domain_table(task, "source")]
    return Block(
        paragraphs=("✗ failed or skipped, — not run yet, ‡ limited; reasons stand under Failures.",),
        tables=tuple(tables),
    )


SECTION = Section(
    title="Every domain",
    order=40,
    summary="Score and 95 % interval on each domain, with the samples and groups behind it.",
    render=render,
)
