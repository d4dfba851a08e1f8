"""Values with only what a test speaks of given, and anything of the right type for the rest."""

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from harness import catalog
from harness.identity.unit import Unit, UnitKind
from harness.run.loaded import Run
from harness.task.signature import Signature
from harness.task.split import Split
from harness.task.task import Domain, Task

KINDS = {
    kind.name: kind
    for name in ("trained", "lookup", "ranking", "diversity")
    for kind in catalog.load("study", name).kinds
}


def filled(wanted: Any, **given: Any) -> Any:
    """Returns a value of the type, from the JSON of some of its members."""
    return wanted.from_json(completed(wanted, given))


def completed(wanted: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns JSON with every member that the type asks for."""
    hints = get_type_hints(wanted)
    lacking = (
        one.name
        for one in fields(wanted)
        if one.name not in given and one.default is MISSING and one.default_factory is MISSING
    )
    return {**{name: anything(hints[name]) for name in lacking}, **given}


def anything(wanted: Any) -> Any:
    """Returns JSON of some value of a type."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        return None if type(None) in inner else anything(inner[0])
    if origin is Literal:
        return inner[0]
    if is_dataclass(wanted):
        return completed(wanted, {})
    if origin is not None or wanted in (tuple, list, dict):
        return (
            {} if isinstance(origin or wanted, type) and issubclass(origin or wanted, Mapping | dict) else []
        )
    return {str: "", int: 0, float: 0.0, bool: False}.get(wanted)


def unit(kind: str | UnitKind[Any, Any], spec: Mapping[str, Any], **more: Any) -> Unit[Any, Any]:
    """Returns a unit of a shipped kind with some of its parameters."""
    found = KINDS[kind] if isinstance(kind, str) else kind
    return Unit(kind=found, spec=filled(found.spec, **spec), **more)


def result(kind: str, **given: Any) -> Any:
    """Returns a result of a shipped kind with some of its members."""
    return filled(KINDS[kind].result, **given)


def units(run: Run, kind: str, **wanted: Any) -> list[Unit[Any, Any]]:
    """Returns the units of a shipped kind whose parameters are these, in the order of the run."""
    return [
        one
        for one in run.planned(KINDS[kind])
        if all(getattr(one.spec, name) == value for name, value in wanted.items())
    ]


def told(run: Run, one: Unit[Any, Any] | None) -> dict[str, Any]:
    """Returns the JSON of what a unit computed; {} where it has no result."""
    found = run.result(one)
    return found.to_json() if found else {}


def split(
    *,
    images: Any = None,
    documents: Sequence[bytes] = (),
    labels: Any = None,
    groups: Any = None,
    domain: str = "toy",
    name: str = "train",
) -> Split:
    """Returns a split of images or of documents, by default of one label and a group for each sample."""
    size = len(documents) if images is None else len(images)
    groups = np.arange(size) if groups is None else groups
    return Split(
        domain=domain,
        name=name,
        images=np.zeros((0, 0, 0, 0), np.uint8) if images is None else images,
        text=np.frombuffer(b"".join(documents), np.uint8),
        offsets=np.cumsum([0, *map(len, documents)]).astype(np.int64),
        labels=np.zeros(size, np.int64) if labels is None else np.asarray(labels, np.int64),
        groups=groups,
        group_names=tuple(map(str, range(int(max(groups, default=0)) + 1))),
        positions=np.arange(size),
    )


def domain(name: str, read: Any, **more: Any) -> Domain:
    """Returns a domain that a function of a test reads."""
    return Domain(**{"name": name, "origin": "toy", "licence": "CC0", "groups": "group", "read": read} | more)


def task(domains: Iterable[Domain], signature: Signature, **more: Any) -> Task:
    """Returns a task whose first domain is its source."""
    domains = tuple(domains)
    usual = {"summary": "toy", "metric": "accuracy", "chance": 0.5, "held_out": ()}
    return Task(**usual | {"signature": signature, "domains": domains, "sources": (domains[0].name,)} | more)
