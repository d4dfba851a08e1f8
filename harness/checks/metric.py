"""Claims of a metric: it has a value on samples of its kind, prints it, and knows which way is better."""

from collections.abc import Iterator

import numpy as np

from harness.board.wording import show
from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.task.metric import SampleScores

SAMPLES = 240


def metric_claims(name: str) -> Iterator[tuple[str, bool, str]]:
    """Yields claim, whether it holds and the numbers, of drawn samples in groups of sixty."""
    metric = metric_of(name)
    draw = np.random.default_rng(0)
    group, label = np.divmod(np.arange(SAMPLES), 60)
    is_right = metric.needs == "prediction"
    worse = draw.integers(0, 2, SAMPLES).astype(np.float64) if is_right else draw.uniform(90, 200, SAMPLES)
    better = np.ones(SAMPLES) if is_right else worse / 2
    size = np.ones(SAMPLES) if is_right else draw.integers(20, 40, SAMPLES).astype(np.float64)
    values = [metric.value(SampleScores(group, label % 4, one, size)) for one in (worse, better)]
    told = " and ".join(show(name, value, unit=True) for value in values)
    yield "has finite values", bool(np.isfinite(values).all()), told
    yield "says which way is better", metric.sign * (values[1] - values[0]) > 0, told
    shuffled = draw.permutation(SAMPLES)
    again = metric.value(SampleScores(group[shuffled], label[shuffled] % 4, worse[shuffled], size[shuffled]))
    yield "does not hang on the order of samples", bool(np.isclose(again, values[0])), f"{again:.6g}"
    if metric.is_proportion:
        yield "is 1 or 0 where all is right", values[1] == max(0, metric.sign), told
    try:
        metric.value(SampleScores(group[:0], label[:0], worse[:0], size[:0]))
        refuses = False
    except (ValueError, HarnessError):
        refuses = True
    yield "has no value without samples", refuses, ""
