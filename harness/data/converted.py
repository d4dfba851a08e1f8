"""A checked table as arrays, kept in the data cache and mapped into memory, so that no process reads text."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.parts import part_folder
from harness.errors import DataUnavailableError, HarnessError
from harness.records import canonical_json

ARRAYS = ("genes", "codes", "order", "scores", "cost_values")


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What of a table is kept.

    Attributes:
        genes: option of each choice, shape (rows, choices), int32.
        codes: of all rows, ascending, shape (rows,).
        order: the row of each code, shape (rows,).
        scores: of each domain, validation first and then test, shape (2 * domains, rows).
        cost_values: shape (costs, rows).
        costs: their names.
        choices: of a space that the card or the rows declare; empty for one of the catalog.
        left_out: rows of the file that lack a score.
        averaged: rows of the file that repeat an architecture.
    """

    genes: NDArray[np.int32]
    codes: NDArray[Any]
    order: NDArray[np.int64]
    scores: NDArray[np.float64]
    cost_values: NDArray[np.float64]
    costs: list[str]
    choices: dict[str, list[Any]]
    left_out: int = 0
    averaged: int = 0


def converted(folder: Path) -> Converted | None:
    """Returns what `folder` holds, mapped into memory; None where there is no such folder."""
    return read_converted(folder) if folder.is_dir() else None


def read_converted(folder: Path) -> Converted:
    """Returns what `folder` holds, mapped into memory.

    Raises:
        DataUnavailableError: a file lacks or is damaged.
    """
    try:
        told = json.loads((folder / "table.json").read_bytes())
        arrays: dict[str, Any] = {
            name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in ARRAYS
        }
        return Converted(**told, **arrays)
    except (OSError, ValueError, TypeError) as error:
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
        folder.parent.mkdir(parents=True, exist_ok=True)
        with part_folder(folder.parent, ".part-") as part:
            for name in ARRAYS:
                np.save(part / f"{name}.npy", getattr(table, name), allow_pickle=False)
            (part / "table.json").write_text(canonical_json(told))
            os.replace(part, folder)
    except OSError as error:
        if not folder.is_dir():
            raise HarnessError(
                f"Cannot write {folder}: {error.strerror or error}; free space or choose another folder."
            ) from error
