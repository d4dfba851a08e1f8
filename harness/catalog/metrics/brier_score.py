"""Brier score: the squared distance of the probabilities of all classes from what came true.

Source: Brier 1950 (Monthly Weather Review 78), over all classes, from 0 to 2; it is proper, and a plain mean.
Chance is 1 - 1/K, that of the same probability for each of K classes.
"""

import numpy as np

from harness import HarnessError, Metric, SampleScores


def brier(samples: SampleScores) -> SampleScores:
    """Returns the samples with their squared distances as numerators."""
    own = np.exp(samples.likelihood)
    table = samples.log_probabilities
    assert table is not None
    if table.shape[1] == 1:
        raise HarnessError(
            "Of so many classes the probability of a sample's own alone was kept, and a Brier score takes "
            "all; ask for negative_log_likelihood."
        )
    squares = (np.exp(table.astype(np.float64)) ** 2).sum(axis=1)
    return samples._replace(numerator=squares - 2 * own + 1)


METRIC = Metric(
    summary="The squared distance of the classes' probabilities from what is true; lower is better.",
    title="Brier score",
    needs="probabilities",
    unit="Brier score",
    decimals=3,
    higher_is_better=False,
    chance=lambda classes: 1 - 1 / classes,
    read=brier,
)
