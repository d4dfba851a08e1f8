"""Every architecture that was the best so far in a search on a table, a line each."""

from collections.abc import Iterator
from typing import Any

from harness.run.loaded import Run
from harness.study.lookup.units import LOOKUP


def lookup_history(run: Run) -> Iterator[dict[str, Any]]:
    """Yields the lines that `RunResults.history` describes."""
    for block in run.planned(LOOKUP):
        result, spec = run.result(block), block.spec
        head = {"task": spec.table, "domain": spec.domain, "feedback": spec.feedback, "method": spec.method}
        for search in result.searches if result else ():
            for evaluations, row, validation, test in search.incumbents:
                sees_test = spec.feedback == "test" and spec.sources is None
                score = test if sees_test else validation  # where there are sources, their mean score
                found = {"evaluation": evaluations, "score": score, "test": test, "architecture": row}
                yield head | {"seed": search.seed} | found
