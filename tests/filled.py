"""Typed values with only what a test speaks of given, and anything of the right type for the rest."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from harness import catalog
from harness.identity.unit import Unit, UnitKind
from harness.run.loaded import Run

KINDS = {
    kind.name: kind for name in ("trained", "lookup", "ranking") for kind in catalog.load("study", name).kinds
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
