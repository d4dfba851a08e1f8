"""Searches whose scores are looked up in a table of published results."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness import catalog, seeds
from harness.data.table.card import TableCard
from harness.errors import HarnessError
from harness.files import file_hash
from harness.identity.unit import Unit
from harness.llm import Client
from harness.run.place import Done, Needs
from harness.search.archive import Evaluation
from harness.search.loop import Limit, SearchContext, SearcherEntry, SearchResult, run_search
from harness.stats.fronts import front
from harness.stats.order import expected_best
from harness.stats.transfer import choose, transfer_matrix
from harness.study.lookup.sources import RowScores, ScoreSource, open_source
from harness.study.work.gates import Gates, gates_of
from harness.study.work.language_model import language_model, priced
from harness.study.work.proxies import read_proxies

LEAST_TOP = 3
"""Fewest best rows whose overlap is told; otherwise the best hundredth is."""


def table(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Reads and checks the whole table; leaves what is exact of it.

    Optima, means, the course of random search, and how far a choice on one domain serves another. Scores of
    columns that are better when lower are negated. Where scores are computed, the same is told of a seeded
    sample, with its size. Where the suite limits a cost, optima, means and random search are of the
    architectures that keep to the limit.
    """
    spec = unit.spec
    source, path = open_source(spec["table"], needs.place)
    card = source.card
    found = file_hash(path)
    if found != spec["sha256"]:
        raise HarnessError(f"{path} has sha256 {found}, and the plan was made for {spec['sha256']}.")
    notes = {name: card.domains[name].note for name in spec["domains"] if card.domains[name].note}
    result = {
        "sha256": found,
        "origin": card.origin,
        "licence": card.licence,
        "domains": {name: _about(name, source, spec) for name in spec["domains"]},
        "notes": notes,
        **(_of_rows(source, spec) if isinstance(source, RowScores) else {"sampled": source.sampled}),
    }
    return Done(result=result)


