"""Negative log-likelihood: what the true class of a sample costs, in nats.

Source: the logarithmic score of Good 1952 (Journal of the Royal Statistical Society B 14), which is proper.
Chance is ln K, that of the same probability for each of K classes.
"""

import math

from harness import Metric

METRIC = Metric(
    summary="The mean of minus the log-probability of a sample's class, in nats; lower is better.",
    title="negative log-likelihood",
    needs="probabilities",
    unit="nats",
    decimals=3,
    higher_is_better=False,
    chance=math.log,
    read=lambda samples: samples._replace(numerator=-samples.likelihood),
)
