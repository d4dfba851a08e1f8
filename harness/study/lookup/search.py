"""Searches whose scores are looked up in a table of published results."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import catalog, seeds
from harness.data.table.card import TableCard
from harness.data.table.table import table_hash
from harness.errors import HarnessError
from harness.identity.unit import Unit
from harness.llm import Client
from harness.run.place import Done, Needs
from harness.search.archive import Evaluation
from harness.search.loop import Limit, SearchContext, SearcherEntry, SearchResult, run_search
from harness.stats.fronts import front
from harness.stats.order import expected_best
from harness.stats.transfer import Chosen, choose, transfer_matrix
from harness.study.lookup.sources import RowScores, ScoreSource, open_source
from harness.study.lookup.units import (
    TABLE,
    Best,
    CostFound,
    LookupSpec,
    Searches,
    SourceChoices,
    TableDomain,
    TableFound,
    TableSearch,
    TableSpec,
    TransferFound,
)
from harness.study.work.language_model import language_model, priced
from harness.study.work.matched import macs_limit
from harness.study.work.proxies import read_proxies

LEAST_TOP = 3
"""Fewest best rows whose overlap is told; otherwise the best hundredth is."""


def table(unit: Unit[TableSpec, TableFound], needs: Needs, folder: Path) -> Done:
    """Reads and checks the whole table; leaves what is exact of it.

    Optima, means, the course of random search, and how far a choice on one domain serves another. Scores of
    columns that are better when lower are negated. Where scores are computed, the same is told of a seeded
    sample, with its size. Where the suite limits a cost, optima, means and random search are of the
    architectures that keep to the limit.
    """
    spec = unit.spec
    source, path = open_source(spec.table, needs.place)
    card = source.card
    found = table_hash(path, card)
    if found != spec.sha256:
        raise HarnessError(f"{path} has sha256 {found}, and the plan was made for {spec.sha256}.")
    result = TableFound(
        sha256=found,
        origin=card.origin,
        licence=card.licence,
        domains={name: _about(name, source, spec) for name in spec.domains},
        notes={name: card.domains[name].note for name in spec.domains if card.domains[name].note},
        sampled=None if isinstance(source, RowScores) else source.sampled,
    )
    return Done(result=_of_rows(result, source, spec) if isinstance(source, RowScores) else result)


def _of_rows(found: TableFound, source: RowScores, spec: TableSpec) -> TableFound:
    """Returns the same with what is exact over the rows, the transfer between domains above all."""
    loaded = source.table
    rows = len(loaded.index.genes)
    top = min(max(LEAST_TOP, rows // 100), rows)
    matrix = transfer_matrix(
        {name: loaded.validation[name] for name in spec.domains},
        {name: loaded.test[name] for name in spec.domains},
        top=top,
    )
    return replace(
        found,
        rows=rows,
        left_out=loaded.left_out,
        averaged=loaded.averaged,
        transfer=TransferFound(top=top, matrix=matrix),
    )


def _about(name: str, source: ScoreSource, spec: TableSpec) -> TableDomain:
    """Returns what is known of a domain's pool, of those within the limit alone where there is one."""
    sources = _sources(name, spec)
    limit, kept = _within(name, source, spec)
    validation, test = (source.pool(name, feedback)[kept] for feedback in ("validation", "test"))
    exact = {
        feedback: _random(source.pool(name, feedback, sources), source.pool(name, "test"), kept, spec.budgets)
        for feedback in ("validation", "test")
    }
    return TableDomain(
        best=Best(validation=float(validation.max()), test=float(test.max())),
        mean=float(test.mean()),
        sd=float(test.std()),
        unit=source.card.unit_of(name),
        higher_is_better=source.card.domains[name].higher_is_better,
        random=exact,
        exact=not source.sampled,
        sampled=source.sampled or 0,
        limit=limit,
        held_out=_choices(name, sources, source, kept) if sources else None,
    )


def _random(
    seen: NDArray[np.float64], test: NDArray[np.float64], kept: NDArray[np.int64], budgets: Sequence[int]
) -> dict[str, float]:
    """Returns what random search is expected to find at each budget; what is over a limit is never chosen."""
    chosen = np.full(seen.shape, -np.inf)
    chosen[kept] = seen[kept]
    return {str(budget): expected_best(chosen, test, budget) for budget in budgets if budget <= len(test)}


def _within(name: str, source: ScoreSource, spec: TableSpec) -> tuple[CostFound | None, NDArray[np.int64]]:
    """Returns the limit of a domain, None for none, and which of its pool keep to it."""
    size = len(source.pool(name, "test"))
    wanted = spec.cost_limit
    if wanted is None:
        return None, np.arange(size)
    costs = source.costs(name, wanted.cost)
    most = wanted.at_most or float(np.sort(costs)[max(0, round(wanted.share * size) - 1)])
    kept = np.flatnonzero(costs <= most)
    test = source.pool(name, "test")[kept]
    if kept.size < 2 or not np.ptp(test):
        raise HarnessError(
            f"At most {most:g} for {wanted.cost} leaves {kept.size} of {size} architectures of {name}, "
            f"whose scores do not differ; they cost {costs.min():g} to {costs.max():g}."
        )
    scores = source.pool(name, "test")
    best = front(costs, scores)
    limit = CostFound(
        cost=wanted.cost,
        unit=source.card.costs[wanted.cost].unit if wanted.cost in source.card.costs else "",
        value=most,
        within=kept.size / size,
        front=tuple(zip(costs[best].tolist(), scores[best].tolist(), strict=True)),
        most=float(costs.max()),
    )
    return limit, kept