def _of_rows(source: RowScores, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is exact over the rows, the transfer between domains above all."""
    loaded = source.table
    rows = len(loaded.index.genes)
    top = min(max(LEAST_TOP, rows // 100), rows)
    matrix = transfer_matrix(
        {name: loaded.validation[name] for name in spec["domains"]},
        {name: loaded.test[name] for name in spec["domains"]},
        top=top,
    )
    counted = {"left_out": loaded.left_out, "averaged": loaded.averaged}
    return {
        "rows": rows,
        **{name: count for name, count in counted.items() if count},
        "transfer": {
            "top": top,
            "matrix": {
                one: {target: measures._asdict() for target, measures in row.items()}
                for one, row in matrix.items()
            },
        },
    }


def _about(name: str, source: ScoreSource, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is known of a domain's pool, of those within the limit alone where there is one."""
    sources = _sources(name, spec)
    limit, kept = _within(name, source, spec)
    validation, test = (source.pool(name, feedback)[kept] for feedback in ("validation", "test"))
    exact = {
        feedback: _random(
            source.pool(name, feedback, sources), source.pool(name, "test"), kept, spec["budgets"]
        )
        for feedback in ("validation", "test")
    }
    return {
        "best": {"validation": float(validation.max()), "test": float(test.max())},
        "mean": float(test.mean()),
        "sd": float(test.std()),
        "unit": source.card.unit_of(name),
        "higher_is_better": source.card.domains[name].higher_is_better,
        "random": exact,
        **({"exact": False, "sampled": source.sampled} if source.sampled else {}),
        **({"limit": limit} if limit else {}),
        **({"held_out": _choices(name, sources, source, kept)} if sources else {}),
    }


def _random(
    seen: NDArray[np.float64], test: NDArray[np.float64], kept: NDArray[np.int64], budgets: Sequence[int]
) -> dict[str, float]:
    """Returns what random search is expected to find at each budget; what is over a limit is never chosen."""
    chosen = np.full(seen.shape, -np.inf)
    chosen[kept] = seen[kept]
    return {str(budget): expected_best(chosen, test, budget) for budget in budgets if budget <= len(test)}


def _within(
    name: str, source: ScoreSource, spec: Mapping[str, Any]
) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """Returns the limit of a domain, {} for none, and which of its pool keep to it."""
    size = len(source.pool(name, "test"))
    if "cost_limit" not in spec:
        return {}, np.arange(size)
    wanted = spec["cost_limit"]
    costs = source.costs(name, wanted["cost"])
    most = wanted["at_most"] or float(np.sort(costs)[max(0, round(wanted["share"] * size) - 1)])
    kept = np.flatnonzero(costs <= most)
    test = source.pool(name, "test")[kept]
    if kept.size < 2 or not np.ptp(test):
        raise HarnessError(
            f"At most {most:g} for {wanted['cost']} leaves {kept.size} of {size} architectures of {name}, "
            f"whose scores do not differ; they cost {costs.min():g} to {costs.max():g}."
        )
    unit = source.card.costs[wanted["cost"]].unit if wanted["cost"] in source.card.costs else ""
    limit = {"cost": wanted["cost"], "unit": unit, "value": most, "within": kept.size / size}
    scores = source.pool(name, "test")
    return limit | {"front": _pairs(costs, scores, front(costs, scores)), "most": float(costs.max())}, kept


def _pairs(costs: ArrayLike, scores: ArrayLike, chosen: NDArray[np.int64]) -> list[list[float]]:
    """Returns the (cost, score) of the chosen ones as JSON holds them."""
    return np.stack([np.asarray(costs)[chosen], np.asarray(scores)[chosen]], axis=1).tolist()  # type: ignore[no-any-return]


def _sources(name: str, spec: Mapping[str, Any]) -> list[str]:
    """Returns the domains that a search for a held-out `name` sees; none where it sees `name` itself."""
    return [one for one in spec["domains"] if one != name] if name in spec.get("held_out", []) else []


def _choices(
    name: str, sources: Sequence[str], source: ScoreSource, kept: NDArray[np.int64]
) -> dict[str, Any]:
    """Returns what the held-out domain makes of the best row of each source, and of all of them together."""
    target = source.pool(name, "test")[kept]

    def chosen(seen: NDArray[np.float64]) -> dict[str, Any]:
        found = choose(seen[kept], target)
        return found._replace(row=int(kept[found.row]))._asdict()

    return {
        feedback: {
            "all": chosen(source.pool(name, feedback, sources)),
            "sources": {one: chosen(source.pool(one, feedback)) for one in sources},
        }
        for feedback in ("validation", "test")
    }


def lookup(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Runs one searcher on one domain, once per seed."""
    spec = unit.spec
    source, _ = open_source(spec["table"], needs.place)
    sources: list[str] = spec.get("sources", [])
    space = source.space(spec["domain"])
    entry: SearcherEntry = catalog.load("searcher", spec["searcher"])
    known = read_proxies(needs) if entry.proxy else None
    client = language_model(unit, needs.place, folder) if entry.needs_llm else None
    gates = _gates(unit, needs, source)
    evaluate = source.score(spec["domain"], spec["feedback"], sources)
    started = perf_counter()
    searches = []
    total: Counter[str] = Counter()
    for seed in spec["seeds"]:
        context = SearchContext(
            space=space,
            seed=seeds.stream(seed, "lookup", spec["searcher"], spec["domain"], spec["feedback"]),
            budget=spec["evaluations"],
            options=spec["options"],
            score_name=_score_name(source.card, spec),
            **gates,
            proxies=known,
            client=client,
        )
        searcher = entry.build(context)
        result = run_search(searcher, context, evaluate)
        total.update(result.report.get("counters", {}))
        searches.append(_search(seed, result, source, unit, client))
    seconds = perf_counter() - started
    parts: dict[str, Any] = {}
    if client is not None:
        parts = {"llm": client.seconds, "evaluation": seconds - client.seconds}
        parts["llm by iteration"] = getattr(searcher, "seconds", [])
    return Done(result={"searches": searches, "counters": dict(sorted(total.items()))}, seconds=parts)


def _gates(unit: Unit, needs: Needs, source: ScoreSource) -> Gates:
    """Returns the limit and the target; the value of a limited cost is what the table's unit found."""
    gates = gates_of(unit.spec)
    if "cost_limit" not in unit.spec:
        return gates
    domain = unit.spec["domain"]
    limit = needs.record("table").result["domains"][domain]["limit"]
    cost = f"{limit['cost']} in {limit['unit']}" if limit["unit"] else limit["cost"]
    known = source.cost(domain, limit["cost"])
    return Gates(limit=Limit(cost=cost, value=limit["value"], known=known), target=gates["target"])


def _search(
    seed: int, result: SearchResult, source: ScoreSource, unit: Unit, client: Client | None
) -> dict[str, Any]:
    spec = unit.spec
    domain = spec["domain"]
    validation, test = (source.score(domain, feedback) for feedback in ("validation", "test"))
    incumbents = list(_incumbents(result.history))
    told: dict[str, Any] = {}
    if source.sampled and incumbents:
        told["found"] = source.space(domain).to_json(incumbents[-1][1].architecture)
    if "cost_limit" in spec:
        told["evaluated"] = [
            list(one.architecture) if source.sampled else source.row(one.architecture)
            for one in result.history
        ]
        told["costs"] = [one.limited for one in result.history]
        told["seen"] = [one.score for one in result.history]
        told["tests"] = [test(one.architecture) for one in result.history]
    return {
        "seed": seed,
        "evaluations": len(result.history),
        "over_limit": sum(one.over_limit for one in result.history),
        "stopped": result.stopped,
        "incumbents": [
            [
                at,
                source.row(one.architecture),
                one.fitness if "sources" in spec else validation(one.architecture),
                test(one.architecture),
            ]
            for at, one in incumbents
        ],
        **told,
        **({"report": priced(result.report, spec)} if client else {}),
    }


def _score_name(card: TableCard, spec: Mapping[str, Any]) -> str:
    if "sources" in spec:
        return f"mean standardised {spec['feedback']} score"
    return f"{spec['feedback']} {'score' if card.unit_of(spec['domain']) == 'raw' else 'accuracy'}"


def _incumbents(history: tuple[Evaluation, ...]) -> Iterator[tuple[int, Evaluation]]:
    """Yields every evaluation that was the best so far, with its number from 1."""
    best: Evaluation | None = None
    for at, one in enumerate(history, start=1):
        if one.fitness > (best.fitness if best else float("-inf")):
            best = one
            yield at, one
