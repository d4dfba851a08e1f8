"""The scores per sample that a unit leaves, written and read in one way by all who need them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.files import write_atomically
from harness.identity.unit import AnyUnit
from harness.run.loaded import Run
from harness.run.stored import read_checked
from harness.stats.sums import GroupSums, group_sums
from harness.task.metric import Metric, Need, SampleScores

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table

SAMPLES = "samples.parquet"
_REPEATED = ["group", "label", "prediction", "right", "weight", "bytes"]
"""Columns of few different values."""


def write_samples(path: Path, samples: SampleScores, gives: Need) -> None:
    """Writes a parquet file with one row per sample, and no column that follows from the others.

    All have `position`, `digest` and `group`. Code lengths add `bits` and `bytes`; predictions add `label`,
    `prediction` and, of models that give them, `log_probabilities`; where only the right answers were
    counted, `right` and its `weight` stand in place of a prediction.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {name: getattr(samples, name) for name in ("position", "digest", "group")}
    if gives == "bits":
        columns |= {"bits": samples.numerator, "bytes": samples.denominator}
    elif samples.prediction is None:
        columns |= {"label": samples.label, "right": samples.numerator, "weight": samples.denominator}
    else:
        columns |= {"label": samples.label, "prediction": samples.prediction}
    if (table := samples.log_probabilities) is not None:
        flat = pa.array(table.reshape(-1), pa.float16())
        columns["log_probabilities"] = pa.FixedSizeListArray.from_arrays(flat, table.shape[1])
    sink = pa.BufferOutputStream()
    # The rest is hashes and numbers as good as random, which no dictionary makes smaller.
    pq.write_table(
        pa.table(columns),
        sink,
        compression="zstd",
        use_dictionary=[name for name in _REPEATED if name in columns],
        column_encoding={"position": "DELTA_BINARY_PACKED"},
    )
    write_atomically(path, sink.getvalue().to_pybytes())


def sums_of(samples: SampleScores, metric: Metric) -> GroupSums:
    """Returns the sums by group, and by class where the metric balances classes."""
    group, label, numerator, denominator, *_ = metric.counted(samples)
    classes = label if metric.is_balanced else np.zeros_like(group)
    return group_sums(group, classes, numerators=numerator, denominators=denominator)


def read_samples(run: Run, unit: AnyUnit, need: Need, *, whole: bool = False) -> SampleScores | None:
    """Returns what the unit left, or None where that cannot feed a metric of this need.

    Args:
        whole: whether all columns are read, and not those alone that the metric counts.

    Raises:
        HarnessError: it is gone or damaged, of another version, or a score is not finite.
    """
    from pyarrow import BufferReader
    from pyarrow.parquet import ParquetFile

    folder = run.place(unit)
    path = folder / SAMPLES
    data = read_checked(folder, run.records[unit.hash], SAMPLES)
    try:
        with ParquetFile(BufferReader(data)) as file:
            there = set(file.schema_arrow.names)
            wanted = _columns(need, there)
            if wanted is None:
                return None
            table = file.read(columns=None if whole else wanted, use_threads=False)
        samples = _scores(table)
    except (OSError, ValueError, KeyError) as error:
        raise HarnessError(
            f"{path} is gone, damaged or of another version; delete its folder and run the command again."
        ) from error
    if not np.isfinite(samples.numerator).all() or not np.isfinite(samples.denominator).all():
        raise HarnessError(f"{path} holds a score that is not finite; delete its folder and run again.")
    return samples


def _columns(need: Need, there: set[str]) -> list[str] | None:
    """Returns the columns that a metric counts; None where one of them lacks."""
    if need == "bits":
        return ["group", "bits", "bytes"] if "bits" in there else None
    if "bits" in there or (need == "probabilities" and "log_probabilities" not in there):
        return None
    right = ["prediction"] if "prediction" in there else ["right", "weight"]
    more = ["log_probabilities"] if need == "probabilities" else []
    return ["group", "label", *right, *more]


def _scores(table: "Table") -> SampleScores:
    from pyarrow import chunked_array

    columns: dict[str, Any] = {name: table[name] for name in table.column_names}
    sure = columns.pop("log_probabilities", None)
    found = {name: _array(column) for name, column in columns.items()}
    more: dict[str, Any] = {name: found[name] for name in ("position", "digest") if name in found}
    if sure is not None:
        flat = sure.combine_chunks()
        more["log_probabilities"] = _array(chunked_array([flat.flatten()])).reshape(-1, flat.type.list_size)
    group = found["group"].astype(np.int64)
    if "bits" in found:
        return SampleScores(group, np.zeros_like(group), found["bits"], found["bytes"], **more)
    label = found["label"].astype(np.int64)
    if "prediction" in found:
        return SampleScores.predicted(group, label, found["prediction"].astype(np.int64), **more)
    return SampleScores(group, label, found["right"], found["weight"], **more)


def _array(column: "ChunkedArray") -> NDArray[Any]:
    """Returns a column as numpy has it; pyarrow's own way takes a third of a second to import pandas."""
    from pyarrow.types import is_primitive

    if not is_primitive(column.type) or column.null_count:
        return np.asarray(column.to_numpy())
    dtype = np.dtype(column.type.to_pandas_dtype())
    parts = [
        np.frombuffer(chunk.buffers()[1], dtype, count=len(chunk), offset=chunk.offset * dtype.itemsize)
        for chunk in column.chunks
        if len(chunk)
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype)
