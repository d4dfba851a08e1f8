"""The ask/tell protocol of searchers and the loop that spends a budget of evaluations."""

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.errors import HarnessError
from harness.search.archive import Evaluation, SearchArchive
from harness.space.choices import SearchSpace
from harness.space.form import Architecture

if TYPE_CHECKING:
    from harness.llm import Client

Stop = Literal["budget", "target", "iterations", "exhausted", "empty"]


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A cost that the incumbent must not exceed; what is over is evaluated all the same.

    Attributes:
        cost: `parameters` or `macs` of the space, or the name of what `known` gives.
        value: the most.
        known: returns another cost of an architecture, such as a latency from a table.
    """

    cost: str
    value: float
    known: Callable[[Architecture], float] | None = field(default=None, compare=False)

    def of(self, space: SearchSpace, architecture: Architecture) -> float:
        """Returns the limited cost of an architecture."""
        if self.known is not None:
            return self.known(architecture)
        cost = dict(zip(("parameters", "macs"), space.costs(architecture), strict=True))[self.cost]
        if cost is None:
            raise HarnessError(f"A limit of {self.cost} needs them, and space {space.name} has none.")
        return cost


@dataclass(frozen=True, kw_only=True)
class SearchContext:
    """One search: what its searcher is built from, and the history that both of them read.

    Attributes:
        space: bound to its task and parameter window.
        seed: of the searcher's own random stream.
        budget: evaluations it may spend.
        options: the suite's options for this searcher.
        score_name: what the score is, for people and language models, e.g. `validation accuracy`.
        limit: what gates the incumbent; None for no limit.
        target: a score at which the search may stop; None for none.
        proxies: zero-cost scores of candidate architectures, for searchers that declare a `proxy`.
        client: a language model, for searchers that declare `needs_llm`.
    """

    space: SearchSpace
    seed: int
    budget: int
    options: Mapping[str, Any] = field(default_factory=dict)
    score_name: str = "score"
    limit: Limit | None = None
    target: float | None = None
    proxies: Mapping[Architecture, float] | None = None
    client: "Client | None" = None

    @cached_property
    def archive(self) -> SearchArchive:
        """The history, which `run_search` fills and a searcher draws new architectures from."""
        return SearchArchive(self.space)


class Searcher(Protocol):
    """A policy that proposes architectures and learns from their scores.

    A class that derives from it need only ask, where the archive of its context tells it enough.
    """

    def ask(self, count: int) -> list[Architecture]:
        """Returns at most `count` legal architectures that were not told before; none when it is done."""

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        """Takes the results of the last ask, in its order; the archive has them already."""
        return

    def report(self) -> dict[str, Any]:
        """Returns the searcher's own counters and settings for the record; {} when it has none.

        A searcher that ends for another reason than an exhausted space says so under `stopped`.
        """
        return {}


class SeededSearcher(Searcher):
    """What searchers share that draw from one stream and count what they do.

    Attributes:
        space: that is searched.
        archive: the history of the search.
        draw: the searcher's own stream.
        counters: name -> how often it happened, for the record.
    """

    def __init__(self, context: SearchContext) -> None:
        self.space = context.space
        self.archive = context.archive
        self.draw = random.Random(context.seed)
        self.counters: Counter[str] = Counter()

    def report(self) -> dict[str, Any]:
        return {"counters": dict(self.counters)}


@dataclass(frozen=True, kw_only=True)
class SearcherEntry:
    """A catalog entry.

    Attributes:
        summary: one line.
        build: makes a searcher.
        options: option name -> default; a suite may override these and no others.
        needs_llm: whether `build` wants a language model in its context.
        is_anytime: whether its path is the same whatever the budget, so that a prefix is a shorter search.
        allowed: option name -> the texts it may be, or its (least, greatest) number; others are free.
        proxy: name of the zero-cost proxy whose scores `build` wants in its context; None for none.
        reads: returns the files and folders that `build` reads with given options, such as prompts.
        family: kind of method, which decides its hue in figures: random, local, evolution, model (of scores
            that were seen), zero cost or language model.
        named: the member of a family of searchers that `FAMILY:NAME` means; None where it is no family.
        members: returns the names of its members, for near names.
        standin: what its rows are called where the embedded model answers in place of one that the method is
            meant for, so that no result bears the method's name; its own name where it is empty.
    """

    summary: str
    build: Callable[[SearchContext], Searcher]
    options: Mapping[str, Any] = field(default_factory=dict)
    needs_llm: bool = False
    is_anytime: bool = True
    allowed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    proxy: str | None = None
    reads: Callable[[Mapping[str, Any]], Sequence[Path]] = lambda options: ()
    family: str = ""
    named: "Callable[[str], SearcherEntry] | None" = None
    members: Callable[[], Sequence[str]] | None = None
    standin: str = ""


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What a search found.

    Attributes:
        history: evaluations in the order in which they were spent.
        best: the first evaluation within the limit with the highest score; None when there is none.
        stopped: why it ended.
        report: the searcher's own counters.
    """

    history: tuple[Evaluation, ...]
    best: Evaluation | None
    stopped: Stop
    report: Mapping[str, Any]


def run_search(
    searcher: Searcher,
    context: SearchContext,
    evaluate: Callable[[Architecture], float | None],
    *,
    batch: int | None = None,
) -> SearchResult:
    """Spends the budget on evaluations of new, legal architectures that the searcher proposes.

    Args:
        context: of this search alone; its limit gates the incumbent, and the search stops once the
            incumbent's score reaches its target.
        evaluate: returns the score of an architecture; None, NaN or infinite ones count as failed.
        batch: the most to ask for at once; None for all that is left.

    Raises:
        ValueError: the searcher proposed an illegal or an already evaluated architecture.
    """
    space, archive, target = context.space, context.archive, context.target
    iteration = 0
    stopped: Stop = "budget"
    while left := context.budget - len(archive.evaluations):
        asked = searcher.ask(left if batch is None else min(batch, left))
        if not asked:
            stopped = searcher.report().get("stopped", "exhausted")
            break
        for architecture in asked[:left]:
            if architecture in archive.of or not space.legal(architecture):
                why = "already evaluated" if architecture in archive.of else "illegal"
                raise ValueError(f"The searcher proposed {architecture}, which is {why} in {space.name}.")
            archive.add(_evaluated(context, architecture, evaluate(architecture), iteration))
        searcher.tell(archive.evaluations[-len(asked[:left]) :])
        iteration += 1
        if target is not None and archive.best is not None and archive.best.fitness >= target:
            stopped = "target"
            break
    best = archive.best if archive.best is not None and archive.best.fitness > -math.inf else None
    history = tuple(archive.evaluations)
    return SearchResult(history=history, best=best, stopped=stopped, report=searcher.report())


def _evaluated(
    context: SearchContext, architecture: Architecture, score: float | None, iteration: int
) -> Evaluation:
    space, limit = context.space, context.limit
    parameters, macs = space.costs(architecture)
    limited = None if limit is None else limit.of(space, architecture)
    return Evaluation(
        architecture=architecture,
        score=score if score is not None and math.isfinite(score) else None,
        parameters=parameters,
        macs=macs,
        iteration=iteration,
        limited=limited,
        over_limit=limit is not None and limited is not None and limited > limit.value,
    )
