"""Every architecture that the searches and trials of a run evaluated, a line each."""

from collections.abc import Iterator
from typing import Any

from harness.files import canonical_json
from harness.run.loaded import Run
from harness.study.trained.results import Evaluated, Trial
from harness.study.trained.units import FINAL, SEARCH, TUNE


def trained_history(run: Run) -> Iterator[dict[str, Any]]:
    """Yields the lines that `RunResults.history` describes, of searches first."""
    finals = ((run.needed(final, SEARCH), final.spec.method) for final in run.planned(FINAL))
    rows = {search.hash: method for search, method in finals if search is not None}
    for search in run.planned(SEARCH):
        result, spec = run.result(search), search.spec
        method = rows.get(search.hash, spec.searcher)
        head = {"task": spec.task, "method": method, "space": spec.space, "seed": spec.seed}
        for number, one in enumerate(result.history if result else (), start=1):
            yield head | {"evaluation": number, "iteration": one.iteration} | _line(one, one.score)
    for tune in run.planned(TUNE):
        tuned, tuning = run.result(tune), tune.spec
        head = {"task": tuning.task, "method": tuning.method, "space": tuning.space, "seed": tuning.seed}
        for number, trial in enumerate(tuned.trials if tuned else (), start=1):
            yield head | {"evaluation": number, "iteration": None} | _line(trial, trial.validation)


def _line(one: Evaluated | Trial, score: float | None) -> dict[str, Any]:
    architecture = None if one.architecture is None else canonical_json(one.architecture)
    return {"score": score, "architecture": architecture, "parameters": one.parameters, "macs": one.macs}
