"""The tuned transformer: `default` with real freedom, in whole trainings that cost what a search does.

A trial draws learning rate, decay, warm-up and augmentation, and for `default` at the same parameters depth
against width against MLP width, heads, the form of positions and that of the head. It is scored on source
validation, and there are as many as supernet and search of the suite cost (`search.trials` says another
number). The rules of `selection` choose nothing for it.

`tuned:NAME` is any other fixed baseline, tuned in the same way, and in shape where its family has several:
`tuned:llama`, `tuned:timm:resnet10t`, `tuned:default:mobilenet:micro`.
"""

from dataclasses import replace

from harness import FixedBaseline, HarnessError, catalog
from harness.learn.baseline import may_spend


def _named(name: str) -> FixedBaseline:
    baseline = catalog.load("baseline", name)
    if not may_spend(baseline):
        raise HarnessError(
            f"Baseline {name!r} has no learning rate to tune, or is tuned already; name a fixed one that "
            "is trained here, as in 'tuned:llama' or 'tuned:timm:resnet10t'."
        )
    chosen = "recipe and shape" if baseline.vary else "recipe"
    summary = f"{baseline.summary} Tuned: {chosen}, in trainings that cost what a search does."
    return replace(baseline, summary=summary, budget="trials", of=(name,), named=None)


BASELINE = replace(_named("default"), named=_named)
