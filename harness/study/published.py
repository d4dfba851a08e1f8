"""Rows of papers, which suites print beside their own: unranked, and no claim is made of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from harness import catalog
from harness.study.settings import Count, Need
from harness.task import metric

if TYPE_CHECKING:
    from harness.board.table import Table

PUBLISHED: Final = "published"
"""What stands in place of a rank."""
UNRANKED: Final = (
    "Rows marked published stand as in their source, made by other protocols: no rank, no claim."
)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A row of a paper.

    Attributes:
        name: the method.
        source: where it was published.
        scores: domain -> score; a suite has it as it is printed, plans and boards percents as shares.
        parameters: of its network; None where the source does not say.
        macs: multiply-accumulates of one sample; None where the source does not say.
    """

    name: str
    source: str
    scores: dict[str, float]
    parameters: Count | None = None
    macs: Count | None = None


@dataclass(frozen=True, kw_only=True)
class ForeignRow:
    """A row that another program measured, which boards may show without a rank.

    Attributes:
        name: of its model.
        source: where it was read.
        scores: task in the names of that program, or TASK/DOMAIN -> what a metric needs -> score of that
            kind: a share of right predictions in [0, 1], or bits per byte.
        parameters: of its network; None where the source does not say.
    """

    name: str
    source: str
    scores: Mapping[str, Mapping[metric.Need, float]]
    parameters: int | None = None


P = TypeVar("P", bound=Published)


def check_published(rows: Sequence[Published], need: Need) -> None:
    """Raises the first thing that is wrong with the published rows of a suite."""
    need.once([row.name for row in rows], "published has a name twice")
    for row in rows:
        about = f"published {row.name!r}"
        need(bool(row.name.strip()), "a published row has an empty name")
        need(bool(row.source.strip()), f"{about} has an empty source; say where it was published")
        need(bool(row.scores), f"{about} needs scores")


def kept(rows: Iterable[P], factors: Mapping[str, float]) -> list[P]:
    """Returns the rows with their scores as boards keep them.

    Args:
        rows: of a suite.
        factors: domain -> what a printed score is multiplied by.

    Raises:
        UnknownNameError: a score is of no such domain.
    """
    rows = list(rows)
    Need.known("domain", (domain for row in rows for domain in row.scores), factors)
    return [
        replace(row, scores={name: score * factors[name] for name, score in row.scores.items()})
        for row in rows
    ]


def factors_of(boards: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Returns `TASK/DOMAIN` of each held-out domain -> what a printed score of its metric is multiplied by.

    Args:
        boards: of a suite that trains, as `plan.json` keeps them.
    """
    return {
        f"{board['name']}/{domain}": 1 / catalog.metric_of(board["metric"]).factor
        for board in boards
        for domain in board["held_out"]
    }


def published_on(rows: Iterable[P], names: Mapping[str, str]) -> tuple[P, ...]:
    """Returns the rows that have a score of a board, with the scores of its domains alone.

    Args:
        rows: of a suite.
        names: what a suite calls a domain -> what the board calls it.
    """
    found = (
        replace(row, scores={new: row.scores[old] for old, new in names.items() if old in row.scores})
        for row in rows
    )
    return tuple(row for row in found if row.scores)


def each_once(rows: Iterable[P]) -> list[P]:
    """Returns the rows of several suites, without repeats."""
    found: list[P] = []
    for row in rows:
        found += [row] if row not in found else []
    return found


def published_tables(what: str, rows: Sequence[Published]) -> "list[Table]":
    """Returns a table of the sources and sizes of published rows; none where there are none."""
    from harness.board.table import Table
    from harness.board.wording import show_counts

    if not rows:
        return []
    lines = [
        (
            row.name,
            *(show_counts([one] if one else None) for one in (row.parameters, row.macs)),
            row.source,
        )
        for row in rows
    ]
    table = Table(
        caption=f"{what}: published rows, as their sources have them",
        columns=("Published", "Parameters", "MACs per sample", "Source"),
        rows=tuple(lines),
        labels=1,
        notes=(UNRANKED,),
    )
    return [table]
