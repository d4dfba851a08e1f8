"""The pages of a site: an index, and one for each run, task, space and method."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from harness.board.leaderboard import Leaderboard
from harness.board.series import Series
from harness.board.table import Table
from harness.board.wording import listed, show_counts
from harness.report.page import html_report, inks_of
from harness.report.plot import series_of
from harness.report.section import Block, Chip, Frame, Link, ReportPart
from harness.report.site.drawing import (
    NONE,
    address,
    board_table,
    differences,
    found_strips,
    listing,
    run_address,
    scores,
)
from harness.report.site.shelf import Agreeing, Group, Placing, Shelf, SiteRun, agreeing, groups
from harness.report.site.slug import slug
from harness.study.study import load_study

TITLE: Final = "Leaderboards"
HOME: Final = Link(TITLE, "index.html")
TONES: Final[dict[str, Literal["", "good", "bad"]]] = {"better": "good", "worse": "bad"}
NOT_RANKED: Final = (
    "In the order of the scores, which is no ranking: a rank takes paired tests of all that the runs kept. "
    "harness leaderboard makes them of the run folders together, unless a row was made in two ways."
)


class SitePage(NamedTuple):
    """A page.

    Attributes:
        path: from the site's folder.
        title: its heading.
        scope: a line below.
        parts: what it shows.
        links: files that belong to it.
    """

    path: str
    title: str
    scope: str
    parts: tuple[ReportPart, ...]
    links: tuple[Link, ...] = ()

    def html(self, rows: Sequence[Series]) -> str:
        """Returns the file, with the colours of rows that figures may show."""
        is_index = self.path == HOME.address
        frame = Frame("" if is_index else "../", () if is_index else (HOME,), self.links)
        plots = [plot for part in self.parts for figure in part.block.figures for plot in figure.plots]
        shown = set(series_of(plots))
        inks = inks_of(self.parts, [row for row in rows if row.name in shown])
        return html_report(self.title, self.scope, self.parts, inks, frame)


def site_pages(shelf: Shelf, of_rows: tuple[Table, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yields path and text of every page; the index has tables of files of single rows, too."""
    for run in shelf.runs:
        page = _of_run(run)
        yield page.path, page.html(run.series)
    every = [_index(shelf, of_rows)]
    every += [_of_task(subject, shelf.on(subject)) for subject in shelf.subjects]
    every += [_of_space(space, shelf) for space in shelf.spaces]
    every += [_of_method(method, shelf) for method in shelf.methods]
    series = {row.name: row for run in reversed(shelf.runs) for row in run.series}
    for page in every:
        yield page.path, page.html(list(series.values()))


def _parts(parts: Iterable[tuple[str, str, Block]]) -> tuple[ReportPart, ...]:
    """Returns parts of title, summary and block, each under a name of its own."""
    return tuple(
        ReportPart(f"part-{number}", title, summary, block)
        for number, (title, summary, block) in enumerate(parts, start=1)
    )


def _index(shelf: Shelf, of_rows: tuple[Table, ...]) -> SitePage:
    counts = (
        (len(shelf.runs), "run"),
        (len(shelf.subjects), "task"),
        (len(shelf.spaces), "space"),
        (len(shelf.methods), "method"),
    )
    told = listed([f"{count:,} {word}{'s' * (count != 1)}" for count, word in counts])
    parts = [
        (
            "Runs",
            "Each with its verdict; what a suite claims it fixes before any result.",
            Block(tables=(_runs_table(shelf),)) if shelf.runs else Block(),
        ),
        ("Single rows", "Of files that people add without their run, by protocol.", Block(tables=of_rows)),
        ("Tasks", "What rows are ranked on: tasks, and tables of published results.", _tasks(shelf)),
        ("Spaces", "What was searched.", _names(shelf, "space", shelf.spaces)),
        (
            "Methods",
            "Searchers, baselines and ways of sharing weights.",
            _names(shelf, "method", shelf.methods),
        ),
        ("One more run", "A run joins as its result file, or as its folder.", _growing()),
    ]
    return SitePage(
        HOME.address,
        TITLE,
        f"Searched architectures on domains that they never saw: {told}. Every number is from the records "
        "of a run, and every mean has its 95 % interval.",
        _parts(part for part in parts if part[2] != Block()),
    )


def _growing() -> Block:
    return Block(
        paragraphs=(
            "A run has its result file in its folder, as board.json. Copied to results/RUN.json of this site "
            "it joins with the first of these commands; the second takes the run's folder, and writes its "
            "whole report beside its page.",
        ),
        code=(
            "harness leaderboard --format site --out SITE\nharness leaderboard --format site --out SITE RUN",
        ),
    )


