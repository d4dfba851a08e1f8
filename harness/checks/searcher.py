"""Claims of a searcher: it spends its budget, follows its seed and survives failures."""

import math
import random
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

from harness import catalog
from harness.checks.space import SIGNATURES
from harness.files import canonical_json
from harness.search.loop import Limit, SearchContext, Searcher, SearcherEntry, SearchResult, run_search
from harness.space.choices import SearchSpace, SpaceFamily
from harness.space.form import Architecture, Choice

BUDGET = 25
"""Evaluations of a searcher's check: more than most spend at random before they learn."""


def searcher_claims(entry: SearcherEntry) -> Iterator[tuple[str, bool, str]]:
    """Yields claim, whether it holds and a detail of all that a searcher promises, on several spaces."""
    hybrid: SpaceFamily = catalog.load("space", "hybrid")
    cells: SpaceFamily = catalog.load("space", "nasbench201")
    image, text = (hybrid.matched("micro", signature, 0.05) for signature in SIGNATURES)
    try:
        runs = yield from _spends(entry, image, (1, 3, None))
        yield from _spends(entry, text, (3, None))
        yield from _spends(entry, cells.space("micro"), (1, None))
        yield from _follows_its_seed(entry, image, runs)
        yield from _survives(entry, image)
        for window in (None, (1, 3)):
            yield from _exhausts(entry, _Toy(window))
    except Exception as error:  # whatever a searcher raises is a finding about it
        yield "raises nothing, proposes nothing illegal, repeated or unasked", False, repr(error)


def _spends(
    entry: SearcherEntry, space: SearchSpace, batches: Sequence[int | None]
) -> Generator[tuple[str, bool, str], None, dict[int | None, SearchResult]]:
    """Yields whether proposals are legal and new and the budget is spent; returns the run of each batch."""
    where = f"{space.name} on {space.signature.kind}"
    runs = {batch: _search(entry, space, batch=batch) for batch in batches}
    asked = "asked for " + ", ".join(str(batch or "all") for batch in batches)
    yield f"{where}: proposes legal and new architectures", True, asked
    spent = [len(run.history) for run in runs.values()]
    yield f"{where}: spends exactly its budget", set(spent) == {BUDGET}, f"{spent} of {BUDGET}"
    return runs


def _follows_its_seed(
    entry: SearcherEntry, space: SearchSpace, runs: Mapping[int | None, SearchResult]
) -> Iterator[tuple[str, bool, str]]:
    first = runs[3]
    again, other = (_search(entry, space, batch=3, seed=seed) for seed in (1, 2))
    yield "takes the same path from the same seed", first.history == again.history, "two runs"
    free = bool(first.report.get("deterministic"))
    differs = first.history != other.history
    yield "takes another path from another seed", free or differs, "or reports that it is deterministic"
    known = {one.architecture: one.score for one in first.history[: BUDGET // 2]}
    resumed = _search(entry, space, batch=3, known=known)
    yield "continues from recorded scores", resumed.history == first.history, f"{len(known)} told again"
    if entry.is_anytime:
        short = [one.architecture for one in _search(entry, space, batch=None, budget=12).history]
        long = [one.architecture for one in runs[None].history]
        claim = "is anytime: a shorter search is the start of a longer one"
        yield claim, short == long[:12], f"12 of {BUDGET} evaluations"
    try:
        canonical_json(first.report)
    except (TypeError, ValueError) as error:
        yield "reports what a record can hold", False, str(error)
    else:
        yield "reports what a record can hold", True, ", ".join(first.report) or "nothing"


def _survives(entry: SearcherEntry, space: SearchSpace) -> Iterator[tuple[str, bool, str]]:
    limit = Limit(cost="parameters", value=0)
    nothing = _search(entry, space, batch=None, score=lambda one: None)
    over = _search(entry, space, batch=None, limit=limit)
    level = _search(entry, space, batch=None, score=lambda one: 0.5)
    for what, run in (("all fail", nothing), ("all are over the limit", over), ("all are equal", level)):
        spent = len(run.history)
        right = spent == BUDGET and (run.best is not None) == (run is level)
        yield f"goes on when {what}", right, f"{spent} of {BUDGET}"


def _exhausts(entry: SearcherEntry, space: SearchSpace) -> Iterator[tuple[str, bool, str]]:
    everything = {one for one in space.enumerate() if space.legal(one)}
    for batch in (1, None):
        found = _search(entry, space, budget=60, batch=batch)
        reached = {one.architecture for one in found.history}
        detail = f"{len(reached)} of {len(everything)}, stopped: {found.stopped}"
        whole = reached == everything and found.stopped != "budget"
        how = "one at a time" if batch else "all at once"
        yield f"exhausts {space.name} within {space.window}, {how}", whole, detail


def _score(architecture: Architecture) -> float | None:
    """A landscape in which some evaluations fail and some are not a number."""
    code = sum((index + 2) * gene for index, gene in enumerate(architecture))
    if code % 7 == 0:
        return None if code % 2 else math.nan
    return -sum((gene - 1) ** 2 for gene in architecture) / 100


def _search(
    entry: SearcherEntry,
    space: SearchSpace,
    *,
    batch: int | None,
    budget: int = BUDGET,
    seed: int = 1,
    score: Callable[[Architecture], float | None] = _score,
    limit: Limit | None = None,
    known: Mapping[Architecture, float | None] | None = None,
) -> SearchResult:
    """Returns the result of a new searcher; `known` scores are told in place of those of `score`."""
    from harness.llm.scripted import ScriptedClient

    proxies = None
    if entry.proxy is not None:
        draw = random.Random(0)
        drawn = {space.sample(draw): None for _ in range(15)}
        proxies = {one: draw.choice([-math.inf, draw.random()]) for one in drawn}
    context = SearchContext(
        space=space,
        seed=seed,
        budget=budget,
        options=dict(entry.options),
        limit=limit,
        proxies=proxies,
        client=ScriptedClient() if entry.needs_llm else None,
    )
    told = known or {}
    return run_search(
        _Modest(entry.build(context)),
        context,
        lambda one: told[one] if one in told else score(one),
        batch=batch,
    )


class _Modest:
    """A searcher that fails when it answers with more than it was asked for."""

    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher
        self.tell = searcher.tell
        self.report = searcher.report

    def ask(self, count: int) -> list[Architecture]:
        asked = self.searcher.ask(count)
        if len(asked) > count:
            raise ValueError(f"The searcher proposed {len(asked)} architectures when asked for {count}.")
        return asked


class _Toy(SearchSpace):
    """Two choices of three, the second idle where the first is 0: seven architectures."""

    def __init__(self, window: tuple[int, int] | None = None) -> None:
        super().__init__(
            "toy",
            SIGNATURES[0],
            window,
            parts=[Choice(name=name, options=(0, 1, 2), meaning="a number") for name in "ab"],
            default={"a": 1, "b": 1},
            about="Two numbers.",
        )

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True, architecture[0] > 0)

    def size(self) -> int:
        return 7

    def parameters(self, architecture: Architecture) -> int:
        return sum(architecture)

    macs = parameters
