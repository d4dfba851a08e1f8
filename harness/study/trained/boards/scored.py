"""One row on one domain, with its resamples."""

from dataclasses import dataclass

import numpy as np

from harness.stats.aggregates import WorstGroup
from harness.stats.bootstrap import Array, percentile_interval
from harness.stats.intervals import Interval, wilson
from harness.task.metric import Metric


@dataclass(frozen=True)
class Scored:
    """One row on one domain.

    Attributes:
        by_seed: its value in each pair of seed roles, shape (roles,).
        by_seed_replicates: the same under resampling, shape (roles, replicates).
        shares: what each group adds to the mean over roles, shape (groups,).
        worst: accuracy of the worst group, all roles together; None for bits and where groups are small.
        groups: how many have a sample that counts.
    """

    by_seed: Array
    by_seed_replicates: Array
    shares: Array
    worst: WorstGroup | None
    groups: int

    @property
    def value(self) -> float:
        return float(self.by_seed.mean())

    @property
    def replicates(self) -> Array:
        return np.asarray(self.by_seed_replicates.mean(axis=0))

    def interval(self, metric: Metric) -> Interval:
        """Returns the percentile interval; a perfect or an empty score gets Wilson's over the groups."""
        if metric.is_proportion and self.value in (0.0, 1.0):
            return wilson(round(self.value * self.groups), self.groups)
        return percentile_interval(self.replicates)
