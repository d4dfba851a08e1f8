"""A machine that reads a pickle and calls nothing: what would be called is written down.

Python's own unpickler calls what a pickle names with the arguments of the pickle's choice, and some of what a
table needs (`numpy.ndarray`, `numpy.dtype`) reads any address when it is called so. Here a call is a `Made`,
and `harness.data.foreign.pickle_values` turns those of known shapes into plain values by code of its own.

Source: the list of opcodes in Python's `pickletools`, which splits the bytes and checks their lengths.
"""

import codecs
import pickletools  # it splits bytes into opcodes and makes nothing  # nosec B403
from collections.abc import Callable, Sequence
from typing import Any

LARGEST_BYTES = 2**27
"""Bytes of a pickle; the published ones have 6 million."""
MOST_STEPS = 20_000_000
"""Opcodes of a pickle; the published ones have 2 million, read in 2 seconds."""
LARGEST_INTEGER = 2**63
"""Larger ones can be chosen to have one hash, and take the square of their digits to write."""
MOST_KEY_PARTS = 1_000
"""Parts of a key, as tuples in tuples that share their parts take forever to hash."""

FUNCTIONS = {
    "_codecs.encode": "bytes",
    "numpy.dtype": "type",
    "__builtin__.bytes": "bytes",
    **{f"{module}.set": "set" for module in ("builtins", "__builtin__")},
    **{f"{module}.frozenset": "frozenset" for module in ("builtins", "__builtin__")},
    **{f"numpy.{module}.multiarray.scalar": "scalar" for module in ("core", "_core")},
    **{f"numpy.{module}.multiarray._reconstruct": "array" for module in ("core", "_core")},
}
"""What a pickle may call -> what it would make."""
ARRAY_CLASS = "numpy.ndarray"
"""May be named, as an argument of `_reconstruct`, and not be called."""


class RefusedPickleError(Exception):
    """Why a pickle is not read: it is damaged, too large, or wants what no table needs."""


class Name:
    """A function or a class that a pickle names."""

    __slots__ = ("kind", "text")

    def __init__(self, text: str, kind: str) -> None:
        self.text = text
        self.kind = kind


class Made:
    """What a pickle would have made by a call: a kind of `FUNCTIONS`, or `attributes` of a class."""

    __slots__ = ("arguments", "kind", "state")

    def __init__(self, kind: str, arguments: tuple[Any, ...]) -> None:
        self.kind = kind
        self.arguments = arguments
        self.state: Any = None


codecs.lookup("raw-unicode-escape")  # pickletools needs it, and a confined child imports nothing later
_MARK = object()
_PUSHED = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    }
)
_FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_EMPTY: dict[str, type] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
_GETS = ("GET", "BINGET", "LONG_BINGET")


def run(data: bytes, classes: Sequence[str]) -> Any:
    """Returns what a pickle holds: containers, numbers, texts, `Name` and `Made`.

    Args:
        classes: `MODULE.NAME` whose objects are read as their attributes.

    Raises:
        RefusedPickleError: it is damaged, too large, or wants anything else.
    """
    if len(data) > LARGEST_BYTES:
        raise RefusedPickleError(f"it has {len(data)} bytes, and at most {LARGEST_BYTES} are read")
    machine = _Machine(frozenset(classes))
    try:
        for step, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if step >= MOST_STEPS:
                raise RefusedPickleError(f"it has over {MOST_STEPS} steps")
            machine.step(opcode.name, argument)
        return machine.pop()
    except (ValueError, IndexError, KeyError, TypeError) as error:
        # Of pickletools and of a stack or a memo that lacks what a step wants.
        raise RefusedPickleError(f"it is damaged ({error})") from error


def checked_key(key: Any) -> Any:
    """Returns a key that is hashed in no time: a number, a text, bytes, or a small tuple of these."""
    if type(key) is str:
        return key
    left = [key]
    for _ in range(MOST_KEY_PARTS):
        if not left:
            return key
        part = left.pop()
        if type(part) is tuple:
            left += part[: MOST_KEY_PARTS + 1]
        elif type(part) not in (str, int, float, bool, bytes, type(None)):
            raise RefusedPickleError(f"it has {type(part).__name__} as a key")
    if left:
        raise RefusedPickleError(f"it has a key of more than {MOST_KEY_PARTS} parts")
    return key