def _sources(name: str, spec: TableSpec) -> list[str]:
    """Returns the domains that a search for a held-out `name` sees; none where it sees `name` itself."""
    return [one for one in spec.domains if one != name] if name in spec.held_out else []


def _choices(
    name: str, sources: Sequence[str], source: ScoreSource, kept: NDArray[np.int64]
) -> dict[str, SourceChoices]:
    """Returns what the held-out domain makes of the best row of each source, and of all of them together."""
    target = source.pool(name, "test")[kept]

    def chosen(seen: NDArray[np.float64]) -> Chosen:
        return choose(seen[kept], target)

    return {
        feedback: SourceChoices(
            all=chosen(source.pool(name, feedback, sources)),
            sources={one: chosen(source.pool(one, feedback)) for one in sources},
        )
        for feedback in ("validation", "test")
    }


def lookup(unit: Unit[LookupSpec, Searches], needs: Needs, folder: Path) -> Done:
    """Runs one searcher on one domain, once per seed."""
    spec = unit.spec
    source, _ = open_source(spec.table, needs.place)
    space = source.space(spec.domain)
    entry: SearcherEntry = catalog.load("searcher", spec.searcher)
    known = read_proxies(needs) if entry.proxy else None
    client = language_model(unit, spec.llm, needs, folder) if spec.llm else None
    limit = _limit(spec, needs, source)
    evaluate = source.score(spec.domain, spec.feedback, spec.sources or ())
    started = perf_counter()
    searches = []
    total: Counter[str] = Counter()
    for seed in spec.seeds:
        context = SearchContext(
            space=space,
            seed=seeds.stream(seed, "lookup", spec.searcher, spec.domain, spec.feedback),
            budget=spec.evaluations,
            options=spec.options,
            score_name=_score_name(source.card, spec),
            limit=limit,
            target=spec.target or None,
            proxies=known,
            client=client,
        )
        searcher = entry.build(context)
        result = run_search(searcher, context, evaluate)
        total.update(result.report.get("counters", {}))
        searches.append(_search(seed, result, source, spec, client))
    seconds = perf_counter() - started
    parts: dict[str, Any] = {}
    if client is not None:
        parts = {"llm": client.seconds, "evaluation": seconds - client.seconds}
        parts["llm by iteration"] = getattr(searcher, "seconds", [])
    found = Searches(searches=tuple(searches), counters=dict(sorted(total.items())))
    return Done(result=found, seconds=parts)


def _limit(spec: LookupSpec, needs: Needs, source: ScoreSource) -> Limit | None:
    """Returns the limit of a cost, whose value is what the table's unit found; None for none."""
    limit = needs.result(TABLE).domains[spec.domain].limit
    if limit is None:
        return macs_limit(spec)
    cost = f"{limit.cost} in {limit.unit}" if limit.unit else limit.cost
    return Limit(cost=cost, value=limit.value, known=source.cost(spec.domain, limit.cost))


def _search(
    seed: int, result: SearchResult, source: ScoreSource, spec: LookupSpec, client: Client | None
) -> TableSearch:
    domain, history = spec.domain, result.history
    validation, test = (source.score(domain, feedback) for feedback in ("validation", "test"))
    incumbents = list(_incumbents(history))
    space = source.space(domain)
    found = space.to_json(incumbents[-1][1].architecture) if source.sampled and incumbents else None
    told = TableSearch(
        seed=seed,
        evaluations=len(history),
        over_limit=sum(one.over_limit for one in history),
        stopped=result.stopped,
        incumbents=tuple(
            (
                at,
                source.row(best.architecture),
                best.fitness if spec.sources is not None else validation(best.architecture),
                float(np.mean([test(one.architecture) for one in (best, *tied)])),
            )
            for at, best, tied in incumbents
        ),
        ties=1 + len(incumbents[-1][2]) if incumbents else 0,
        found=found,
        report=priced(result.report, spec.llm) if client else None,
    )
    if spec.cost_limit is None:
        return told
    return replace(
        told,
        evaluated=tuple(
            list(one.architecture) if source.sampled else source.row(one.architecture) for one in history
        ),
        costs=tuple(one.limited for one in history),
        seen=tuple(one.score for one in history),
        tests=tuple(test(one.architecture) for one in history),
    )


def _score_name(card: TableCard, spec: LookupSpec) -> str:
    if spec.sources is not None:
        return f"mean standardised {spec.feedback} score"
    return f"{spec.feedback} {'score' if card.unit_of(spec.domain) == 'raw' else 'accuracy'}"


def _incumbents(
    history: tuple[Evaluation, ...],
) -> Iterator[tuple[int, Evaluation, tuple[Evaluation, ...]]]:
    """Yields every evaluation that was the best so far with its number from 1, and again with each tie."""
    best: Evaluation | None = None
    tied: tuple[Evaluation, ...] = ()
    for at, one in enumerate(history, start=1):
        if one.fitness > (best.fitness if best else float("-inf")):
            best, tied = one, ()
        elif best and one.fitness == best.fitness > float("-inf"):
            tied = (*tied, one)
        else:
            continue
        yield at, best, tied
