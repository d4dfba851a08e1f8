"""What a pickle says it would have made, as plain numbers, texts, lists and attributes."""

import math
import re
import struct
from collections.abc import Sequence
from typing import Any

from harness.data.foreign.pickle_machine import Made, Name, RefusedPickleError, checked_key

DEEPEST = 100
"""Containers in one another."""
MOST_NUMBERS = 2_000_000
"""Numbers of one array."""
MOST_DIMENSIONS = 32

_LETTERS = {
    **{"b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q"},
    **{"f2": "e", "f4": "f", "f8": "d"},
}
"""Numpy's letters of a number -> those of `struct`."""


class Attributes:
    """Stands for an object of a class that a card names: what the pickle says its attributes are."""


def plain(value: Any) -> Any:
    """Returns what a machine read with every `Made` replaced: arrays by lists, numpy's numbers by numbers.

    Raises:
        RefusedPickleError: it wants objects in arrays, sizes that do not agree, holds itself, or is too deep.
    """
    return _Values().of(value, 0)


class _Values:
    def __init__(self) -> None:
        self.done: dict[int, tuple[Any, Any]] = {}
        """Identity of what was read -> that, so that it lives on, and its value."""

    def of(self, value: Any, depth: int) -> Any:
        """Returns the value of one thing; what is shared is shared again."""
        if not isinstance(value, dict | list | tuple | set | frozenset | Made | Name) or value == ():
            return value
        found = self.done.get(id(value))
        if found is not None:
            if found[1] is _OPEN:
                raise RefusedPickleError("it holds itself")
            return found[1]
        if depth > DEEPEST:
            raise RefusedPickleError(f"it holds containers in one another more than {DEEPEST} times")
        self.done[id(value)] = (value, _OPEN)
        made = self._made(value, depth) if isinstance(value, Made) else self._container(value, depth)
        self.done[id(value)] = (value, made)
        return made

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return {key: self.of(one, depth + 1) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)([self.of(one, depth + 1) for one in value])
        if isinstance(value, Name):
            raise RefusedPickleError(f"it holds {value.text} itself, not what it makes")
        return value  # sets hold keys, which are plain

    def _made(self, made: Made, depth: int) -> Any:
        if made.kind == "attributes":
            state = {} if made.state is None else made.state
            if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
                raise RefusedPickleError("it holds an object whose attributes have no names")
            thing = Attributes()
            vars(thing).update({key: self.of(one, depth + 1) for key, one in state.items()})
            return thing
        if made.kind in ("set", "frozenset"):
            return _set(made)
        if made.kind == "type":
            raise RefusedPickleError("it holds a type of numpy's, not a number or an array")
        return {"bytes": _bytes, "scalar": _scalar, "array": _array}[made.kind](made)


_OPEN = object()


def _set(made: Made) -> Any:
    kind: type = set if made.kind == "set" else frozenset
    members = made.arguments[0] if made.arguments else []
    if len(made.arguments) > 1 or not isinstance(members, list) or made.state is not None:
        raise RefusedPickleError("it makes a set of something else than a list")
    return kind(map(checked_key, members))


def _bytes(made: Made) -> bytes:
    """Returns the bytes that old pickles hold as text; any other use of the codecs is refused."""
    if not made.arguments:
        return b""
    text, encoding = _arguments(made, 2)
    if encoding != "latin1" or not isinstance(text, str) or made.state is not None:
        raise RefusedPickleError(f"it wants the codec {str(encoding)[:40]!r}")
    return text.encode("latin1")


def _scalar(made: Made) -> Any:
    kind, data = _arguments(made, 2)
    if made.state is not None:
        raise RefusedPickleError("it sets the state of a number")
    return _numbers(kind, _data(data), 1)[0]