def _runs_table(shelf: Shelf) -> Table:
    rows, links = [], {}
    for index, run in enumerate(shelf.runs):
        board = run.submission.board
        subjects = list(dict.fromkeys(one.subject for one in run.leaderboards))
        seeds = [row.seeds for one in run.leaderboards for row in one.rows if row.seeds]
        rows.append(
            (run.label, run.headline, listed(subjects) or NONE, board.title, board.study, show_counts(seeds))
        )
        links[index, 0] = run_address(run)
        if len(subjects) == 1:
            links[index, 2] = address("task", subjects[0])
    return Table(
        caption="Every run",
        columns=("Run", "Verdict", "Tasks", "Suite", "Study", "Seeds of a row"),
        rows=tuple(rows),
        labels=5,
        links=links,
    )


def _tasks(shelf: Shelf) -> Block:
    rows, links = [], {}
    for index, subject in enumerate(shelf.subjects):
        mine = [one for one in shelf.placings if one.board.subject == subject]
        measured = dict.fromkeys(one.board.score for one in mine)
        methods = {one.row.method for one in mine if not one.row.is_control}
        rows.append((subject, "; ".join(measured), str(len(shelf.on(subject))), str(len(methods))))
        links[index, 0] = address("task", subject)
    if not rows:
        return Block()
    table = Table(
        caption="Every task",
        columns=("Task", "Score", "Runs", "Methods"),
        rows=tuple(rows),
        labels=2,
        links=links,
    )
    return Block(tables=(table,))


def _names(shelf: Shelf, kind: Literal["space", "method"], names: Sequence[str]) -> Block:
    rows, links = [], {}
    for index, name in enumerate(names):
        mine = [one for one in shelf.placings if name == getattr(one.row, kind) and not one.row.is_control]
        tasks = dict.fromkeys(one.board.subject for one in mine)
        rows.append((name, listed(list(tasks)), str(len({one.run.stem for one in mine}))))
        links[index, 0] = address(kind, name)
    if not rows:
        return Block()
    table = Table(
        caption=f"Every {kind}",
        columns=(kind.capitalize(), "Tasks", "Runs"),
        rows=tuple(rows),
        labels=2,
        links=links,
    )
    return Block(tables=(table,))


def _of_run(run: SiteRun) -> SitePage:
    board = run.submission.board
    limit = "" if board.limit is None else f" Limited to {board.limit:,} (‡)."
    parts = [
        ("Verdict", "Made from the interval of one comparison, fixed before any result.", _verdict(run)),
        *(
            (one.title, _ranked(one), replace(_board_block(run, one, number), appendix=one.more))
            for number, one in enumerate(run.leaderboards)
        ),
    ]
    if run.tables:
        parts.append(("Board", load_study(board.study).summary, Block(tables=run.tables)))
    links = [Link("Whole report", f"runs/{run.stem}/report.html")] if run.has_report else []
    links.append(Link("Result file", f"results/{run.stem}.json"))
    subjects = dict.fromkeys(one.subject for one in run.leaderboards)
    links += [Link(f"Task {subject}", address("task", subject)) for subject in subjects]
    lacking = (
        "" if run.has_report else " The site has its result file alone, so its whole report is not here."
    )
    scope = f"Suite {board.name}, which {load_study(board.study).summary}.{limit}{lacking}"
    return SitePage(f"runs/{run.stem}.html", board.title, scope, _parts(parts), tuple(links))


def _ranked(board: Leaderboard) -> str:
    return f"Ranked by {board.score}."


def _verdict(run: SiteRun) -> Block:
    chips = [
        Chip(
            one.title,
            f"{one.outcome}: {one.gain}" if one.gain else str(one.outcome),
            TONES.get(one.outcome, ""),
        )
        for one in run.leaderboards
        if one.outcome
    ]
    seeds = show_counts([row.seeds for one in run.leaderboards for row in one.rows if row.seeds])
    count = max((len(one.rows) for one in run.leaderboards), default=0)
    if count:
        chips.append(Chip("Scale", f"{seeds} seeds a row, {count} rows"))
    told = [one.claim for one in run.leaderboards if one.claim and one.claim != run.headline]
    figure = differences(run.leaderboards, name="verdict")
    return Block(
        lead=run.headline,
        chips=tuple(chips),
        paragraphs=tuple(told or [run.verdict] * (run.verdict != run.headline)),
        figures=(figure,) if figure else (),
    )


def _board_block(run: SiteRun, board: Leaderboard, number: int, *, of: str = "") -> Block:
    """Returns a leaderboard of a run; `of` is what the captions of its tables begin with."""
    placings = [Placing(run, board, row) for row in board.rows]
    labels = [f"{row.rank}. {row.series}" if row.rank else row.series for row in board.rows]
    figure = scores(board.title, placings, name=f"{run.stem}-{number}", labels=labels)
    return Block(figures=(figure,) if figure else (), tables=(board_table(board, of),))


