"""Bits per byte: the code length of the documents over their bytes."""

import math

from harness import Metric

METRIC = Metric(
    summary="The code length of documents in bits, over their bytes; lower is better.",
    title="bits per byte",
    needs="bits",
    unit="bits per byte",
    decimals=3,
    higher_is_better=False,
    chance=math.log2,
)
