"""Every domain of the catalog, whether the cache holds it, and how large what it lacks is."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness import catalog
from harness.errors import HarnessError
from harness.task.task import Archive, Domain, Task

if TYPE_CHECKING:
    from harness.data.prepare import Prepared

BYTES: Final = Path(__file__).with_name("package_bytes.json")
"""File name of each package that the catalog pins -> bytes, which no registry tells beforehand."""


class Fetched(NamedTuple):
    """What packages come to: bytes of those whose size is known, and how many others there are."""

    bytes: int
    unknown: int


def prepared_card(task_name: str, domain: Domain, data: Path) -> "tuple[Prepared | None, str | None]":
    """Returns the card of a prepared domain, or None, and what is wrong with it, or None."""
    from harness.data.prepare import read_card

    try:
        return read_card(task_name, domain, data), None
    except HarnessError as error:
        return None, str(error)


def domains(data: Path) -> list[dict[str, Any]]:
    """Returns every domain of every task: origin, licence, whether it is prepared, and what is wrong.

    A task that does not load has one row, without a domain.
    """
    rows: list[dict[str, Any]] = []
    for name in catalog.names("task"):
        try:
            task: Task = catalog.load("task", name)
        except HarnessError as error:
            about = dict.fromkeys(("domain", "origin", "licence"))
            rows.append({"task": name, **about, "prepared": False, "sealed": False, "damaged": str(error)})
            continue
        for domain in task.domains:
            prepared, wrong = prepared_card(name, domain, data)
            rows.append(
                {
                    "task": name,
                    "domain": domain.name,
                    "prepared": prepared is not None,
                    "sealed": domain.sealed,
                    "origin": domain.origin,
                    "licence": domain.licence,
                    "damaged": wrong,
                }
            )
    return rows


def absent(archives: Iterable[Archive], data: Path) -> set[Archive]:
    """Returns the packages that the cache lacks."""
    from harness.data.fetch import archive_path

    return {archive for archive in archives if not archive_path(archive, data).is_file()}


def fetched(archives: Iterable[Archive]) -> Fetched:
    """Returns what it takes to fetch packages."""
    known = json.loads(BYTES.read_text())
    sizes = [known.get(archive.filename) for archive in archives]
    return Fetched(sum(size or 0 for size in sizes), sizes.count(None))
