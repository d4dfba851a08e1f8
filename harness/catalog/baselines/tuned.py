"""The tuned transformer: random search over the elastic transformer with a searcher's budget.

`tuned:NAME` is any fixed baseline, tuned in learning rate and, where its family has several, in depth at
equal parameters: `tuned:llama`, `tuned:timm:resnet10t`, `tuned:default:mobilenet:micro`. It has as many
trials as a searcher has evaluations, each of them a whole training by the suite's recipe; the rules of
`selection` choose nothing for it, as those trials chose its rate by source validation.
"""

from dataclasses import replace

from harness import FixedBaseline, HarnessError, TunedBaseline, catalog
from harness.learn.baseline import is_trained


def _named(name: str) -> FixedBaseline:
    baseline = catalog.load("baseline", name)
    if not isinstance(baseline, FixedBaseline) or not is_trained(baseline) or baseline.is_tuned:
        raise HarnessError(
            f"Baseline {name!r} has no learning rate to tune, or is tuned already; name a fixed one that "
            "is trained here, as in 'tuned:llama' or 'tuned:timm:resnet10t'."
        )
    chosen = "learning rate and depth" if baseline.depths else "learning rate"
    budget = f"Tuned: {chosen} from as many trials as a searcher has evaluations."
    return replace(baseline, summary=f"{baseline.summary} {budget}", is_tuned=True)


BASELINE = TunedBaseline(
    named=_named,
    summary="Random search over the `attention` rung, with the evaluator and the budget of a searcher.",
    searcher="random_search",
)
