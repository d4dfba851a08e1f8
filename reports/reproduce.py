"""The command that makes this run again, what its bytes depend on, and how to cite it."""

import json
import re

from harness import AnyBoard, Block, Board, Run, Section, Table

SAID = str.maketrans({letter: f"\\{letter}" for letter in "#$%&_{}"} | {"\\": "\\textbackslash{}"})


def render(run: Run, board: AnyBoard) -> Block:
    versions = run.versions
    depends = Table(
        caption="What the records depend on",
        columns=("Name", "Value"),
        rows=tuple((name, ", ".join(sorted(versions[name]))) for name in sorted(versions)),
        labels=2,
    )
    return Block(
        paragraphs=(
            "The same suite, data and kind of machine give the same records, byte for byte; seconds and "
            "dates stand apart. The command also continues an interrupted run.",
        ),
        tables=tuple(one for one in (_architectures(run, board), _identity(run), depends) if one.rows),
        code=(run.command, _entry(run)),
    )


def _architectures(run: Run, board: AnyBoard) -> Table:
    found = []
    for task in board.tasks if isinstance(board, Board) else ():
        for row in task.rows:
            for final in task.finals(run, row.key) if task.trained_on is None else ():
                result = run.result(final)
                if result is not None and result.architecture is not None:
                    architecture = json.dumps(result.architecture, sort_keys=True)
                    found.append((task.title, row.name, str(final.spec.select_seed), architecture))
    return Table(
        caption="The architectures that were selected",
        columns=("Task", "Row", "Selected on seed", "Architecture"),
        rows=tuple(found),
        labels=4,
        heading=1,
    )


def _identity(run: Run) -> Table:
    rows = [(f"hash of {what}", digest) for what, digest in run.digests.items()]
    if run.dates is not None:
        rows += [("made", " to ".join(dict.fromkeys(run.dates)))]
    return Table(caption="What this run is", columns=("Name", "Value"), rows=tuple(rows), labels=2)


def _entry(run: Run) -> str:
    """Returns a BibTeX entry of the run; the year is left out where no date was kept."""
    year = run.dates[1][:4] if run.dates is not None else ""
    made = [("crossdomain-harness", "harness"), ("commit", "commit")]
    said = [f"{word} {', '.join(sorted(run.versions[name]))}" for word, name in made if name in run.versions]
    said += [f"suite {run.name}", *(f"hash of {what} {digest}" for what, digest in run.digests.items())]
    note = ", ".join(said)
    fields = {"title": run.title, "note": note} | ({"year": year} if year else {})
    lines = [f"  {name} = {{{' '.join(text.split()).translate(SAID)}}}," for name, text in fields.items()]
    key = re.sub(r"\W+", "-", run.name).strip("-") + year
    return "\n".join([f"@misc{{{key},", *lines, "}"])


SECTION = Section(
    title="Reproduce and cite",
    order=99,
    summary="The command, the architectures that were found, the versions behind the records, and BibTeX.",
    render=render,
)
