"""How large the networks of each row are."""

from harness import Axis, Bar, Block, Figure, Forest, Section, Span


def render(run, board):
    figures = []
    for task in board.tasks:
        bars = [
            Bar(series=row.label, main=Span(max(row.parameters), min(row.parameters), max(row.parameters)))
            for row in task.rows
            if row.parameters
        ]
        forest = Forest(title=task.title, axis=Axis(label="parameters"), bars=tuple(bars))
        figures.append(Figure(name=f"sizes-{task.slug}", alt="Parameters of each row.", plots=(forest,)))
    return Block(figures=tuple(figures))


SECTION = Section(
    title="Sizes", order=71, summary="Parameters over seeds.", render=render, studies=("trained",)
)
