"""Single samples of prepared domains, by position and hash."""

from collections.abc import Sequence
from pathlib import Path

from harness import catalog
from harness.data.corruptions import domain_of
from harness.data.load import stored_table
from harness.data.prepare import prepared_folder
from harness.errors import HarnessError
from harness.task.split import digests


def samples_at(
    task_name: str,
    domain: str,
    folder: Path,
    positions: Sequence[int],
    wanted: Sequence[int],
    *,
    cut: int | None = None,
) -> list[bytes] | None:
    """Returns the bytes of samples of a domain; None where the folder does not hold just these.

    Args:
        positions: in the prepared data.
        wanted: their hashes, as they were scored.
        cut: leading bytes of a document that were scored; None for all.
    """
    try:
        task = catalog.load("task", task_name)
        place = prepared_folder(task_name, domain_of(task, domain), folder)
        if not (place / "card.json").is_file():
            return None
        column = stored_table(place).column("data")
        found = [column[position].as_py()[:cut] for position in positions]
    except (HarnessError, OSError, ValueError, IndexError):
        return None
    return found if digests(found).tolist() == list(wanted) else None
