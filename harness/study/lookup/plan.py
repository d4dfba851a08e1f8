"""The units of a suite on a table: the table itself, zero-cost proxies, and blocks of searches."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

from harness import catalog
from harness.data.table.card import CostLimit, TableCard, read_card
from harness.data.table.table import find_table, published_hash
from harness.errors import HarnessError
from harness.files import file_hash
from harness.identity.unit import AnyUnit
from harness.study.lookup.settings import LookupSuite
from harness.study.lookup.units import LOOKUP, TABLE, CostCut, LookupSpec, TableSpec
from harness.study.plan import Plan, distinct, endpoint_unit, planned, resolve_searcher
from harness.study.published import kept
from harness.study.settings import Need
from harness.study.work.units import PROXIES, ProxiesSpec

BLOCK = 50
"""Seeds of one unit, where no language model is asked."""
SPACE_COSTS = ("parameters", "macs")
"""Costs of the spaces of the catalog."""
PROXY_POOL = 4000
"""Architectures that a proxy scores; each search draws its candidates from them."""


def plan_lookup(name: str, suite: LookupSuite, *, limit: int | None, tables: tuple[Path, ...]) -> Plan:
    """Returns the plan of `suite`; raises as `make_plan` does."""
    if limit is not None and limit < 2:
        raise HarnessError("A look-up needs at least two seeds for an interval; give --limit 2 or more.")
    known = catalog.files("table")
    Need.known("table", [suite.table], known)
    path = known[suite.table]
    card = read_card(path)
    folders = (*tables, path.parent)
    sha256 = published_hash(card, folders)
    Need.known("domain", suite.domains, card.domains)
    domains = suite.domains or list(card.domains)
    filled = replace(suite, domains=domains, held_out=_held_out(suite, card, domains))
    spec = TableSpec(
        table=suite.table,
        sha256=sha256,
        domains=tuple(domains),
        budgets=tuple(sorted(set(suite.search.evaluations))),
        held_out=tuple(filled.held_out),
        cost_limit=_limited(suite.search.cost_limit, card, folders),
    )
    published = kept(suite.published, {name: abs(card.factor(name)) for name in card.domains})
    table = asdict(replace(filled, published=published))
    if not suite.search.cost_limit.cost:
        del table["search"]["cost_limit"]
    units = _units(filled, card, spec, limit)
    return Plan(name=name, suite=filled, table=table, limit=limit, units=distinct(units))


def _limited(limit: CostLimit, card: TableCard, folders: tuple[Path, ...]) -> CostCut | None:
    """Returns the limit as units have it; None where there is none."""
    if not limit.cost:
        return None
    known = [*card.costs, *(SPACE_COSTS if card.space or card.computed else ())]
    Need.known("cost", [limit.cost], known)
    file = card.costs[limit.cost].file if limit.cost in card.costs else ""
    if not file:
        return CostCut(**asdict(limit))
    path = find_table(card, folders).parent / file
    if not path.is_file():
        raise HarnessError(f"The cost {limit.cost!r} is in {path}, which is absent; put it beside the table.")
    return CostCut(**asdict(limit), sha256=card.hashes.get(file) or file_hash(path))


def _held_out(suite: LookupSuite, card: TableCard, domains: list[str]) -> list[str]:
    """Returns the domains that are reported alone, in the order of `domains`."""
    if not suite.held_out:
        return []
    if card.computed:
        raise HarnessError(
            f"The domains of table {suite.table!r} are spaces of their own, so none can be held out of a "
            "search on the others; remove held_out."
        )
    wanted = domains if suite.held_out == "each" else list(suite.held_out)
    Need.known("domain", wanted, domains)
    if len(domains) < 2:
        raise HarnessError("A search for a held-out domain needs another domain to see; name two or more.")
    return [domain for domain in domains if domain in wanted]


def _units(suite: LookupSuite, card: TableCard, table: TableSpec, limit: int | None) -> Iterator[AnyUnit]:
    table_unit = planned(TABLE, table)
    yield table_unit
    for name in suite.searchers:
        searcher, entry, options = resolve_searcher(suite.search, name)
        tried = endpoint_unit(entry, suite.llm)
        yield from tried
        needs = [unit.hash for unit in (table_unit, *tried)]
        if entry.proxy is not None:
            if not card.proxy_space:
                raise HarnessError(
                    f"Table {suite.table!r} names no proxy_space, which the proxy {entry.proxy} needs."
                )
            spec = ProxiesSpec(proxy=entry.proxy, space=card.proxy_space, pool=PROXY_POOL, seed=0)
            proxies = planned(PROXIES, spec)
            needs.append(proxies.hash)
            yield proxies
        repeats = suite.llm_repeats if entry.needs_llm else suite.repeats
        repeats = repeats if limit is None else min(repeats, limit)
        block = 1 if entry.needs_llm else BLOCK
        budgets = table.budgets[-1:] if entry.is_anytime else table.budgets
        for domain, feedback, budget, start in product(
            suite.reported, suite.feedback, budgets, range(0, repeats, block)
        ):
            others = tuple(one for one in suite.domains if one != domain)
            search = LookupSpec(
                table=suite.table,
                method=name,
                searcher=searcher,
                options=options,
                mac_limit=suite.search.mac_limit,
                target=suite.search.target,
                cost_limit=table.cost_limit,
                llm=suite.llm if entry.needs_llm else None,
                sources=others if suite.held_out else None,
                domain=domain,
                feedback=feedback,
                evaluations=budget,
                seeds=tuple(range(start, min(start + block, repeats))),
            )
            yield planned(LOOKUP, search, needs=needs)
