"""Tables that others published as pickles, read without running anything that stands in them.

Source: the restricted unpickler of Python's documentation of `pickle`, section "Restricting Globals".
"""

import json
import pickle
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DataUnavailableError

if TYPE_CHECKING:
    import pandas as pd

KEY = "key"
"""Column that holds what a pickled mapping is keyed by."""
CONTAINERS = {
    f"{module}.{one.__name__}": one
    for module in ("builtins", "__builtin__")
    for one in (set, frozenset, bytearray, complex)
}


_REFUSED = (
    *(pickle.UnpicklingError, EOFError, AttributeError, TypeError, ValueError, LookupError),
    *(MemoryError, OverflowError),
)
"""What a damaged or a hostile pickle may raise on its way."""


class _Attributes:
    """Stands for an object of a class that a card names: what the pickle says its attributes are."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, classes: Sequence[str]) -> None:
        super().__init__(BytesIO(data))
        self.classes = frozenset(classes)

    def find_class(self, module: str, name: str) -> Any:
        """Returns what may be made; raises an UnpicklingError for everything else."""
        wanted = f"{module}.{name}"
        if wanted in self.classes:
            return _Attributes
        found = CONTAINERS.get(wanted) or _numpy_parts().get(wanted)
        if found is None:
            raise pickle.UnpicklingError(f"it wants {wanted}, which is neither numpy's data nor a container")
        return found


def _numpy_parts() -> dict[str, Any]:
    """Returns what numpy's arrays and numbers are put together from, under its names of then and now."""
    from numpy._core.multiarray import _reconstruct, scalar

    parts: dict[str, Any] = {"numpy.dtype": _plain_type, "numpy.ndarray": np.ndarray}
    parts["_codecs.encode"] = _bytes
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        parts |= {f"{module}.scalar": scalar, f"{module}._reconstruct": _reconstruct}
    return parts


def _plain_type(*args: Any) -> np.dtype[Any]:
    """Returns a numpy type of numbers or texts; one that may hold objects is refused."""
    made: np.dtype[Any] = np.dtype(*args)
    if made.hasobject:
        raise pickle.UnpicklingError("it wants numpy arrays of objects")
    return made


def _bytes(text: str, encoding: str) -> bytes:
    """Returns the bytes that old pickles hold as text; any other use of the codecs is refused."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it wants the codec {encoding}")
    return text.encode("latin1")


def unpickled(data: bytes, where: str, classes: Sequence[str] = ()) -> Any:
    """Returns what a pickle holds, made of containers, numbers, texts and numpy arrays alone.

    Args:
        data: the pickle.
        where: what it is, for errors.
        classes: `MODULE.NAME` whose objects are read as their attributes; none of their code is looked for.

    Raises:
        DataUnavailableError: it is damaged, or wants anything else.
    """
    try:
        return _Unpickler(data, classes).load()
    except _REFUSED as error:
        raise DataUnavailableError(f"{where} is a pickle that is not read: {error}.") from error


def read_members(path: Path, members: Mapping[str, str], classes: Sequence[str]) -> "pd.DataFrame":
    """Returns the columns `key` and `PREFIX.NAME` of the pickled mappings in the archive `path`.

    Args:
        path: of a zip archive, such as a wheel.
        members: prefix -> file in the archive; all must have the same keys.
        classes: as `unpickled` takes them.

    Raises:
        DataUnavailableError: a file lacks, is no such mapping, or has other keys than the first.
    """
    import pandas as pd

    first: list[str | int] = []
    columns: dict[str, Any] = {}
    for prefix, member in members.items():
        where = f"{path}, {member}"
        try:
            with zipfile.ZipFile(path) as archive:
                data = archive.read(member)
        except (KeyError, zipfile.BadZipFile) as error:
            raise DataUnavailableError(f"{where} cannot be opened: {error}.") from error
        found = unpickled(data, where, classes)
        if not isinstance(found, dict) or not found:
            raise DataUnavailableError(
                f"{where} holds {type(found).__name__}, not a mapping of architectures."
            )
        rows = {_key(key): dict(_leaves(value)) for key, value in found.items()}
        first = first or list(rows)
        if set(rows) != set(first):
            odd = sorted(map(str, set(rows) ^ set(first)))
            raise DataUnavailableError(
                f"{where} and the first member differ in {len(odd)} keys, as in {odd[0]}."
            )
        for name in rows[first[0]]:
            columns[f"{prefix}.{name}"] = [rows[key].get(name) for key in first]
    return pd.DataFrame({KEY: first, **columns})


def _key(key: Any) -> str | int:
    return key if isinstance(key, str | int) else json.dumps(key)


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the numbers and texts of nested mappings and attributes, with their names joined by a dot."""
    inner = value.__dict__ if isinstance(value, _Attributes) else value
    if not isinstance(inner, dict):
        yield prefix, inner
        return
    for name, one in inner.items():
        yield from _leaves(one, f"{prefix}.{name}" if prefix else str(name))
