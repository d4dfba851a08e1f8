"""Arrays of numpy in files that came from elsewhere: no objects, and no more than the file holds."""

import io
import math
import tokenize
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from harness.data.foreign.archive import zip_archive
from harness.errors import DataUnavailableError, WrongDataError
from harness.guard.text import reason_of

MOST_ARRAYS = 10_000
_BROKEN = (
    *(ValueError, TypeError, SyntaxError, tokenize.TokenError),
    *(EOFError, OverflowError, MemoryError, RecursionError),
)
"""What numpy raises where a header, which is a Python literal, is damaged."""


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Returns the arrays of a .npz file by their names.

    Raises:
        DataUnavailableError: it is damaged, has too many arrays or one of objects, or a header lies.
    """
    with zip_archive(path) as archive:
        count = len(archive.names)
        if count > MOST_ARRAYS:
            raise DataUnavailableError(f"{path} has {count} arrays; at most {MOST_ARRAYS} are read.")
        return {
            name.removesuffix(".npy"): _array(archive.read(name), f"{path}, {name}") for name in archive.names
        }


def mapped_array(path: Path) -> NDArray[Any]:
    """Returns the array in a .npy file, mapped into memory.

    Raises:
        WrongDataError: it is damaged, holds objects, or is not as large as its header says.
    """
    try:
        with path.open("rb") as file:
            header = _header(file, path.stat().st_size)
            if not math.prod(header.shape) * header.kind.itemsize:
                return np.empty(header.shape, header.kind)
            return np.memmap(file, header.kind, "r", header.start, header.shape, header.order)
    except (*_BROKEN, OSError) as error:
        raise WrongDataError(f"{path} is not an array of numpy: {reason_of(error)}.") from error


def _array(data: bytes, where: str) -> NDArray[Any]:
    try:
        shape, order, kind, start = _header(io.BytesIO(data), len(data))
        count = math.prod(shape)
        flat = np.frombuffer(data, kind, count, start) if count else np.empty(0, kind)
        return flat.reshape(shape, order=order)
    except _BROKEN as error:
        raise DataUnavailableError(f"{where} is not a plain array of numpy: {reason_of(error)}.") from error


class _Header(NamedTuple):
    shape: tuple[int, ...]
    order: Literal["C", "F"]
    kind: np.dtype[Any]
    start: int


def _header(file: IO[bytes], size: int) -> _Header:
    """Returns the header of a .npy file of so many bytes, of which the array must be all the rest."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, kind = read(file)
    left = size - file.tell()
    if kind.hasobject or not kind.itemsize:
        raise ValueError("it holds objects, or numbers of no bytes")
    if any(one < 0 for one in shape) or math.prod(shape) * kind.itemsize != left:
        raise ValueError(f"its header says shape {shape} of {kind} and {left} bytes follow")
    return _Header(shape, "F" if is_fortran else "C", kind, file.tell())
