"""The plain transformer trained for longer: the compute of supernet, search and final in one training.

It is what a search has to beat before anything is said of diversity: the same network, the same recipe, and
as many more steps as the suite's searches cost. `longer:NAME` is any other fixed baseline.
"""

from dataclasses import replace

from harness import FixedBaseline, HarnessError, catalog
from harness.learn.baseline import may_spend


def _named(name: str) -> FixedBaseline:
    baseline = catalog.load("baseline", name)
    if not may_spend(baseline):
        raise HarnessError(
            f"Baseline {name!r} is not one that is trained here by the suite's recipe; name one that is, as "
            "in 'longer:llama'."
        )
    summary = f"{baseline.summary} Trained for as much longer as a search costs."
    return replace(baseline, summary=summary, budget="steps", of=(name,), named=None)


BASELINE = replace(_named("default"), named=_named)
