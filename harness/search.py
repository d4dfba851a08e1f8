"""The ask/tell protocol of searchers and the loop that spends a budget of evaluations."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.space import Architecture, SearchSpace

if TYPE_CHECKING:
    from harness.llm import Client

Stop = Literal["budget", "target", "iterations", "exhausted"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One evaluated architecture.

    Attributes:
        architecture: canonical and legal.
        score: higher is better; None when the evaluation failed or was not finite.
        parameters: trainable parameters.
        macs: multiply-accumulates of one sample.
        iteration: the ask, from 0, that proposed it.
    """

    architecture: Architecture
    score: float | None
    parameters: int
    macs: int
    iteration: int


@dataclass(frozen=True, kw_only=True)
class SearchContext:
    """What a searcher is built from.

    Attributes:
        space: bound to its task and parameter window.
        seed: of the searcher's own random stream.
        budget: evaluations it may spend.
        options: the suite's options for this searcher.
        score_name: what the score is, for people and language models, e.g. `validation accuracy`.
        client: a language model, for searchers that declare `needs_llm`.
    """

    space: SearchSpace
    seed: int
    budget: int
    options: Mapping[str, Any] = field(default_factory=dict)
    score_name: str = "score"
    client: "Client | None" = None


class Searcher(Protocol):
    """A policy that proposes architectures and learns from their scores."""

    def ask(self, count: int) -> list[Architecture]:
        """Returns at most `count` legal architectures that were not told before; none when it is done."""
        ...

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        """Takes the results of the last ask, in its order."""
        ...

    def report(self) -> dict[str, Any]:
        """Returns the searcher's own counters and settings for the record; {} when it has none."""
        ...


@dataclass(frozen=True, kw_only=True)
class SearcherEntry:
    """A catalog entry.

    Attributes:
        summary: one line.
        build: makes a searcher.
        options: option name -> default; a suite may override these and no others.
        needs_llm: whether `build` wants a language model in its context.
    """

    summary: str
    build: Callable[[SearchContext], Searcher]
    options: Mapping[str, Any] = field(default_factory=dict)
    needs_llm: bool = False


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What a search found.

    Attributes:
        history: evaluations in the order in which they were spent.
        best: the first evaluation with the highest score; None when every one failed.
        stopped: why it ended.
        report: the searcher's own counters.
    """

    history: tuple[Evaluation, ...]
    best: Evaluation | None
    stopped: Stop
    report: Mapping[str, Any]


def run_search(
    searcher: Searcher,
    space: SearchSpace,
    evaluate: Callable[[Architecture], float | None],
    *,
    budget: int,
    on_evaluation: Callable[[Evaluation], None] | None = None,
) -> SearchResult:
    """Spends `budget` evaluations of new, legal architectures on the searcher's proposals.

    Raises:
        ValueError: the searcher proposed an illegal or an already evaluated architecture.
    """
    history: list[Evaluation] = []
    visited: set[Architecture] = set()
    iteration = 0
    stopped: Stop = "budget"
    while len(history) < budget:
        batch = searcher.ask(budget - len(history))
        if not batch:
            stopped = "exhausted"
            break
        told = []
        for architecture in batch[: budget - len(history)]:
            if architecture in visited or not space.legal(architecture):
                why = "already evaluated" if architecture in visited else "illegal"
                raise ValueError(f"The searcher proposed {architecture}, which is {why} in {space.name}.")
            visited.add(architecture)
            score = evaluate(architecture)
            evaluation = Evaluation(
                architecture=architecture,
                score=score if score is not None and math.isfinite(score) else None,
                parameters=space.parameters(architecture),
                macs=space.macs(architecture),
                iteration=iteration,
            )
            told.append(evaluation)
            history.append(evaluation)
            if on_evaluation is not None:
                on_evaluation(evaluation)
        searcher.tell(told)
        iteration += 1
    scored = [evaluation for evaluation in history if evaluation.score is not None]
    best = max(scored, key=lambda evaluation: evaluation.score or -math.inf, default=None)
    return SearchResult(history=tuple(history), best=best, stopped=stopped, report=searcher.report())
