"""A checked table as arrays, kept in the data cache and mapped into memory, so that no process reads text."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.parts import part_folder
from harness.errors import DataUnavailableError, HarnessError
from harness.files import file_hash, read_sealed, sealed

ARRAYS = ("genes", "scores", "cost_values")


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What of a table is kept.

    Attributes:
        genes: option of each choice, shape (rows, choices), int32.
        scores: of each domain, validation first and then test, shape (2 * domains, rows).
        cost_values: shape (costs, rows).
        costs: their names.
        choices: of a space that the card or the rows declare; empty for one of the catalog.
        left_out: rows of the file that lack a score.
        averaged: rows of the file that repeat an architecture.
    """

    genes: NDArray[np.int32]
    scores: NDArray[np.float64]
    cost_values: NDArray[np.float64]
    costs: list[str]
    choices: dict[str, list[Any]]
    left_out: int = 0
    averaged: int = 0


def converted(folder: Path) -> Converted | None:
    """Returns what `folder` holds, mapped into memory; None where there is nothing that is whole."""
    if not folder.is_dir():
        return None
    try:
        return read_converted(folder)
    except DataUnavailableError:
        shutil.rmtree(folder, ignore_errors=True)  # it is made again from the table
        return None


def read_converted(folder: Path) -> Converted:
    """Returns what `folder` holds, mapped into memory.

    Raises:
        DataUnavailableError: a file lacks or is damaged.
    """
    try:
        told = read_sealed(folder / "table.json", "delete its folder and run again")
        if told.pop("name") != folder.name:
            raise ValueError("it is of another table")
        hashes = told.pop("files")
        for name in ARRAYS:
            if file_hash(folder / f"{name}.npy") != hashes[name]:
                raise ValueError(f"{name}.npy is not what was written")
        arrays: dict[str, Any] = {
            name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in ARRAYS
        }
        return Converted(**told, **arrays)
    except (OSError, ValueError, TypeError, KeyError, HarnessError) as error:
        raise DataUnavailableError(
            f"{folder}, which a table was converted to, is damaged ({error}); delete it and run again."
        ) from error


def write_converted(folder: Path, table: Converted) -> None:
    """Writes the folder as one; where another process was first, its folder stays.

    Raises:
        HarnessError: the disk is full or the cache cannot be written.
    """
    told = {name: value for name, value in table.__dict__.items() if name not in ARRAYS}
    try:
        with part_folder(folder) as part:
            for name in ARRAYS:
                np.save(part / f"{name}.npy", getattr(table, name), allow_pickle=False)
            hashes = {name: file_hash(part / f"{name}.npy") for name in ARRAYS}
            (part / "table.json").write_text(sealed({**told, "name": folder.name, "files": hashes}))
            os.replace(part, folder)
    except HarnessError:
        if not folder.is_dir():
            raise