class _Machine:
    def __init__(self, classes: frozenset[str]) -> None:
        self.classes = classes
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Does what the opcode `name` says."""
        stack = self.stack
        if name in _GETS:
            stack.append(self.memo[argument])
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self._top()
        elif name in _PUSHED:
            stack.append(_plain(argument))
        elif name in _PUTS:
            self.memo[argument] = self._top()
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _FIXED:
            stack.append(_FIXED[name])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _TUPLES:
            parts = [self.pop() for _ in range(_TUPLES[name])]
            stack.append(tuple(reversed(parts)))
        elif name not in ("PROTO", "FRAME", "STOP"):
            rare = _RARE.get(name)
            if rare is None:
                raise RefusedPickleError(f"it wants the opcode {name}, which no table needs")
            rare(self, argument)

    def pop(self) -> Any:
        """Returns the top of the stack, taken off."""
        if self.stack and self.stack[-1] is not _MARK:
            return self.stack.pop()
        raise RefusedPickleError("it takes more than there is")

    def _top(self) -> Any:
        if self.stack and self.stack[-1] is not _MARK:
            return self.stack[-1]
        raise RefusedPickleError("it takes more than there is")

    def _marked(self) -> list[Any]:
        at = len(self.stack) - 1
        while at >= 0 and self.stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise RefusedPickleError("it takes more than there is")
        parts = self.stack[at + 1 :]
        del self.stack[at:]
        return parts

    def _container(self, kind: type) -> Any:
        found = self._top()
        if type(found) is not kind:
            raise RefusedPickleError(f"it adds to {type(found).__name__} what belongs into {kind.__name__}")
        return found

    def _set_items(self, parts: list[Any]) -> None:
        mapping = self._container(dict)
        for key, value in _pairs(parts):
            mapping[checked_key(key)] = value

    def _add_items(self, parts: list[Any]) -> None:
        self._container(set).update(map(checked_key, parts))

    def _name(self, text: str) -> None:
        kind = (
            "attributes" if text in self.classes else "class" if text == ARRAY_CLASS else FUNCTIONS.get(text)
        )
        if kind is None:
            raise RefusedPickleError(f"it wants {text[:200]}, which is neither numpy's data nor a container")
        self.stack.append(Name(text, kind))

    def _stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise RefusedPickleError("it names what is called by other things than texts")
        self._name(f"{module}.{name}")

    def _call(self, kinds: tuple[str, ...]) -> None:
        arguments, called = self.pop(), self.pop()
        if not isinstance(called, Name) or called.kind not in kinds or type(arguments) is not tuple:
            raise RefusedPickleError("it wants to call what is no function of a table")
        if called.kind == "attributes" and arguments:
            raise RefusedPickleError(
                f"it makes {called.text} of {len(arguments)} arguments, not of its attributes"
            )
        self.stack.append(Made(called.kind, arguments))

    def _build(self) -> None:
        state, made = self.pop(), self._top()
        if not isinstance(made, Made) or made.state is not None:
            raise RefusedPickleError("it sets the state of what has none, or has one already")
        made.state = state


def _plain(value: Any) -> Any:
    if type(value) is int and not -LARGEST_INTEGER <= value < 2 * LARGEST_INTEGER:
        raise RefusedPickleError("it holds a whole number of more than 64 bits")
    if type(value) is str and not value.isascii():
        value.encode()  # half of a surrogate pair cannot be printed
    return value


def _pairs(parts: list[Any]) -> list[tuple[Any, Any]]:
    if len(parts) % 2:
        raise RefusedPickleError("it holds a key without a value")
    return list(zip(parts[::2], parts[1::2], strict=True))


_CALLED = tuple({*FUNCTIONS.values(), "attributes"})
_RARE: dict[str, Callable[[_Machine, Any], Any]] = {
    "BYTEARRAY8": lambda machine, data: machine.stack.append(bytes(data)),
    "APPEND": lambda machine, _: (lambda value: machine._container(list).append(value))(machine.pop()),
    "APPENDS": lambda machine, _: (lambda parts: machine._container(list).extend(parts))(machine._marked()),
    "SETITEM": lambda machine, _: machine._set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine._set_items(machine._marked()),
    "ADDITEMS": lambda machine, _: machine._add_items(machine._marked()),
    "LIST": lambda machine, _: machine.stack.append(machine._marked()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine._marked())),
    "DICT": lambda machine, _: machine.stack.append(
        {checked_key(key): value for key, value in _pairs(machine._marked())}
    ),
    "FROZENSET": lambda machine, _: machine.stack.append(frozenset(map(checked_key, machine._marked()))),
    "POP": lambda machine, _: machine.stack.pop(),
    "POP_MARK": lambda machine, _: machine._marked().clear(),
    "DUP": lambda machine, _: machine.stack.append(machine._top()),
    "GLOBAL": lambda machine, text: machine._name(text.replace(" ", ".", 1)),
    "STACK_GLOBAL": lambda machine, _: machine._stack_global(),
    "REDUCE": lambda machine, _: machine._call(_CALLED),
    "NEWOBJ": lambda machine, _: machine._call(("attributes",)),
    "BUILD": lambda machine, _: machine._build(),
}
