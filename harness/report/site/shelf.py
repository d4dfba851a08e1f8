"""The runs of a site, each read from its result file, and which of them agree in protocol."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from harness.board.leaderboard import FoundNetwork, Leaderboard, LeaderboardRow
from harness.board.series import Series
from harness.board.table import Table
from harness.errors import HarnessError
from harness.guard.text import reason_of
from harness.report.architecture import strip
from harness.report.plot import Strip
from harness.report.submission import Submission
from harness.study.merge import terms_apart
from harness.study.study import load_study, verdict

FARTHEST: Final = 1e12
"""The largest number that a figure draws."""
UNTOLD: Final = "a result file holds the board alone, so that nobody can tell whether their protocols agree"


@dataclass(frozen=True, kw_only=True)
class SiteRun:
    """A run as the site shows it.

    Attributes:
        stem: name of its result file and of its page.
        label: what it is called: its suite, and the stem where several runs share that.
        submission: what its file holds.
        headline: the first sentence of its verdict.
        verdict: the whole of it.
        leaderboards: its rankings.
        tables: of a study without leaderboards.
        series: its rows as figures draw them.
        found: architectures of its rows, as they are drawn; none where its file holds the board alone.
        has_report: whether its whole report lies beside its page.
    """

    stem: str
    label: str
    submission: Submission
    headline: str
    verdict: str
    leaderboards: tuple[Leaderboard, ...]
    tables: tuple[Table, ...]
    series: tuple[Series, ...]
    found: tuple[tuple[FoundNetwork, Strip], ...]
    has_report: bool


class Placing(NamedTuple):
    """A row of a run's leaderboard."""

    run: SiteRun
    board: Leaderboard
    row: LeaderboardRow


class Agreeing(NamedTuple):
    """Runs whose protocols agree, and why they stand apart from the first such runs; empty for these."""

    runs: tuple[SiteRun, ...]
    reason: str


class Group(NamedTuple):
    """Rows of one leaderboard, of runs that agree; best first.

    `reason` is why they stand apart from those of the same leaderboard before them.
    """

    title: str
    placings: tuple[Placing, ...]
    reason: str

    @property
    def heading(self) -> str:
        """The title, with a run's name where those before it have the title already."""
        return f"{self.title}, {self.placings[0].run.label}" if self.reason else self.title


@dataclass(frozen=True)
class Shelf:
    """All runs of a site, by their stems."""

    runs: tuple[SiteRun, ...]

    @cached_property
    def placings(self) -> tuple[Placing, ...]:
        """Every row of every run."""
        return tuple(
            Placing(run, board, row) for run in self.runs for board in run.leaderboards for row in board.rows
        )

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Tasks and tables that rows are ranked on."""
        return tuple(sorted({one.board.subject for one in self.placings}))

    @cached_property
    def spaces(self) -> tuple[str, ...]:
        """Spaces that rows searched."""
        return tuple(sorted({one.row.space for one in self.placings if one.row.space is not None}))

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """Methods of rows, without controls."""
        return tuple(sorted({one.row.method for one in self.placings if not one.row.is_control}))

    def on(self, subject: str) -> tuple[SiteRun, ...]:
        """Returns the runs with a leaderboard on a task or a table."""
        return tuple(run for run in self.runs if any(board.subject == subject for board in run.leaderboards))


def shelf_of(submissions: Mapping[str, tuple[Path, Submission]], reported: Collection[str]) -> Shelf:
    """Returns the runs of result files, which may be anybody's.

    Args:
        submissions: stem -> where it is from, and what it holds.
        reported: stems of the runs whose whole reports are there.

    Raises:
        HarnessError: a board cannot be shown.
    """
    names = [one.board.name for _, one in submissions.values()]
    runs = []
    for stem, (path, one) in sorted(submissions.items()):
        name = one.board.name
        label = name if names.count(name) == 1 else f"{name} ({stem})"
        try:
            runs.append(_shown(stem, label, one, stem in reported))
        except Exception as error:  # the numbers of a file of others may belong to no board that a run makes
            raise HarnessError(
                f"{path} holds a board that cannot be shown ({type(error).__name__}: {reason_of(error)}); "
                "give the run folder, or take the file away."
            ) from error
    return Shelf(tuple(runs))


def _shown(stem: str, label: str, submission: Submission, has_report: bool) -> SiteRun:
    board = submission.board
    study = load_study(board.study)
    leaderboards = tuple(study.leaderboards(board))
    tables = () if leaderboards else tuple(study.tables(board))
    for one in leaderboards:
        _check(one)
    found = submission.facts.found if submission.facts else ()
    return SiteRun(
        stem=stem,
        label=label,
        submission=submission,
        headline=study.headline(board),
        verdict=verdict(board),
        leaderboards=leaderboards,
        tables=tables,
        series=tuple(study.series(board)),
        found=tuple((one, _strip(one, leaderboards)) for one in found),
        has_report=has_report,
    )


def _check(board: Leaderboard) -> None:
    """Raises a ValueError where a page cannot hold a leaderboard, as no run makes one like it."""
    for row in board.rows:
        ends = (number for span in (row.score, row.difference) for number in span or ())
        if any(abs(number) > FARTHEST for number in ends):
            raise ValueError(f"{row.series} has a score that no axis reaches")
    for table in (board.table, *board.more):
        if any(len(row) != len(table.columns) for row in table.rows):
            raise ValueError(f"the table {table.caption!r} has a row that does not fit")


def _strip(one: FoundNetwork, boards: Sequence[Leaderboard]) -> Strip:
    """Returns an architecture in the colour of its row."""
    rows = [row.series for board in boards for row in board.rows if (row.method, row.space) == one.row]
    series = rows[0] if rows else one.method
    label, text = f"{one.method}, seed {one.seed}", f"{one.parameters:,} parameters"
    return strip(series, one.architecture, label=label, text=text)


def agreeing(runs: Sequence[SiteRun]) -> list[Agreeing]:
    """Returns the runs in sets that agree in protocol, data and code, each in the first set that it can."""
    sets: list[list[SiteRun]] = []
    reasons: list[str] = []
    for run in runs:
        against = [_apart(kept[0], run) for kept in sets]
        if None in against:
            sets[against.index(None)].append(run)
            continue
        reasons.append(f"{run.label} stands apart from {sets[0][0].label}: {against[0]}." if sets else "")
        sets.append([run])
    return [Agreeing(tuple(kept), reason) for kept, reason in zip(sets, reasons, strict=True)]


def _apart(kept: SiteRun, run: SiteRun) -> str | None:
    terms = kept.submission.terms, run.submission.terms
    if terms[0] is None or terms[1] is None:
        return UNTOLD
    return terms_apart(terms[0], terms[1])


def groups(placings: Iterable[Placing]) -> list[Group]:
    """Returns rows by leaderboard and by runs that agree, the best of each first."""

    def board_of(one: Placing) -> tuple[str, str, str]:
        return one.board.subject, one.board.title, one.board.score

    found = []
    for (_, title, _), together in groupby(sorted(placings, key=board_of), key=board_of):
        of_board = list(together)
        runs = sorted({one.run.stem: one.run for one in of_board}.values(), key=lambda run: run.stem)
        for one in agreeing(runs):
            stems = {run.stem for run in one.runs}
            mine = [placing for placing in of_board if placing.run.stem in stems]
            found.append(Group(title, tuple(sorted(mine, key=_order)), one.reason))
    return found


def _order(one: Placing) -> tuple[bool, float, str, str]:
    score = one.row.score
    sign = -1 if one.board.better == "higher" else 1
    return score is None, sign * score.value if score else 0.0, one.run.stem, one.row.series
