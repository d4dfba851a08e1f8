"""The unit that counts that a run scores a sealed domain."""

from pathlib import Path

from harness.data.sealed import open_sealed
from harness.identity.unit import Unit
from harness.run.place import Done, Needs
from harness.study.trained.results import Opened
from harness.study.trained.units import OpenSpec


def open_domain(unit: Unit[OpenSpec, Opened], needs: Needs, folder: Path) -> Done:
    """Writes plan and code into the journal of the data folder; how often that was done is no result."""
    spec = unit.spec
    place = needs.place.data.folder
    count = open_sealed(spec.task, spec.domain, place, plan=spec.plan, code=spec.suite_code)
    return Done(result=Opened(plan=spec.plan, code=spec.suite_code), about={"opening": count})
