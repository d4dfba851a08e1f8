"""Where the data comes from, under which licence, and the hash of what was read."""

from harness.board import Board, Run, Table
from harness.report import Block, Section


def render(run: Run, board: Board) -> Block:
    """Returns one table of domains per task."""
    tables = []
    for task in board.tasks:
        rows = []
        for role, names in (("source", task.sources), ("held out", task.held_out)):
            for name in names:
                for unit in run.planned("prepare", task=task.task, domain=name):
                    result = run.result(unit)
                    if result is None:
                        rows.append((name, role, "—", "—", "—", "—", "—"))
                        continue
                    counts = [f"{split} {count:,}" for split, count in sorted(result["counts"].items())]
                    groups = sum(result.get("groups", {}).values())
                    rows.append(
                        (
                            name,
                            role,
                            str(result["origin"]),
                            str(result["licence"]),
                            ", ".join(counts),
                            f"{groups:,}",
                            str(result["sha256"])[:16],
                        )
                    )
        tables.append(
            Table(
                caption=f"{task.task}: domains",
                columns=("Domain", "Role", "Origin", "Licence", "Samples", "Groups", "sha256 (first 16)"),
                rows=tuple(rows),
                labels=5,
            )
        )
    return Block(tables=tuple(tables))


SECTION = Section(
    title="Data",
    order=110,
    summary="Origin, licence, size and hash of every domain; splits never part a group.",
    render=render,
)
