"""Balanced accuracy: the accuracy of each class, averaged over classes."""

from harness import Metric
from harness.task.metric import uniform_guess

METRIC = Metric(
    summary="The accuracy of each class, averaged over classes.",
    title="balanced accuracy",
    needs="prediction",
    difference="points",
    is_proportion=True,
    is_balanced=True,
    chance=uniform_guess,
)
