"""The unit that fetches, checks, splits and caches one domain."""

from pathlib import Path
from typing import Any

from harness import catalog
from harness.data.corruptions import domain_of, family_of
from harness.data.prepare import intact_card, prepare_domain
from harness.identity.unit import Unit
from harness.run.place import Done, Needs, Place
from harness.run.record import Record
from harness.study.work.units import Preparation, PrepareSpec
from harness.task.task import Task


def prepare(unit: Unit[PrepareSpec, Preparation], needs: Needs, folder: Path) -> Done:
    """Fetches, checks, splits and caches one domain."""
    task: Task = catalog.load("task", unit.spec.task)
    domain = domain_of(task, unit.spec.domain)
    place = needs.place.data
    prepared = prepare_domain(unit.spec.task, domain, place.folder, offline=place.offline)
    result = Preparation(sha256=prepared.sha256, counts=dict(prepared.samples), groups=dict(prepared.groups))
    about: dict[str, Any] = {"origin": domain.origin, "licence": domain.licence, "grouped_by": domain.groups}
    about |= {"stratum": domain.stratum, "family": family_of(task, domain.name), "sealed": domain.sealed}
    return Done(result=result, about=about)


def is_prepared(unit: Unit[PrepareSpec, Preparation], record: Record, place: Place) -> bool:
    """Returns whether the cache holds the arrays that the unit's record speaks of, as they were written."""
    task: Task = catalog.load("task", unit.spec.task)
    domain = domain_of(task, unit.spec.domain)
    card = intact_card(unit.spec.task, domain, place.data.folder)
    return card is not None and card.sha256 == Preparation.from_json(record.result).sha256
