"""Samplers of optuna behind the ask/tell protocol of searchers."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.search.archive import Evaluation
from harness.search.loop import SearchContext, SeededSearcher
from harness.space.form import Architecture
from harness.stats.fronts import front

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

REASKS = 20
"""Suggestions in a row that may be repeats or illegal, by default."""
NONE = "none"
"""The option `cost` of a search with one objective."""


class SamplerSearcher(SeededSearcher):
    """A sampler of optuna with one suggestion per choice, active or not.

    The sampler knows nothing of the parameter window, of inactive choices or of what was evaluated: proposals
    are made canonical, repeats are told their known score, illegal ones told as failed, and after `reasks`
    of these in a row, an option, a random architecture is evaluated, which the sampler is shown too.

    With a `cost` the sampler has two objectives, the score and that cost, lower being better: `parameters`,
    `macs`, or `limited` for what the suite limits. Its report then has the front of all that it was told.
    """

    def __init__(self, context: SearchContext, make: "Callable[[int], BaseSampler]") -> None:
        """Begins a study; `make` returns the sampler of a seed below 2^32."""
        import optuna
        from optuna.study import StudyDirection

        super().__init__(context)
        self.reasks = int(context.options["reasks"])
        cost = str(context.options.get("cost", NONE))
        self.cost = "" if cost == NONE else cost
        if self.cost == "limited" and context.limit is None:
            raise HarnessError(
                "A sampler's cost is 'limited', and the suite limits none; set one in [search]."
            )
        upwards, downwards = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE
        directions = [upwards, downwards] if self.cost else [upwards]
        with _quiet():
            sampler = make(context.seed % 2**32)
            self.study = optuna.create_study(directions=directions, sampler=sampler)
        spread = optuna.distributions
        self.distributions: dict[str, Any] = {
            choice.name: (
                spread.IntDistribution(0, len(choice.options) - 1)
                if _is_ordered(choice.options)
                else spread.CategoricalDistribution(tuple(range(len(choice.options))))
            )
            for choice in context.space.choices
        }
        self.asked: dict[Architecture, Trial] = {}
        self.counters.update(repeated=0, illegal=0, random=0)

    def ask(self, count: int) -> list[Architecture]:
        """Returns one architecture, as each suggestion depends on the results before."""
        for _ in range(self.reasks):
            with _quiet():
                trial = self.study.ask(self.distributions)
            genes = tuple(int(trial.params[choice.name]) for choice in self.space.choices)
            architecture = self.space.canonical(genes)
            if architecture in self.archive.of:
                self.counters["repeated"] += 1
                self._tell(trial, self._values(self.archive.of[architecture]))
            elif not self.space.in_window(architecture):
                self.counters["illegal"] += 1
                self._tell(trial, None)
            else:
                self.asked = {architecture: trial}
                return self.archive.take([architecture])
        picked = self.archive.pick(self.draw)
        self.asked = {}
        self.counters["random"] += len(picked)
        return picked

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        import optuna

        for evaluation in evaluations:
            genes = evaluation.architecture
            values = self._values(evaluation)
            if genes in self.asked:
                self._tell(self.asked[genes], values)
            elif values is not None:
                names = [choice.name for choice in self.space.choices]
                with _quiet():
                    self.study.add_trial(
                        optuna.trial.create_trial(
                            params=dict(zip(names, genes, strict=True)),
                            distributions=self.distributions,
                            values=values,
                        )
                    )

    def report(self) -> dict[str, Any]:
        if not self.cost:
            return super().report()
        told = [one for one in self.archive.evaluations if self._objectives(one) is not None]
        values = [self._objectives(one) or [] for one in told]
        best = front([cost for _, cost in values], [score for score, _ in values])
        points = [{"architecture": self.space.to_json(told[index].architecture)} for index in best.tolist()]
        costs = [{"score": values[index][0], self.cost: values[index][1]} for index in best.tolist()]
        return super().report() | {"front": [one | cost for one, cost in zip(points, costs, strict=True)]}

    def _values(self, evaluation: Evaluation) -> list[float] | None:
        """Returns what the sampler is told; None for what failed, or of one objective is over the limit."""
        if self.cost:
            return self._objectives(evaluation)
        return [evaluation.fitness] if math.isfinite(evaluation.fitness) else None

    def _objectives(self, evaluation: Evaluation) -> list[float] | None:
        """Returns score and cost; None where one of them is not known."""
        cost = getattr(evaluation, self.cost)
        return None if evaluation.score is None or cost is None else [evaluation.score, float(cost)]

    def _tell(self, trial: "Trial", values: list[float] | None) -> None:
        import optuna

        with _quiet():
            if values is not None:
                self.study.tell(trial, values)
            else:
                self.study.tell(trial, state=optuna.trial.TrialState.FAIL)


def _is_ordered(options: Sequence[Any]) -> bool:
    """Returns whether the options are increasing numbers, so that near indices mean near things."""
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in options):
        return False
    return list(options) == sorted(options)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences optuna's log and its warnings about experimental arguments, and puts both back."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
