"""Typed values with one JSON form, so that no untyped mapping goes from one room to another."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, Self, cast

from harness.errors import DamagedError
from harness.guard.text import shown


@dataclass(frozen=True, kw_only=True)
class Schema:
    """A frozen value whose JSON form leaves out every member that is at its default.

    Members that are other dataclasses, or named tuples, are kept whole.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "allow_inf_nan": False}

    def to_json(self) -> dict[str, Any]:
        """Returns the value as JSON holds it."""
        return {
            name: _plain(value)
            for name, default in _defaults(cast(Any, type(self)))
            if (value := getattr(self, name)) != default or default is MISSING
        }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Returns what `to_json` gave.

        Raises:
            DamagedError: a member is unknown, lacks or has another type.
        """
        from pydantic import ValidationError

        try:
            found: Self = _adapter(cast(Any, cls)).validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"])) or "it"
            raise DamagedError(
                f"{where} is {shown(first['input'])}, where {cls.__name__} says: {first['msg']}."
            ) from None
        return found


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    """Returns name and default of every member; MISSING where there is none."""
    return tuple(
        (one.name, one.default if one.default_factory is MISSING else one.default_factory())
        for one in fields(kind)
    )


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _plain(value: Any) -> Any:
    if isinstance(value, Schema):
        return value.to_json()
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
