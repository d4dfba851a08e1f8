"""Error: the share of wrong predictions."""

from harness import Metric

METRIC = Metric(
    summary="The share of wrong predictions.",
    title="error",
    needs="prediction",
    difference="points",
    higher_is_better=False,
    is_proportion=True,
    chance=lambda classes: 1 - 1 / classes,
    read=lambda samples: samples._replace(numerator=1 - samples.numerator),
)
