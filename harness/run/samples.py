"""The scores per sample that a unit left, read once in one way by boards and comparisons."""

from io import BytesIO

import numpy as np

from harness.errors import HarnessError
from harness.identity.unit import AnyUnit
from harness.run.loaded import Run
from harness.run.stored import read_checked
from harness.stats.sums import GroupSums, group_sums
from harness.task.metric import Metric, SampleScores

SAMPLES = "samples.parquet"


def sums_of(samples: SampleScores, metric: Metric) -> GroupSums:
    """Returns the sums by group, and by class where the metric balances classes."""
    group, label, numerator, denominator = metric.counted(samples)
    classes = label if metric.is_balanced else np.zeros_like(group)
    return group_sums(group, classes, numerators=numerator, denominators=denominator)


def read_samples(run: Run, unit: AnyUnit) -> SampleScores:
    """Returns what the unit left.

    Raises:
        HarnessError: it is gone or damaged, or a score is not finite.
    """
    from pyarrow.parquet import ParquetFile

    folder = run.place(unit)
    path = folder / SAMPLES
    data = read_checked(folder, run.records[unit.hash], SAMPLES)
    try:
        with ParquetFile(BytesIO(data)) as file:
            table = file.read(columns=SampleScores._fields, use_threads=False)
        group, label, numerator, denominator = (table[name].to_numpy() for name in SampleScores._fields)
    except (OSError, ValueError, KeyError) as error:
        raise HarnessError(
            f"{path} is gone or damaged; delete its folder and run the command again."
        ) from error
    if not np.isfinite(numerator).all() or not np.isfinite(denominator).all():
        raise HarnessError(f"{path} holds a score that is not finite; delete its folder and run again.")
    return SampleScores(
        group.astype(np.int64),
        label.astype(np.int64),
        numerator.astype(np.float64),
        denominator.astype(np.float64),
    )
