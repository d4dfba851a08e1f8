"""A plan that is fixed before anything is trained, and how what is run departs from it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from harness import catalog
from harness.errors import HarnessError
from harness.files import canonical_json, content_hash, file_hash, read_sealed, sealed
from harness.guard.text import shown
from harness.identity.code import code_digest
from harness.identity.content import code_of_module
from harness.identity.schema import Schema
from harness.identity.unit import AnyUnit
from harness.study.work.units import PrepareSpec

ENDING = ".registered.json"
"""Behind a suite's name, in the file beside the suite's own."""
ANALYSIS = "harness.study.diversity.board"
"""The module that, with all that it imports, makes answers of results."""
FREE = ("title", "limits", "registered", "registration")
"""Members of a plan that decide nothing."""


@dataclass(frozen=True, kw_only=True)
class Registration(Schema):
    """What a plan says of its registration.

    Attributes:
        sha256: of what was registered; part of the plan key of every training.
        date: when, in ISO 8601, UTC.
        trainings: that were registered.
        sealed: `TASK/DOMAIN` of the sealed domains that are opened.
        deviations: how the plan, or the analysis, departs from it.
    """

    sha256: str
    date: str
    trainings: int
    sealed: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()


def file_of(name: str) -> Path:
    """Returns where the registration of a suite lies.

    Raises:
        HarnessError: the suite is none of the catalog.
    """
    path = catalog.files("suite").get(name)
    if path is None:
        raise HarnessError(f"{name} is no suite of the catalog, and only such a one is registered.")
    return path.with_name(f"{name}{ENDING}")


def registered(
    name: str, table: Mapping[str, Any], units: Sequence[AnyUnit], opens: Sequence[str]
) -> dict[str, Any]:
    """Returns what is registered of a plan: all settings, every training, all data, and the analysis.

    Args:
        name: of the suite.
        table: its settings, as `plan.json` keeps them.
        units: of the plan as it is without a registration.
        opens: `TASK/DOMAIN` of sealed domains.
    """
    trainings = [unit for unit in units if unit.kind.trains]
    domains = {unit.spec.of: _data(unit.spec) for unit in units if isinstance(unit.spec, PrepareSpec)}
    return {
        "suite": name,
        "plan": {key: value for key, value in table.items() if key not in FREE},
        "trainings": [unit.spec.to_json() for unit in trainings],
        "domains": domains,
        "sealed": {one: domains.get(one, "") for one in opens},
        "analysis": code_of_module(ANALYSIS),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _data(spec: PrepareSpec) -> str:
    """Returns a hash of what a domain is read from, and of the file that says how; no code of the engine."""
    file = catalog.files("task")[spec.task]
    reader = code_digest(file) if file.suffix == ".py" else file_hash(file)
    return content_hash([spec.to_json(), reader])


def text_of(what: Mapping[str, Any]) -> str:
    """Returns the text of a registration's file."""
    return sealed({"registered": what, "sha256": _sha256(what)})


def read_registration(name: str, table: Mapping[str, Any], units: Sequence[AnyUnit]) -> Registration | None:
    """Returns the registration of a suite, with how the plan departs from it; None where there is none.

    Raises:
        DamagedError: it was changed.
        HarnessError: its hash is not that of what it says.
    """
    path = file_of(name)
    if not path.exists():
        return None
    kept = read_sealed(path, "put it back from a copy, as nothing takes the place of a registration")
    what = kept["registered"]
    if kept["sha256"] != _sha256(what):
        raise HarnessError(f"{path} does not say what was registered; put it back from a copy.")
    now = registered(name, table, units, ())
    return Registration(
        sha256=kept["sha256"],
        date=what["date"],
        trainings=len(what["trainings"]),
        sealed=tuple(what["sealed"]),
        deviations=tuple(_deviations(what, now)),
    )


def _deviations(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each thing that is not as it was registered."""
    before = dict(_flat(was["plan"]))
    after = dict(_flat(json.loads(canonical_json(now["plan"]))))
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield f"{key} is {_said(after, key)} and was registered as {_said(before, key)}."
    planned = json.loads(canonical_json(now["trainings"]))
    left = [one for one in was["trainings"] if one not in planned]
    added = [one for one in planned if one not in was["trainings"]]
    if left or added:
        yield f"{len(left)} registered trainings are no part of the plan, and {len(added)} others are."
    read, reads = was.get("domains"), now["domains"]
    apart = {*read.items()} ^ {*reads.items()} if read else set()  # the first one hashed the engine instead
    if changed := sorted({one for one, _ in apart}):
        yield f"The data or the reader of {', '.join(changed)} changed since."
    if was["analysis"] != now["analysis"]:
        yield f"The code of the analysis is {now['analysis']} and was registered as {was['analysis']}."


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(one, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _said(values: Mapping[str, Any], key: str) -> str:
    return shown(values[key]) if key in values else "absent"


def _sha256(what: Mapping[str, Any]) -> str:
    return sha256(canonical_json(what).encode()).hexdigest()
