"""Samplers of optuna behind the ask/tell protocol of searchers."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.search.archive import Evaluation
from harness.search.loop import SearchContext, SeededSearcher
from harness.space.form import Architecture

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

REASKS = 20
"""Suggestions in a row that may be repeats or illegal, by default."""


class SamplerSearcher(SeededSearcher):
    """A sampler of optuna with one suggestion per choice, active or not.

    The sampler knows nothing of the parameter window, of inactive choices or of what was evaluated: proposals
    are made canonical, repeats are told their known score, illegal ones told as failed, and after `reasks`
    of these in a row, an option, a random architecture is evaluated, which the sampler is shown too.
    """

    def __init__(self, context: SearchContext, make: "Callable[[int], BaseSampler]") -> None:
        """Begins a study; `make` returns the sampler of a seed below 2^32."""
        import optuna

        super().__init__(context)
        self.reasks = int(context.options["reasks"])
        with _quiet():
            sampler = make(context.seed % 2**32)
            self.study = optuna.create_study(direction="maximize", sampler=sampler)
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
                self._tell(trial, self.archive.of[architecture].fitness)
            elif not self.space.in_window(architecture):
                self.counters["illegal"] += 1
                self._tell(trial, -math.inf)
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
            if genes in self.asked:
                self._tell(self.asked[genes], evaluation.fitness)
            elif math.isfinite(evaluation.fitness):
                names = [choice.name for choice in self.space.choices]
                with _quiet():
                    self.study.add_trial(
                        optuna.trial.create_trial(
                            params=dict(zip(names, genes, strict=True)),
                            distributions=self.distributions,
                            value=evaluation.fitness,
                        )
                    )

    def _tell(self, trial: "Trial", fitness: float) -> None:
        import optuna

        with _quiet():
            if math.isfinite(fitness):
                self.study.tell(trial, fitness)
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
