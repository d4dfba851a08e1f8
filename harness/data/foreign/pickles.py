"""Tables that others published as pickles, read in a confined child without running anything in them.

Source: "Restricting Globals" of Python's documentation of `pickle` has the idea; its unpickler is not used,
as what a pickle may call of numpy reads any address.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.foreign.archive import zip_archive
from harness.data.foreign.confined import Confined
from harness.data.foreign.pickle_machine import RefusedPickleError, run
from harness.data.foreign.pickle_values import Attributes, plain
from harness.errors import DataUnavailableError

if TYPE_CHECKING:
    import pandas as pd

KEY = "key"
"""Column that holds what a pickled mapping is keyed by."""
MOST_CELLS = 20_000_000
MOST_COLUMNS = 1_000
DEEPEST_NAME = 8
"""Mappings in one another, whose keys make up the name of a column."""


def unpickled(data: bytes, where: str, classes: Sequence[str] = ()) -> Any:
    """Returns what a pickle holds, made of containers, numbers and texts alone; arrays are lists.

    Objects of `classes`, each MODULE.NAME, are read as their attributes; none of their code is looked for.

    Raises:
        DataUnavailableError: it is damaged, or wants anything else.
    """
    try:
        return plain(run(data, classes))
    except (RefusedPickleError, ValueError, MemoryError, RecursionError) as error:
        reason = str(error) or "it wants more memory than there is"
        raise DataUnavailableError(f"{where} is a pickle that is not read: {reason}.") from error


def read_members(path: Path, members: Mapping[str, str], classes: Sequence[str]) -> "pd.DataFrame":
    """Returns the columns `key` and `PREFIX.NAME` of the pickled mappings in the archive `path`.

    Args:
        members: prefix -> file in the archive; all must have the same keys.

    Raises:
        DataUnavailableError: a file lacks, is no such mapping, or has other keys than the first.
    """
    import pandas as pd

    first: list[str | int] = []
    columns: dict[str, Any] = {}
    with zip_archive(path) as archive, closing(Confined(answer)) as child:
        for prefix, member in members.items():
            where = f"{path}, {member}"
            question = json.dumps([where, *classes]).encode() + b"\n" + archive.read(member)
            told = json.loads(child.ask(question, where))
            if isinstance(told, str):
                raise DataUnavailableError(told)
            keys, cells = told
            first = first or keys
            rows = {key: row for row, key in enumerate(keys)}
            if set(rows) != set(first):
                odd = sorted(map(str, set(rows) ^ set(first)))
                raise DataUnavailableError(
                    f"{where} and the first member differ in {len(odd)} keys, as in {odd[0]}."
                )
            for name, values in cells.items():
                columns[f"{prefix}.{name}"] = [values[rows[key]] for key in first]
    return pd.DataFrame({KEY: first, **columns})


def answer(question: bytes) -> bytes:
    """Returns the rows of a pickled mapping as JSON, or a sentence that says what is wrong; in the child."""
    head, _, data = question.partition(b"\n")
    where, *classes = json.loads(head)
    try:
        return json.dumps(_rows(unpickled(data, where, classes), where)).encode()
    except DataUnavailableError as error:
        return json.dumps(str(error)).encode()
    except (MemoryError, ValueError) as error:
        reason = str(error) or "they want more memory than there is"
        return json.dumps(f"{where} is a pickle whose rows are not read: {reason}.").encode()


def _rows(found: Any, where: str) -> tuple[list[str | int], dict[str, list[Any]]]:
    """Returns the keys, and name -> the value of each key, None where it has none."""
    if not isinstance(found, dict) or not found:
        raise DataUnavailableError(f"{where} holds {type(found).__name__}, not a mapping of architectures.")
    columns: dict[str, list[Any]] = {}
    for row, value in enumerate(found.values()):
        for name, leaf in _leaves(value):
            if name not in columns:
                columns[name] = [None] * len(found)
            if len(columns) > MOST_COLUMNS or len(columns) * len(found) > MOST_CELLS:
                raise DataUnavailableError(
                    f"{where} has {len(columns)} columns or more of {len(found)} rows; at most "
                    f"{MOST_COLUMNS} columns and {MOST_CELLS} values are read."
                )
            columns[name][row] = leaf
    keys = [_key(key) for key in found]
    if len(set(keys)) < len(keys):
        raise DataUnavailableError(f"{where} has keys that are the same when written as text.")
    return keys, columns


def _key(key: Any) -> str | int:
    try:
        return key if isinstance(key, str | int) else json.dumps(key)
    except TypeError as error:
        raise ValueError("a key is not made of numbers and texts") from error


def _leaves(value: Any) -> Iterator[tuple[str, Any]]:
    """Yields the numbers and texts of nested mappings and attributes, with their names joined by a dot."""
    left = [("", value)]
    while left:
        prefix, inner = left.pop()
        inner = vars(inner) if isinstance(inner, Attributes) else inner
        if not isinstance(inner, dict):
            yield prefix, _cell(inner)
            continue
        if prefix.count(".") > DEEPEST_NAME:
            raise ValueError("a value has too many mappings in one another")
        left += [(f"{prefix}.{name}" if prefix else str(name), one) for name, one in reversed(inner.items())]


def _cell(value: Any) -> Any:
    """Returns what JSON can hold; of other things only what they are."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple) and all(isinstance(one, str | int | float) for one in value):
        return list(value)
    return f"a {type(value).__name__} that is no number"
