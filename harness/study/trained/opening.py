"""The units that open sealed domains."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import HarnessError
from harness.files import canonical_json, content_hash
from harness.identity.unit import AnyUnit
from harness.study.plan import distinct, planned
from harness.study.trained.units import OPEN, OpenSpec
from harness.study.trained.zero_shot import Openings
from harness.study.work.specs import sealed_name
from harness.study.work.units import PrepareSpec


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
