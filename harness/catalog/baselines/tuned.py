"""The tuned transformer: random search over the elastic transformer with a searcher's budget."""

from harness.model import TunedBaseline

BASELINE = TunedBaseline(
    summary="Random search over the `attention` rung, with the evaluator and the budget of a searcher.",
    searcher="random_search",
)
