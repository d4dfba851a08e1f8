"""How boards print rows of papers; no unit reads this, so that a change of it makes no result stale."""

from collections.abc import Sequence
from typing import Final

from harness.board.table import Table
from harness.board.wording import show_counts
from harness.study.published import Published

PUBLISHED: Final = "published"
"""What stands in place of a rank."""
UNRANKED: Final = (
    "Rows marked published stand as in their source, made by other protocols: no rank, no claim."
)


def published_tables(what: str, rows: Sequence[Published]) -> list[Table]:
    """Returns a table of the sources and sizes of published rows; none where there are none."""
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
