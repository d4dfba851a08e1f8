"""Every domain of the catalog, and whether the cache holds it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import catalog
from harness.errors import HarnessError
from harness.task.task import Domain, Task

if TYPE_CHECKING:
    from harness.data.prepare import Prepared


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
