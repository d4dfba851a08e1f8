"""The scores per sample that a unit left, read once in one way by boards and comparisons."""

from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.identity.unit import AnyUnit, unit_folder
from harness.run.loaded import Run
from harness.run.stored import read_checked
from harness.stats.bootstrap import Array, GroupSums, group_sums
from harness.task.task import Metric

SAMPLES = "samples.parquet"


class Samples(NamedTuple):
    """Per-sample scores of one score unit, shape (samples,)."""

    group: NDArray[np.int64]
    label: NDArray[np.int64]
    numerator: Array
    denominator: Array

    def sums(self, metric: Metric) -> GroupSums:
        """Returns the sums by group, and by class where the metric balances classes."""
        return group_sums(
            self.group,
            self.label if metric == "balanced_accuracy" else np.zeros_like(self.group),
            numerators=self.numerator,
            denominators=self.denominator,
        )


def read_samples(run: Run, unit: AnyUnit) -> Samples:
    """Returns what the unit left.

    Raises:
        HarnessError: it is gone or damaged, or a score is not finite.
    """
    from pyarrow.parquet import ParquetFile

    folder = unit_folder(run.folder, unit)
    path = folder / SAMPLES
    data = read_checked(folder, run.records[unit.hash], SAMPLES)
    try:
        with ParquetFile(BytesIO(data)) as file:
            table = file.read(columns=Samples._fields, use_threads=False)
        group, label, numerator, denominator = (table[name].to_numpy() for name in Samples._fields)
    except (OSError, ValueError, KeyError) as error:
        raise HarnessError(
            f"{path} is gone or damaged; delete its folder and run the command again."
        ) from error
    if not np.isfinite(numerator).all() or not np.isfinite(denominator).all():
        raise HarnessError(f"{path} holds a score that is not finite; delete its folder and run again.")
    return Samples(
        group.astype(np.int64),
        label.astype(np.int64),
        numerator.astype(np.float64),
        denominator.astype(np.float64),
    )
