"""Columns of a csv, npz or parquet file that came from elsewhere, within limits."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.foreign.arrays import read_arrays
from harness.errors import DataUnavailableError, HarnessError
from harness.guard.text import reason_of

if TYPE_CHECKING:
    import pandas as pd

LARGEST_FILE = 2**30
"""Bytes of a file, and of what a parquet file unpacks to; the largest published one has 1.2 million."""
MOST_COLUMNS = 10_000
MOST_CELLS = 200_000_000
_BATCH_ROWS = 1_000
_BROKEN = (ValueError, OSError, TypeError, KeyError, NotImplementedError, OverflowError, MemoryError)
"""What pandas and pyarrow raise for a damaged file, or their errors' parents."""


def read_columns(path: Path, texts: list[str]) -> "pd.DataFrame":
    """Returns the columns of a file; those of `texts` keep their leading zeros.

    Raises:
        HarnessError: the file is of another kind.
        DataUnavailableError: it is damaged or too large.
    """
    readers = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}
    if path.suffix not in readers:
        raise HarnessError(f"{path} is not a table that can be read; give a csv, npz or parquet file.")
    if path.stat().st_size > LARGEST_FILE:
        raise _refused(path, f"it has {path.stat().st_size} bytes, and at most {LARGEST_FILE} are read")
    try:
        return readers[path.suffix](path, texts)
    except _BROKEN as error:
        raise _refused(path, reason_of(error)) from error


def _csv(path: Path, texts: list[str]) -> "pd.DataFrame":
    import pandas as pd

    with path.open("rb") as file:
        first = file.readline(2**20)
    _check_columns(path, first.count(b",") + 1)
    return pd.read_csv(path, dtype=dict.fromkeys(texts, str))


def _npz(path: Path, _: list[str]) -> "pd.DataFrame":
    import pandas as pd

    arrays = read_arrays(path)
    _check_columns(path, len(arrays))
    return pd.DataFrame(arrays)


def _parquet(path: Path, _: list[str]) -> "pd.DataFrame":
    """Returns the columns, which may repeat a large text in few bytes, read a thousand rows at a time."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        about = file.metadata
        _check_columns(path, about.num_columns)
        if about.num_rows * about.num_columns > MOST_CELLS:
            raise _refused(path, f"it has {about.num_rows} rows of {about.num_columns} columns")
        batches, size = [], 0
        for batch in file.iter_batches(_BATCH_ROWS):
            size += batch.nbytes
            if size > LARGEST_FILE:
                raise _refused(path, f"it unpacks to over {LARGEST_FILE} bytes")
            batches.append(batch)
        table = pa.Table.from_batches(batches, schema=file.schema_arrow)
    found: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return found


def _check_columns(path: Path, count: int) -> None:
    if count > MOST_COLUMNS:
        raise _refused(path, f"it has {count} columns, and at most {MOST_COLUMNS} are read")


def _refused(path: Path, reason: str) -> DataUnavailableError:
    return DataUnavailableError(f"{path} is no set of plain columns of one length: {reason}.")