def _of_task(subject: str, runs: Sequence[SiteRun]) -> SitePage:
    sets = agreeing(runs)
    parts = [("Runs", "Those whose protocol, data and code agree, together.", _runs_of(subject, sets))]
    for one in groups(
        Placing(run, board, row)
        for run in runs
        for board in run.leaderboards
        if board.subject == subject
        for row in board.rows
    ):
        if len({placing.run.stem for placing in one.placings}) > 1:
            parts.append((f"{one.heading}: runs that agree", NOT_RANKED, _together(one, len(parts))))
    for run in runs:
        for board in run.leaderboards:
            if board.subject == subject:
                of = f"{run.label}, " if len(runs) > 1 else ""
                block = _board_block(run, board, len(parts), of=of)
                less = differences([board], name=f"{run.stem}-{len(parts)}")
                title = f"{board.title}: {run.label}" if of else board.title
                figures = (*block.figures, *((less,) if less else ()))
                parts.append((title, _ranked(board), replace(block, figures=figures)))
    scope = f"Task: what {len(runs)} run{'s' * (len(runs) != 1)} found."
    return SitePage(f"tasks/{slug(subject)}.html", subject, scope, _parts(parts))


def _runs_of(subject: str, sets: Sequence[Agreeing]) -> Block:
    rows: list[tuple[str, ...]] = []
    links = {}
    for number, one in enumerate(sets, start=1):
        for run in one.runs:
            mine = [board for board in run.leaderboards if board.subject == subject]
            claims = " ".join(board.claim for board in mine if board.claim) or run.headline
            links[len(rows), 0] = run_address(run)
            rows.append((run.label, str(number), claims, str(max(len(board.rows) for board in mine))))
    table = Table(
        caption="Runs, and which of them agree",
        columns=("Run", "Set", "What it says", "Rows"),
        rows=tuple(rows),
        labels=3,
        links=links,
        notes=tuple(one.reason for one in sets if one.reason),
    )
    return Block(tables=(table,))


def _together(group: Group, number: int) -> Block:
    labels = [f"{one.row.series} · {one.run.label}" for one in group.placings]
    figure = scores(group.heading, group.placings, name=f"together-{number}", labels=labels)
    return Block(figures=(figure,) if figure else (), tables=(listing(group),))


def _of_space(space: str, shelf: Shelf) -> SitePage:
    parts = _by_subject([one for one in shelf.placings if one.row.space == space], "Space")
    strips = found_strips(space, shelf.runs)
    if strips:
        summary = "Architectures of the first seeds of each row, as strips of their layers."
        parts.append(("What was found", summary, Block(figures=(strips,))))
    scope = "Space: rows that searched in it."
    return SitePage(f"spaces/{slug(space)}.html", space, scope, _parts(parts), _tasks_of(parts, shelf))


def _of_method(method: str, shelf: Shelf) -> SitePage:
    parts = _by_subject([one for one in shelf.placings if one.row.method == method], "Method")
    scope = "Method: its scores on every task, best first."
    return SitePage(f"methods/{slug(method)}.html", method, scope, _parts(parts), _tasks_of(parts, shelf))


def _tasks_of(parts: Iterable[tuple[str, str, Block]], shelf: Shelf) -> tuple[Link, ...]:
    """Returns what leads to the pages of tasks that parts are called after."""
    return tuple(
        Link(f"Task {title}", address("task", title)) for title, *_ in parts if title in shelf.subjects
    )


def _by_subject(
    placings: Sequence[Placing], same: Literal["Space", "Method"]
) -> list[tuple[str, str, Block]]:
    """Returns a part for each task, with a list for each leaderboard and for runs that agree.

    Args:
        placings: rows.
        same: the heading that all of them share.
    """
    parts: list[tuple[str, str, Block]] = []
    for subject in dict.fromkeys(one.board.subject for one in placings):
        found = groups(one for one in placings if one.board.subject == subject)
        figures = []
        for number, one in enumerate(found):
            names = [row.series if same == "Space" else row.space or row.series for _, _, row in one.placings]
            labels = [f"{name} · {run.label}" for name, (run, *_) in zip(names, one.placings, strict=True)]
            name = f"{len(parts)}-{number}"
            figures.append(
                scores(one.heading, one.placings, name=name, labels=labels) if labels[1:] else None
            )
        block = Block(
            paragraphs=tuple(one.reason for one in found if one.reason),
            figures=tuple(figure for figure in figures if figure),
            tables=tuple(listing(one, without=same) for one in found),
        )
        parts.append((subject, "Best first; places are those within each run.", block))
    return parts
