"""Architectures drawn at random: what a space gives without any search.

In a suite's `baselines`, `random` is a row in each of its spaces and in its `tuned_space`, and
`random:SPACE:PRESET` one in that space: a legal architecture a seed, trained alone. A search minus `random`
of its space is the gain of the search; `random` of a space minus `random` of the tuned space is that of the
space.
"""

from harness import DrawnBaseline


def _named(space: str) -> DrawnBaseline:
    return DrawnBaseline(summary=f"Architectures drawn from {space}, one a seed, trained alone.", space=space)


BASELINE = DrawnBaseline(
    summary="Architectures drawn from each space of the suite, one a seed, trained alone.", named=_named
)
