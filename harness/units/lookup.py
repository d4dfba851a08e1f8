"""Searches whose scores are looked up in a table of published results."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import catalog, seeds
from harness.data.card import TableCard, read_card
from harness.data.fetch import file_hash
from harness.data.lookup import LookupTable, bound_space, find_table, load_table
from harness.data.lookup_space import ListedSpace
from harness.errors import HarnessError
from harness.llm import Client
from harness.plan import Unit
from harness.search import Evaluation, SearchContext, SearcherEntry, SearchResult, run_search
from harness.space import Architecture
from harness.stats.order import expected_best
from harness.stats.transfer import choose, standardised_mean, transfer_matrix
from harness.units.place import Done, Needs, Place
from harness.units.search import gates_of, language_model, priced, read_proxies

LEAST_TOP = 3
"""Fewest best rows whose overlap is told; otherwise the best hundredth is."""


def table(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Reads and checks the whole table; leaves what is exact of it.

    Optima, means, the course of random search, and how far a choice on one domain serves another. Scores of
    columns that are better when lower are negated.
    """
    spec = unit.spec
    card, path = _found(spec["table"], needs.place)
    loaded = _loaded(spec["table"], path)
    found = file_hash(path)
    if found != spec["sha256"]:
        raise HarnessError(f"{path} has sha256 {found}, and the plan was made for {spec['sha256']}.")
    held_out = spec.get("held_out", [])
    domains = {name: _about(name, card, loaded, spec) for name in spec["domains"]}
    for name in held_out:
        sources = [one for one in spec["domains"] if one != name]
        domains[name]["held_out"] = _choices(name, sources, loaded)
    notes = {name: card.domains[name].note for name in spec["domains"] if card.domains[name].note}
    top = max(LEAST_TOP, len(loaded.rows) // 100)
    matrix = transfer_matrix(
        {name: loaded.validation[name] for name in spec["domains"]},
        {name: loaded.test[name] for name in spec["domains"]},
        top=min(top, len(loaded.rows)),
    )
    result = {
        "rows": len(loaded.rows),
        "sha256": found,
        "origin": card.origin,
        "licence": card.licence,
        "domains": domains,
        "notes": notes,
        "transfer": {
            "top": min(top, len(loaded.rows)),
            "matrix": {
                source: {target: one._asdict() for target, one in row.items()}
                for source, row in matrix.items()
            },
        },
    }
    return Done(result=result)


def _about(name: str, card: TableCard, loaded: LookupTable, spec: Mapping[str, Any]) -> dict[str, Any]:
    test = loaded.test[name]
    sources = _sources(name, spec)
    exact = {
        feedback: {
            str(budget): expected_best(_seen(name, sources, feedback, loaded), test, budget)
            for budget in spec["budgets"]
            if budget <= len(test)
        }
        for feedback in ("validation", "test")
    }
    return {
        "best": {"validation": float(loaded.validation[name].max()), "test": float(test.max())},
        "mean": float(test.mean()),
        "sd": float(test.std()),
        "unit": card.unit_of(name),
        "higher_is_better": card.domains[name].higher_is_better,
        "random": exact,
    }


def _sources(name: str, spec: Mapping[str, Any]) -> list[str]:
    """Returns the domains that a search for a held-out `name` sees; none where it sees `name` itself."""
    return [one for one in spec["domains"] if one != name] if name in spec.get("held_out", []) else []


def _seen(name: str, sources: Sequence[str], feedback: str, loaded: LookupTable) -> NDArray[np.float64]:
    """Returns the scores that a search sees, shape (rows,)."""
    if not sources:
        return loaded.column(name, feedback)
    return standardised_mean([loaded.column(source, feedback) for source in sources])


def _choices(name: str, sources: Sequence[str], loaded: LookupTable) -> dict[str, Any]:
    """Returns what the held-out domain makes of the best row of each source, and of all of them together."""
    return {
        feedback: {
            "all": choose(_seen(name, sources, feedback, loaded), loaded.test[name])._asdict(),
            "sources": {
                source: choose(loaded.column(source, feedback), loaded.test[name])._asdict()
                for source in sources
            },
        }
        for feedback in ("validation", "test")
    }


def lookup(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Runs one searcher on one domain, once per seed."""
    spec = unit.spec
    card, path = _found(spec["table"], needs.place)
    loaded = _loaded(spec["table"], path)
    sources: list[str] = spec.get("sources", [])
    space = bound_space(card.domains[spec["domain"]].space or card.space)
    if card.partial:
        space = ListedSpace(space, loaded.rows)
    entry: SearcherEntry = catalog.load("searcher", spec["searcher"])
    known = read_proxies(needs) if entry.proxy else None
    client = language_model(unit, needs.place, folder) if entry.needs_llm else None
    gates = gates_of(spec)
    scores = _seen(spec["domain"], sources, spec["feedback"], loaded)

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
            score_name=_score_name(card, spec),
            **gates,
            proxies=known,
            client=client,
        )
        searcher = entry.build(context)
        result = run_search(searcher, space, evaluate, budget=context.budget, **gates)
        total.update(result.report.get("counters", {}))
        searches.append(_search(seed, result, loaded, unit, client))
    seconds = perf_counter() - started
    parts: dict[str, Any] = {}
    if client is not None:
        parts = {"llm": client.seconds, "evaluation": seconds - client.seconds}
        parts["llm by iteration"] = getattr(searcher, "seconds", [])
    return Done(result={"searches": searches, "counters": dict(sorted(total.items()))}, seconds=parts)


def _search(
    seed: int, result: SearchResult, loaded: LookupTable, unit: Unit, client: Client | None
) -> dict[str, Any]:
    spec = unit.spec
    rows = [(at, loaded.rows[one.architecture], one.fitness) for at, one in _incumbents(result.history)]
    domain = spec["domain"]
    return {
        "seed": seed,
        "evaluations": len(result.history),
        "over_limit": sum(one.over_limit for one in result.history),
        "stopped": result.stopped,
        "incumbents": [
            [
                at,
                row,
                fitness if "sources" in spec else float(loaded.validation[domain][row]),
                float(loaded.test[domain][row]),
            ]
            for at, row, fitness in rows
        ],
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


def _found(name: str, place: Place) -> tuple[TableCard, Path]:
    card_path = catalog.files("table")[name]
    card = read_card(card_path)
    return card, find_table(card, (*place.tables, card_path.parent))


def _loaded(name: str, path: Path) -> LookupTable:
    return load_table(path, catalog.files("table")[name])
