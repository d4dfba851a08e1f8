"""The scores per sample that a unit leaves, and their sums by group, written and read in one way by all.

Boards read the sums alone, which are smaller and need no parquet; whoever asks for another metric, or for the
samples themselves, reads the scores.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.catalog import metric_of
from harness.errors import HarnessError, LackingError
from harness.files import write_atomically
from harness.identity.unit import AnyUnit
from harness.run.loaded import Run
from harness.run.stored import read_checked
from harness.stats.sums import GroupSums, group_sums
from harness.task.metric import Metric, Need, SampleScores

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table

SAMPLES = "samples.parquet"
SUMS = "sums.{}.safetensors"
"""Of one metric, whose name stands in the file's."""
_REPEATED = ["group", "label", "prediction", "right", "weight", "bytes"]
"""Columns of few different values."""


def write_samples(folder: Path, samples: SampleScores, metric: str) -> None:
    """Writes a parquet file with one row per sample, and beside it their sums by the metric of this name.

    No column follows from the others. All have `position`, `digest` and `group`. Code lengths add `bits` and
    `bytes`; predictions add `label`, `prediction` and, of models that give them, `log_probabilities`; where
    only the right answers were counted, `right` and its `weight` stand in place of a prediction.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {name: getattr(samples, name) for name in ("position", "digest", "group")}
    if metric_of(metric).needs == "bits":
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
    write_atomically(folder / SAMPLES, sink.getvalue().to_pybytes())
    write_atomically(folder / SUMS.format(metric), _packed(sums_of(samples, metric_of(metric))))


def sums_of(samples: SampleScores, metric: Metric) -> GroupSums:
    """Returns the sums by group, and by class where the metric balances classes."""
    group, label, numerator, denominator, *_ = metric.counted(samples)
    classes = label if metric.is_balanced else np.zeros_like(group)
    return group_sums(group, classes, numerators=numerator, denominators=denominator)


def read_sums(run: Run, unit: AnyUnit, metric: str) -> GroupSums:
    """Returns the sums of what the unit left by a metric, from its samples where they were not kept.

    Raises:
        DamagedError: they are not what was written.
        LackingError: the samples do not give the metric.
        HarnessError: as `read_samples` does.
    """
    record, name = run.records[unit.hash], SUMS.format(metric)
    if name in record.files:
        place = run.place(unit)
        sums = _unpacked(read_checked(place, record, name))
        _check_finite(place / name, sums.numerators, sums.denominators)
        return sums
    wanted = metric_of(metric)
    samples = read_samples(run, unit, wanted.needs)
    if samples is None:
        raise LackingError(f"its samples were kept without the {wanted.needs} that {wanted.title} needs")
    try:
        return sums_of(samples, wanted)
    except HarnessError as error:  # of the metric: it has no value there
        raise LackingError(str(error)) from error


def _packed(sums: GroupSums) -> bytes:
    """Returns groups, classes and, of every pair that has samples, its place and its sums."""
    from safetensors.numpy import save

    there = np.flatnonzero((sums.numerators != 0) | (sums.denominators != 0))
    arrays = {"groups": sums.groups, "classes": sums.classes, "there": there}
    arrays |= {name: getattr(sums, name).flat[there] for name in ("numerators", "denominators")}
    return save({name: _narrow(array) for name, array in arrays.items()})


def _unpacked(data: bytes) -> GroupSums:
    from safetensors.numpy import load

    arrays = load(data)
    groups, classes = (arrays[name].astype(np.int64) for name in ("groups", "classes"))
    sums = {}
    for name in ("numerators", "denominators"):
        sums[name] = np.zeros((len(groups), len(classes)))
        sums[name].flat[arrays["there"]] = arrays[name]
    return GroupSums(groups=groups, classes=classes, **sums)


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    """Returns the same numbers in the fewest bytes that hold them exactly."""
    for dtype in (np.uint8, np.uint16, np.uint32):
        most = np.iinfo(dtype).max
        if not array.size or (array.min() >= 0 and array.max() <= most and (array == np.rint(array)).all()):
            return array.astype(dtype)
    return array


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
    _check_finite(path, samples.numerator, samples.denominator)
    return samples


def _check_finite(path: Path, *scores: NDArray[np.float64]) -> None:
    if not all(np.isfinite(one).all() for one in scores):
        raise HarnessError(f"{path} holds a score that is not finite; delete its folder and run again.")


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
