"""Scores on each held-out domain and on each source."""

from harness import Block, Board, Run, Section
from harness.study.trained.boards.tables import domain_table, worst_group_table


def render(run: Run, board: Board) -> Block:
    tables = []
    for task in board.tasks:
        worst = worst_group_table(task)
        tables += [domain_table(task, "held_out"), *([worst] if worst else [])]
        if task.sources:
            tables.append(domain_table(task, "source"))
    return Block(
        paragraphs=("✗ failed or skipped, — not run yet, ‡ limited; reasons stand under Failures.",),
        tables=tuple(tables),
    )


SECTION = Section(
    title="Every domain",
    order=40,
    summary="Score and 95 % interval on each domain, with the samples and groups behind it.",
    render=render,
    studies=("trained",),
)