def _array(made: Made) -> Any:
    """Returns nested lists, or a number where the array has no dimension."""
    name, start, _ = _arguments(made, 3)
    if not isinstance(name, Name) or name.kind != "class" or start != (0,):
        raise RefusedPickleError("it makes an array of something else than numpy's class")
    if not isinstance(made.state, tuple) or len(made.state) != 5:
        raise RefusedPickleError("it holds an array without its state")
    _, shape, kind, is_fortran, data = made.state
    _code(kind)
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise RefusedPickleError("it holds an array whose shape is no list of sizes")
    if len(shape) > MOST_DIMENSIONS or math.prod(shape) > MOST_NUMBERS:
        raise RefusedPickleError(f"it holds an array of more than {MOST_NUMBERS} numbers")
    numbers = _numbers(kind, _data(data), math.prod(shape))
    return _nested(numbers, shape, _steps(shape, bool(is_fortran)), 0) if numbers else []


def _steps(shape: Sequence[int], is_fortran: bool) -> list[int]:
    if is_fortran:
        return [math.prod(shape[:at]) for at in range(len(shape))]
    return [math.prod(shape[at + 1 :]) for at in range(len(shape))]


def _nested(numbers: Sequence[Any], shape: Sequence[int], steps: Sequence[int], start: int) -> Any:
    if not shape:
        return numbers[start]
    return [_nested(numbers, shape[1:], steps[1:], start + at * steps[0]) for at in range(shape[0])]


def _numbers(kind: Any, data: bytes, count: int) -> list[Any]:
    order, letter, size = _code(kind)
    if len(data) != count * size:
        raise RefusedPickleError(f"it holds {len(data)} bytes for {count} numbers of {size} bytes")
    if letter in ("S", "U"):
        return [_text(data[at : at + size], order, letter) for at in range(0, len(data), size)]
    return [number for (number,) in struct.iter_unpack(order + letter, data)]


def _text(data: bytes, order: str, letter: str) -> str:
    if letter == "S":
        return data.rstrip(b"\0").decode("latin1")
    text = "".join(map(chr, struct.unpack(f"{order}{len(data) // 4}I", data))).rstrip("\0")
    text.encode()  # half of a surrogate pair cannot be printed
    return text


def _code(kind: Any) -> tuple[str, str, int]:
    """Returns the order, the letter and the bytes of a type of numpy's, none that may hold objects."""
    if not isinstance(kind, Made) or kind.kind != "type" or not kind.arguments:
        raise RefusedPickleError("it holds numbers without their type")
    text, state = kind.arguments[0], kind.state
    found = re.fullmatch(r"[<>|=]?([biuf]\d|[SU])(\d{0,6})", text) if isinstance(text, str) else None
    if (
        found is None
        or (found[1] not in _LETTERS and found[1] not in ("S", "U"))
        or (found[1] in _LETTERS and found[2])
    ):
        raise RefusedPickleError(f"it wants numpy arrays of objects or of the type {str(text)[:40]!r}")
    order = text[0] if text[0] in "<>" else "<"
    letter = _LETTERS.get(found[1], found[1])
    size = (
        int(found[2] or 0) * (4 if letter == "U" else 1) if letter in "SU" else struct.calcsize("<" + letter)
    )
    if not size:
        raise RefusedPickleError("it wants numpy texts of no bytes")
    if state is None:
        return order, letter, size
    if not isinstance(state, tuple) or not 3 <= len(state) <= 9 or state[1] not in ("<", ">", "|", "="):
        raise RefusedPickleError("it sets a state that no type of numbers has")
    inner, rest = state[2:5], state[5:6]
    if any(one is not None for one in inner) or any(one not in (-1, size) for one in rest):
        raise RefusedPickleError("it wants a type of numpy's with fields, offsets or another size")
    return (state[1] if state[1] in "<>" else order), letter, size


def _data(value: Any) -> bytes:
    if isinstance(value, Made) and value.kind == "bytes":
        return _bytes(value)
    if isinstance(value, str):
        return value.encode("latin1")
    if not isinstance(value, bytes):
        raise RefusedPickleError("it wants numpy arrays of objects, or numbers that are no bytes")
    return value


def _arguments(made: Made, count: int) -> tuple[Any, ...]:
    if len(made.arguments) != count:
        raise RefusedPickleError(f"it makes {made.kind} of {len(made.arguments)} things, not of {count}")
    return made.arguments
