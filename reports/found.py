"""What was found: the architectures of every row that searched or drew one, and what they are made of."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from harness import Block, Board, Figure, Run, Section, Strip, Strips, Table, TaskBoard, canonical_json, strip
from harness.study.trained.boards.values import Row

Found = Sequence[tuple[Row, Sequence[Strip]]]
MOST = 8
"""Seeds of a row that are drawn."""


def render(run: Run, board: Board) -> Block:
    figures, tables = [], []
    for task in board.decisive:
        found = [(row, one) for row in task.rows if row.space and (one := _strips(run, task, row))]
        if found:
            figures.append(_figure(task, found))
            tables.append(_table(run, task, found))
    return Block(figures=tuple(figures), tables=tuple(tables))


def _strips(run: Run, task: TaskBoard, row: Row) -> list[Strip]:
    if task.trained_on is not None:
        return []
    found = []
    for final in task.finals(run, row.key):
        result = run.result(final)
        if result is not None and result.architecture:
            text = f"{result.parameters:,} parameters"
            label = f"{row.label}, seed {final.spec.select_seed}"
            found.append(strip(row.label, result.architecture, label=label, text=text))
    return found


def _figure(task: TaskBoard, found: Found) -> Figure:
    shown = [one for _, strips in found for one in strips[:MOST]]
    kinds = Counter(brick.kind for _, strips in found for one in strips for brick in one.bricks)
    most = f" Most of their layers are of the kind {kinds.most_common(1)[0][0]}." if kinds else ""
    alt = f"{task.title}: the architecture that each row trained on each seed, a brick for each layer.{most}"
    data = [
        {"row": row.name, "seed": place, "layer": at, "kind": brick.kind, "told": brick.text}
        for row, strips in found
        for place, one in enumerate(strips)
        for at, brick in enumerate(one.bricks)
    ]
    plots = (Strips(title=task.title, strips=tuple(shown)),)
    return Figure(name=f"found-{task.slug}", alt=alt, plots=plots, data=data)


def _table(run: Run, task: TaskBoard, found: Found) -> Table:
    rows = []
    for row, strips in found:
        kinds = Counter(brick.kind for one in strips for brick in one.bricks)
        total = sum(kinds.values())
        shares = ", ".join(f"{kind} {100 * count / total:.0f} %" for kind, count in kinds.most_common(6))
        distinct = {
            canonical_json(result.architecture)
            for final in task.finals(run, row.key)
            if (result := run.result(final)) is not None and result.architecture
        }
        within = fmean(len({brick.kind for brick in one.bricks}) for one in strips)
        rows.append((row.name, f"{len(distinct)} of {len(strips)}", f"{within:.1f}", shares))
    return Table(
        caption=f"{task.title}: how different they are",
        columns=("Row", "Different architectures", "Kinds in a network, mean", "Share of layers"),
        rows=tuple(rows),
        notes=("Descriptive: a space offers kinds, and what a search takes of them is its choice.",),
    )


SECTION = Section(
    title="What was found",
    order=60,
    summary="Architectures as strips of their layers, from the input on.",
    render=render,
    studies=("trained",),
)
