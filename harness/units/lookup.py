"""Searches whose scores are looked up in a table of published results."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from harness import catalog, seeds
from harness.data.lookup import (
    LookupTable,
    TableCard,
    bound_space,
    file_hash,
    find_table,
    load_table,
    read_card,
)
from harness.errors import HarnessError
from harness.llm import Client
from harness.plan import Unit
from harness.search import Evaluation, Limit, SearchContext, SearcherEntry, SearchResult, run_search
from harness.space import Architecture
from harness.stats.order import expected_best
from harness.units.place import Done, Needs, Place
from harness.units.search import language_model, priced, read_proxies


def table(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Reads and checks the whole table; leaves its optima, means and the exact course of random search."""
    spec = unit.spec
    card, path = _found(spec["table"], needs.place)
    loaded = _loaded(spec["table"], path)
    found = file_hash(path)
    if found != spec["sha256"]:
        raise HarnessError(f"{path} has sha256 {found}, and the plan was made for {spec['sha256']}.")
    domains = {}
    for name in spec["domains"]:
        test = loaded.test[name]
        exact = {
            feedback: {
                str(budget): expected_best(loaded.column(name, feedback), test, budget)
                for budget in spec["budgets"]
                if budget <= len(test)
            }
            for feedback in ("validation", "test")
        }
        best = {"validation": float(loaded.validation[name].max()), "test": float(test.max())}
        domains[name] = {"best": best, "mean": float(test.mean()), "random": exact}
    notes = {name: card.domains[name].note for name in spec["domains"] if card.domains[name].note}
    result = {
        "rows": len(loaded.rows),
        "sha256": found,
        "origin": card.origin,
        "licence": card.licence,
        "domains": domains,
        "notes": notes,
    }
    return Done(result=result)


def lookup(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Runs one searcher on one domain, once per seed."""
    spec = unit.spec
    card, path = _found(spec["table"], needs.place)
    loaded = _loaded(spec["table"], path)
    space = bound_space(card.domains[spec["domain"]].space or card.space)
    entry: SearcherEntry = catalog.load("searcher", spec["searcher"])
    known = read_proxies(needs) if entry.proxy else None
    client = language_model(unit, needs.place, folder) if entry.needs_llm else None
    limit = Limit(cost="macs", value=spec["mac_limit"]) if spec["mac_limit"] else None
    scores = loaded.column(spec["domain"], spec["feedback"])

    def evaluate(architecture: Architecture) -> float:
        row = loaded.rows.get(architecture)
        if row is None:
            raise HarnessError(f"The table {spec['table']} has no row of {space.to_json(architecture)}.")
        return float(scores[row])

    started = perf_counter()
    searches = []
    total: Counter[str] = Counter()
    for seed in spec["seeds"]:
        context = SearchContext(
            space=space,
            seed=seeds.stream(seed, "lookup", spec["searcher"], spec["domain"], spec["feedback"]),
            budget=spec["evaluations"],
            options=spec["options"],
            score_name=f"{spec['feedback']} accuracy",
            limit=limit,
            proxies=known,
            client=client,
        )
        searcher = entry.build(context)
        result = run_search(searcher, space, evaluate, budget=context.budget, limit=limit)
        total.update(result.report.get("counters", {}))
        searches.append(_search(seed, result, loaded, spec, client))
    seconds = perf_counter() - started
    parts: dict[str, Any] = {}
    if client is not None:
        parts = {"llm": client.seconds, "evaluation": seconds - client.seconds}
        parts["llm by iteration"] = getattr(searcher, "seconds", [])
    return Done(result={"searches": searches, "counters": dict(sorted(total.items()))}, seconds=parts)


def _search(
    seed: int, result: SearchResult, loaded: LookupTable, spec: Mapping[str, Any], client: Client | None
) -> dict[str, Any]:
    rows = [(at, loaded.rows[one.architecture]) for at, one in _incumbents(result.history)]
    domain = spec["domain"]
    return {
        "seed": seed,
        "evaluations": len(result.history),
        "over_limit": sum(one.over_limit for one in result.history),
        "stopped": result.stopped,
        "incumbents": [
            [at, row, float(loaded.validation[domain][row]), float(loaded.test[domain][row])]
            for at, row in rows
        ],
        **({"report": priced(result.report, spec)} if client else {}),
    }


def _incumbents(history: tuple[Evaluation, ...]) -> Iterator[tuple[int, Evaluation]]:
    """Yields every evaluation that was the best so far, with its number from 1."""
    best: Evaluation | None = None
    for at, one in enumerate(history, start=1):
        if one.fitness > (best.fitness if best else float("-inf")):
            best = one
            yield at, one


def _found(name: str, place: Place) -> tuple[TableCard, Path]:
    card_path = catalog.files("table")[name]
    card = read_card(card_path)
    return card, find_table(card, (*place.tables, card_path.parent))


def _loaded(name: str, path: Path) -> LookupTable:
    return load_table(path, catalog.files("table")[name])
