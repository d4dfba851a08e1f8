"""JSON Schemas of the files that people write, from the very types that read them, for editors.

Draft 7, as TOML editors know no later one. A schema tells what a file says alone; whether names exist, and
whether values fit together, is told where the file is read.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from harness import catalog
from harness.data.own.task import TaskFile
from harness.data.table.card import TableCard
from harness.errors import HarnessError, UnknownNameError
from harness.study.study import load_study
from harness.toml import BOUNDS, MERGED

DRAFT = "http://json-schema.org/draft-07/schema#"
PLAIN = {int: "integer", float: "number", str: "string", bool: "boolean"}
KEYWORDS = {"Ge": "minimum", "Gt": "exclusiveMinimum", "Le": "maximum", "Lt": "exclusiveMaximum"} | {
    "MinLen": "minItems"
}
EXTENDS = {"required": ["extends"], "properties": {"extends": {"minLength": 1}}}
"""Where a suite extends another, that one may say what this one lacks."""

Json = dict[str, Any]


def file_schema(kind: str, study: str | None = None) -> Json:
    """Returns the schema of the files of a kind; of suites, those of one study or of any.

    Raises:
        UnknownNameError: there is no such kind, or no such study.
        HarnessError: a study is named and no suite is asked for.
    """
    if kind not in FILES:
        raise UnknownNameError("kind of file", kind, FILES)
    if study and kind != "suite":
        raise HarnessError(f"A {kind} is of no study; leave out --study.")
    return {"$schema": DRAFT, **FILES[kind](study)}


def _suite(study: str | None) -> Json:
    if study:
        return _suite_of(study)
    names = catalog.names("study")
    return {"title": "suite", "anyOf": [_suite_of(name) for name in names]}


def _suite_of(study: str) -> Json:
    settings = load_study(study).settings
    found = _table(settings, is_partial=True)
    found["properties"]["study"]["const"] = study
    return {"title": f"suite of the study {study}", **found, "anyOf": [EXTENDS, _lacking(settings)]}


FILES: dict[str, Callable[[str | None], Json]] = {
    "suite": _suite,
    "table": lambda _: _table(TableCard),
    "task": lambda _: _table(TaskFile),
}
"""Kind of file -> its schema, of a study where one is named."""


def _table(kind: type[Any], is_partial: bool = False) -> Json:
    """Returns the schema of a dataclass; every key may lack where it is a part of a file."""
    types, told = get_type_hints(kind, include_extras=True), described(kind)
    properties = {}
    for one in fields(kind):
        found = _value(types[one.name], is_partial and (one.name in MERGED or not _is_list(types[one.name])))
        told_of = {"description": told[one.name]} if one.name in told else {}
        default = {} if one.default in (MISSING, None) else {"default": one.default}
        properties[one.name] = {**found, **told_of, **default}
    required = [] if is_partial else _required(kind)
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _value(wanted: Any, is_partial: bool) -> Json:
    """Returns the schema of what `harness.toml` reads as this type."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        bounds = {KEYWORDS[type(one).__name__]: getattr(one, BOUNDS[type(one)][0]) for one in inner[1:]}
        return {**_value(inner[0], is_partial), **bounds}
    if is_dataclass(wanted) and isinstance(wanted, type):
        return _table(wanted, is_partial)
    if origin in (list, tuple):
        return {"type": "array", "items": _value(inner[0], is_partial)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value(inner[1], is_partial)}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, UnionType):
        kinds = [_value(one, is_partial) for one in inner if one is not NoneType]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return {} if wanted is Any else {"type": PLAIN[wanted]}


def _lacking(kind: type[Any]) -> Json:
    """Returns what a whole file must have, at any depth, and nothing else."""
    types = get_type_hints(kind)
    inner = {}
    for one in fields(kind):
        wanted = types[one.name]
        part = get_args(wanted)[0] if _is_list(wanted) else wanted
        if is_dataclass(part) and isinstance(part, type) and (found := _lacking(part)):
            inner[one.name] = {"items": found} if _is_list(wanted) else found
    required = _required(kind)
    return {**({"required": required} if required else {}), **({"properties": inner} if inner else {})}


def _required(kind: type[Any]) -> list[str]:
    return [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]


def _is_list(wanted: Any) -> bool:
    wanted = get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
    return get_origin(wanted) in (list, tuple)


def described(kind: type[Any]) -> dict[str, str]:
    """Returns what the docstrings of a class and of its parents say of their members."""
    told: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        _, found, lines = cleandoc(one.__doc__ or "").partition("Attributes:\n")
        name = ""
        for line in lines.splitlines() if found else ():
            if not line.startswith("    "):
                break
            if not line.startswith("     "):
                name, _, line = line.strip().partition(": ")
                told[name] = ""
            told[name] = f"{told[name]} {line.strip()}".strip()
    return told
