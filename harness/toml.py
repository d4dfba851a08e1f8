"""Reads TOML into frozen dataclasses, so that a wrong file is told in one sentence with its line."""

import copy
import math
import operator
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen

from harness.errors import HarnessError, UnknownNameError
from harness.guard.text import read_text, shown

T = TypeVar("T")
LARGEST_BYTES = 2**22
"""The largest file that is shipped has 4 thousand."""
DEEPEST = 50
_DEEP_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){%d}""" % (DEEPEST - 1)  # noqa: UP031
)
"""Python's reader takes the square of a key's parts in time."""
_LARGEST_INTEGER = 2**63
MERGED = ("tasks", "zero_shot")
"""Lists of tables that are joined name by name where a suite extends another."""
BOUNDS = {
    Ge: ("ge", "at least {}", operator.ge),
    Gt: ("gt", "above {}", operator.gt),
    Le: ("le", "at most {}", operator.le),
    Lt: ("lt", "below {}", operator.lt),
    MinLen: ("min_length", "a list of {} or more", lambda value, least: len(value) >= least),
}
"""Bound of an annotated type -> where it stands there, its words, and whether a value keeps to it."""

OTHER_WORDS: dict[str, tuple[str, ...]] = {
    "rank_samples": ("rank_architectures",),
    "candidates": ("evaluations", "architectures"),
    **dict.fromkeys(("budget", "budgets", "samples"), ("evaluations", "architectures")),
}
"""What a budget is called elsewhere -> the keys that mean it here."""


def read_toml(path: Path) -> dict[str, Any]:
    """Returns the file's table.

    Raises:
        HarnessError: it is not UTF-8 text or not TOML, too large, or nested too deeply.
    """
    text = read_text(path, LARGEST_BYTES)
    if _DEEP_KEY.search(text):
        raise HarnessError(f"{path} has a key of {DEEPEST} parts or more; no table needs as many.")
    try:
        table = tomllib.loads(text)
        _check(table)
        return table
    except ValueError as error:
        raise HarnessError(f"{path} is not TOML: {error}.") from error
    except RecursionError:
        raise HarnessError(f"{path} is nested too deeply; at most {DEEPEST} levels are read.") from None


def changed(table: Mapping[str, Any], change: str, path: Path) -> dict[str, Any]:
    """Returns a table with one KEY=VALUE of a command line, such as search.evaluations=32.

    A key leads through lists in MERGED by a name, as in tasks.digits.training.steps=100. A value is read as
    TOML, and as a string where it is none.

    Raises:
        HarnessError: it is no KEY=VALUE, or leads through what is no table.
    """
    key, sign, text = change.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not sign or not all(parts) or len(parts) > DEEPEST:
        raise HarnessError(f"--set takes KEY=VALUE, such as search.evaluations=32, and not {shown(change)}.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
        _check(value)
    except (ValueError, RecursionError):
        value = text.strip()
    found = copy.deepcopy(dict(table))
    place: Any = found
    for index, part in enumerate(parts[:-1]):
        if isinstance(place, list):
            named = {str(one.get("name")): one for one in place}
            if part not in named:
                raise UnknownNameError(f"entry of {'.'.join(parts[:index])} in {path}", part, named)
            place = named[part]
            continue
        place = place.setdefault(part, {})
        is_last = index == len(parts) - 2
        if not isinstance(place, dict) and (is_last or part not in MERGED or not _are_named(place)):
            where = ".".join(parts[: index + 1])
            raise HarnessError(f"--set {shown(change)}: {where} is no table of {path}.")
    place[parts[-1]] = value
    return found


def parse(wanted: type[T], table: dict[str, Any], path: Path, where: str = "") -> T:
    """Returns `table`, read from `path`, where it stands as [where], as the dataclass `wanted`.

    Raises:
        HarnessError: a key is unknown or lacks, or a value has another type.
    """
    parsed: T = _Reader(path).value(wanted, table, where)
    return parsed


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Returns two tables joined key by key, `above` winning, and lists in MERGED name by name."""
    joined = dict(below)
    for key, value in above.items():
        old = joined.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            joined[key] = merged(old, value)
        elif key in MERGED and _are_named(old) and _are_named(value):
            known = {task.get("name"): task for task in old}
            joined[key] = [merged(known.get(task.get("name"), {}), task) for task in value]
        else:
            joined[key] = value
    return joined


