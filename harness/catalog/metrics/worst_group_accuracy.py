"""Accuracy of the worst group: what a model is worth where it fails most.

Source: Sagawa et al. 2020 (arXiv 1911.08731), and WILDS (Koh et al. 2021) for groups of unequal size.
Chance is not known: the worst of groups lies below the share that a guess gets of each, by their sizes.
"""

import numpy as np

from harness import HarnessError, Metric, SampleScores
from harness.stats.aggregates import LEAST_IN_GROUP


def worst_group(samples: SampleScores) -> SampleScores:
    """Returns the samples of the group with the lowest accuracy, each a group of its own.

    Intervals therefore resample the samples of that group and hold fixed which group it is. Groups of fewer
    than ten samples do not count.
    """
    _, place, counts = np.unique(samples.group, return_inverse=True, return_counts=True)
    accuracy = np.bincount(place, samples.numerator) / np.bincount(place, samples.denominator)
    large = counts >= LEAST_IN_GROUP
    if not large.any():
        raise HarnessError(
            f"No group has {LEAST_IN_GROUP} samples, so none can be the worst; score more samples."
        )
    chosen = np.flatnonzero(place == np.where(large, accuracy, np.inf).argmin())
    return SampleScores(chosen, samples.label[chosen], samples.numerator[chosen], samples.denominator[chosen])


METRIC = Metric(
    summary="The accuracy of the worst group with ten samples or more.",
    title="accuracy of the worst group",
    needs="prediction",
    difference="points",
    is_proportion=True,
    read=worst_group,
)
