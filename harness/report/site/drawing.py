"""Figures and tables of a site's rows."""

from collections.abc import Sequence
from dataclasses import replace

from harness.board.leaderboard import Leaderboard
from harness.board.scale import ends
from harness.board.table import Table
from harness.report.plot import Axis, Bar, Figure, Forest, Strips, interval
from harness.report.site.shelf import Group, Placing, SiteRun
from harness.report.site.slug import slug

NONE = "—"


def run_address(run: SiteRun) -> str:
    """Returns where a run's page lies in the site."""
    return f"runs/{run.stem}.html"


def address(kind: str, name: str) -> str:
    """Returns where the page of a task, a space or a method lies in the site."""
    return f"{kind}s/{slug(name)}.html"


def board_table(board: Leaderboard, of: str) -> Table:
    """Returns a leaderboard's own table, whose methods and spaces lead to their pages.

    Args:
        board: the leaderboard.
        of: what its caption begins with; a page has no two tables of one name.
    """
    table = board.table
    spaces = table.columns.index("Space") if "Space" in table.columns else None
    links = {}
    for index, row in enumerate(board.rows):
        if not row.is_control:
            links[index, table.heading] = address("method", row.method)
        if spaces is not None and row.space is not None:
            links[index, spaces] = address("space", row.space)
    return replace(table, caption=f"{of}{table.caption}", links=links)


def listing(group: Group, *, without: str = "") -> Table:
    """Returns rows of runs that agree, best first; `without` is a heading that is the same for all."""
    columns = ["Run", "Method", "Space", "Place in its run", "Score", "Minus reference", "Seeds"]
    kept = [at for at, name in enumerate(columns) if name != without]
    rows, links = [], {}
    for index, (run, _, row) in enumerate(group.placings):
        cells = (run.label, row.shown, row.space or NONE, row.place or NONE)
        texts = (*cells, row.score_text, row.difference_text, str(row.seeds) if row.seeds else NONE)
        rows.append(tuple(texts[at] for at in kept))
        links[index, 0] = run_address(run)
        if without != "Method" and not row.is_control:
            links[index, kept.index(1)] = address("method", row.method)
        if without != "Space" and row.space is not None:
            links[index, kept.index(2)] = address("space", row.space)
    board = group.placings[0].board
    reference = f"; the reference is {board.reference}" if board.reference else ""
    return Table(
        caption=f"{group.heading}: {board.score}, {board.better} is better{reference}",
        columns=tuple(columns[at] for at in kept),
        rows=tuple(rows),
        labels=len(kept) - 4,
        links=links,
        lesser=("Seeds", "Place in its run"),
    )


def scores(title: str, placings: Sequence[Placing], *, name: str, labels: Sequence[str]) -> Figure | None:
    """Returns the scores of rows as intervals on one axis; None where none has one."""
    told = [(one, label) for one, label in zip(placings, labels, strict=True) if one.row.score]
    if not told:
        return None
    board = told[0][0].board
    spans = [(one.row.score, one.row.is_apart) for one, _ in told if one.row.score]
    low, high = ends(
        [score for score, is_apart in spans if not is_apart],
        [score for score, is_apart in spans if is_apart],
        board.factor,
    )
    bars = tuple(
        Bar(
            series=one.row.series,
            label=label,
            main=interval(one.row.score, board.factor),
            text=one.row.score_text,
            told=f"{one.run.label}, {one.row.place}".rstrip(", "),
        )
        for one, label in told
    )
    axis = Axis(label=board.score, better=board.better, low=low, high=high)
    alt = f"{title}: {board.score}, with 95 % intervals; the better side is on the right."
    return Figure(name=f"scores-{name}", alt=alt, plots=(Forest(title=title, axis=axis, bars=bars),))


def differences(boards: Sequence[Leaderboard], *, name: str) -> Figure | None:
    """Returns every row less its reference, a panel for each leaderboard; None without a difference."""
    plots = []
    for board in boards:
        bars = tuple(
            Bar(series=row.series, main=interval(row.difference, board.factor), text=row.difference_text)
            for row in board.rows
            if row.difference and not row.is_apart
        )
        axis = Axis(
            label=f"{board.unit}, less {board.reference}", better=board.better, zero=(0.0, "no difference")
        )
        if bars:
            plots.append(Forest(title=f"{board.title}, less {board.reference}", axis=axis, bars=bars))
    if not plots:
        return None
    alt = "Every row less the reference of its run, with 95 % intervals; the better side is on the right."
    return Figure(name=f"differences-{name}", alt=alt, plots=tuple(plots))


def found_strips(space: str, runs: Sequence[SiteRun]) -> Figure | None:
    """Returns the architectures of a space that rows trained, a strip each; None where none is known."""
    plots = []
    for run in runs:
        mine = [(one.task, drawn) for one, drawn in run.found if one.space == space]
        for task in dict.fromkeys(task for task, _ in mine):
            strips = tuple(drawn for of, drawn in mine if of == task)
            plots.append(Strips(title=f"{task}, {run.label}", strips=strips))
    if not plots:
        return None
    alt = f"Architectures of {space} that rows trained, a brick for each layer from the input on."
    return Figure(name="found", alt=alt, plots=tuple(plots))