def _are_named(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Whether it is a list of tables with names; what else it is, is told when it is parsed."""
    return isinstance(value, list) and all(
        isinstance(one, dict) and isinstance(one.get("name", ""), str) for one in value
    )


def _check(value: Any, depth: int = 0) -> None:
    """Raises a RecursionError for what is nested too deeply, a ValueError for a number of over 64 bits."""
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, int) and not -_LARGEST_INTEGER <= value < _LARGEST_INTEGER:
        raise ValueError("a whole number has more than 64 bits")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        _check(one, depth + 1)


@dataclass(frozen=True)
class _Reader:
    path: Path

    def value(self, wanted: Any, value: Any, where: str) -> Any:
        """Returns `value` as `wanted`, or says in one sentence where the file is wrong."""
        origin = get_origin(wanted)
        if origin is Annotated:
            return self._bounded(wanted, value, where)
        if hasattr(wanted, "__dataclass_fields__"):
            return self._table(wanted, value, where)
        if origin in (list, tuple):
            self._expect(isinstance(value, list), where, "a list", value)
            return origin(self.value(get_args(wanted)[0], item, f"{where}") for item in value)
        if origin is dict:
            self._expect(isinstance(value, dict), where, "a table", value)
            return {
                key: self.value(get_args(wanted)[1], item, f"{where}.{key}") for key, item in value.items()
            }
        if NoneType in get_args(wanted):
            return self.value(get_args(wanted)[0], value, where)
        if origin is Literal:
            self._expect(value in get_args(wanted), where, " or ".join(map(repr, get_args(wanted))), value)
            return value
        if wanted is Any or origin in (Union, UnionType):
            return value
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        right = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
        right = right and (wanted is not float or math.isfinite(value))
        kind = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}[wanted]
        self._expect(right, where, kind, value)
        return value

    def _bounded(self, wanted: Any, value: Any, where: str) -> Any:
        inner, *bounds = get_args(wanted)
        found = self.value(inner, value, where)
        told, right = [], True
        for bound in bounds:
            name, words, holds = BOUNDS[type(bound)]
            limit = getattr(bound, name)
            told.append(words.format(limit))
            right = right and holds(found, limit)
        self._expect(right, where, " and ".join(told), value)
        return found

    def _table(self, wanted: type[T], value: Any, where: str) -> T:
        self._expect(isinstance(value, dict), where, "a table", value)
        types = get_type_hints(wanted, include_extras=True)
        place = f"[{where}]" if where else "the top level"
        for key in value:
            if key not in types:
                near = [one for one in OTHER_WORDS.get(key, ()) if one in types]
                near = near or get_close_matches(key, types, n=1)
                hint = f"did you mean {near[0]}?" if near else f"allowed are: {', '.join(sorted(types))}."
                raise HarnessError(f"{self._at(key)}: {place} has no key {key!r}; {hint}")
        for item in fields(wanted):  # type: ignore[arg-type]
            required = item.default is MISSING and item.default_factory is MISSING
            if required and item.name not in value:
                raise HarnessError(f"{self.path}: {place} lacks the key {item.name!r}.")
        inside = f"{where}." if where else ""
        return wanted(**{key: self.value(types[key], item, inside + key) for key, item in value.items()})

    def _expect(self, right: bool, where: str, kind: str, value: Any) -> None:
        if not right:
            key = where.rpartition(".")[2]
            near = get_close_matches(str(value), kind.replace("'", "").split(" or "), n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise HarnessError(f"{self._at(key)}: {where} must be {kind}, not {shown(value)}{hint}")

    def _at(self, key: str) -> str:
        for number, line in enumerate(self.path.read_text().splitlines(), start=1):
            if line.strip().lstrip("[").startswith(key):
                return f"{self.path}, line {number}"
        return str(self.path)
