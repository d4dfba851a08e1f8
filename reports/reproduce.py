"""The command that makes this run again, and what its bytes depend on."""

import json

from harness import AnyBoard, Block, Board, Run, Section, Table


def render(run: Run, board: AnyBoard) -> Block:
    versions = run.versions
    table = Table(
        caption="What the records depend on",
        columns=("Name", "Value"),
        rows=tuple((name, ", ".join(sorted(versions[name]))) for name in sorted(versions)),
        labels=2,
    )
    found = []
    for task in board.tasks if isinstance(board, Board) else ():
        for row in task.rows:
            for final in task.finals(run, row.key) if task.trained_on is None else ():
                result = run.result(final)
                if result is not None and result.architecture is not None:
                    architecture = json.dumps(result.architecture, sort_keys=True)
                    found.append((task.title, row.name, str(final.spec.select_seed), architecture))
    architectures = Table(
        caption="The architectures that were selected",
        columns=("Task", "Row", "Selected on seed", "Architecture"),
        rows=tuple(found),
        labels=4,
        heading=1,
    )
    return Block(
        paragraphs=(
            "The same suite, data and kind of machine give the same records, byte for byte; seconds are kept "
            "apart. The command also continues an interrupted run.",
        ),
        tables=tuple(one for one in (architectures, table) if one.rows),
        code=(run.command,),
    )


SECTION = Section(
    title="Reproduce",
    order=99,
    summary="The command, the architectures that were found, and the versions behind the records.",
    render=render,
)
