"""Units that open sealed domains: each counts that a run scores one, before it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.sealed import open_sealed
from harness.errors import HarnessError
from harness.files import canonical_json, content_hash
from harness.identity.schema import Schema
from harness.identity.unit import AnyUnit, Spec, Unit, UnitKind
from harness.run.place import Done, Needs
from harness.study.plan import distinct, planned
from harness.study.work.specs import sealed_name
from harness.study.work.units import PrepareSpec

Openings = Mapping[str, AnyUnit]
"""TASK/DOMAIN of a sealed domain -> the unit that opens it."""


@dataclass(frozen=True, kw_only=True)
class OpenSpec(Spec):
    """A sealed domain that a suite opens.

    Attributes:
        task: catalog name.
        domain: that is sealed.
        plan: hash of the suite and of all units that it would have were the domain not sealed.
        suite_code: hash of all that those units run and read.
    """

    task: str
    domain: str
    plan: str
    suite_code: str


@dataclass(frozen=True, kw_only=True)
class Opened(Schema):
    """The hashes of the plan and of the code that opened a sealed domain."""

    plan: str
    code: str


def open_domain(unit: Unit[OpenSpec, Opened], needs: Needs, folder: Path) -> Done:
    """Writes plan and code into the journal of the data folder; how often that was done is no result."""
    spec = unit.spec
    place = needs.place.data.folder
    count = open_sealed(spec.task, spec.domain, place, plan=spec.plan, code=spec.suite_code)
    return Done(result=Opened(plan=spec.plan, code=spec.suite_code), about={"opening": count})


OPEN = UnitKind(
    name="open",
    spec=OpenSpec,
    result=Opened,
    work="harness.study.opening:open_domain",
    counts=True,
    seconds=0.1,
)


def opened_by(openings: Openings, task: str, domain: str) -> tuple[str, ...]:
    """Returns the hash of the unit that opens a domain; nothing where it is not sealed."""
    name = sealed_name(task, domain)
    return (openings[name].hash,) if name in openings else ()


def openings_of(opens: Sequence[str], table: Mapping[str, Any], units: Sequence[AnyUnit]) -> Openings:
    """Returns what opens sealed domains, with the hash of the plan as it would be without that.

    Raises:
        HarnessError: a domain is not sealed, or nothing of the suite reads it.
    """
    prepared = [unit.spec for unit in units if isinstance(unit.spec, PrepareSpec)]
    sealed = {sealed_name(spec.task, spec.domain) for spec in prepared}
    for name in opens:
        if name not in sealed:
            raise HarnessError(
                f"opens names {name!r}, which is no sealed domain that this suite reads; leave it out, or "
                "name the domain among sources or held_out of its task."
            )
    spec: dict[str, Any] = {
        "plan": content_hash([table, [unit.hash for unit in distinct(units)]]),
        "suite_code": content_hash(sorted({canonical_json(dict(unit.code)) for unit in units})),
    }
    names = ((name, *name.split("/", 1)) for name in opens)
    return {name: planned(OPEN, OpenSpec(task=task, domain=domain, **spec)) for name, task, domain in names}
