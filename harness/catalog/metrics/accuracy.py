"""Accuracy: the share of samples whose prediction is right."""

from harness import Metric
from harness.task.metric import uniform_guess

METRIC = Metric(
    summary="The share of samples whose prediction is right.",
    title="accuracy",
    needs="prediction",
    difference="points",
    is_proportion=True,
    chance=uniform_guess,
)
