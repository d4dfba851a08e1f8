"""The conformance kit behind `harness check`, and what the tests are parametrized over."""

import math
import random
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import catalog
from harness.errors import HarnessError
from harness.records import canonical_json
from harness.search import Limit, SearchContext, Searcher, SearcherEntry, SearchResult, run_search
from harness.space import Architecture, Choice, SearchSpace, SpaceFamily
from harness.task import Signature

if TYPE_CHECKING:
    from harness.llm import Client

SIGNATURES = (
    Signature(kind="image", classes=10),
    Signature(kind="bytes", classes=256),
)
TEXT = Signature(kind="text", classes=4)
BUDGET = 25
"""Evaluations of a searcher's check: more than most spend at random before they learn."""


class Finding(NamedTuple):
    """One claim about a catalog entry and whether it holds."""

    entry: str
    claim: str
    holds: bool
    detail: str


def check_entry(
    kind: str, name: str, data: Path, *, offline: bool, tables: tuple[Path, ...] = ()
) -> list[Finding]:
    """Returns the findings of every check that entries of `kind` must pass.

    Args:
        kind: of the entry.
        name: of the entry.
        data: the cache of domains.
        offline: fetch nothing.
        tables: folders where tables of published results lie.

    Raises:
        UnknownNameError: there is no such kind or entry.
    """
    catalog.files(kind)
    if kind == "task":
        from harness.data.quality import check_task

        findings = check_task(name, catalog.load("task", name), data, offline=offline)
        return [Finding(f"task {name}", one.claim, one.holds, one.detail) for one in findings]
    check = partial(_table, folders=tables, data=data, offline=offline) if kind == "table" else _CHECKS[kind]
    return list(_run(f"{kind} {name}", check, name))


def _run(entry: str, check: Callable[[str], Iterator[tuple[str, bool, str]]], name: str) -> Iterator[Finding]:
    if name not in catalog.names(entry.split()[0]):
        catalog.load(entry.split()[0], name)  # raises with near names
    try:
        for claim, holds, detail in check(name):
            yield Finding(entry, claim, holds, detail)
    except HarnessError as error:
        yield Finding(entry, "loads and runs", False, str(error))


def _space(name: str) -> Iterator[tuple[str, bool, str]]:
    import torch

    from harness.train import seeded

    family: SpaceFamily = catalog.load("space", name)
    for preset in (one for one in family.presets if one.startswith("micro")):
        for signature in (one for one in (*SIGNATURES, TEXT) if one.kind in family.kinds):
            space = family.space(preset, signature)
            where = f"{space.name} on {signature.kind}"
            draw = random.Random(0)
            chosen = [space.default(), *(space.sample(draw) for _ in range(5))]
            legal = all(space.legal(one) for one in chosen)
            yield f"{where} samples legal architectures", legal, f"{len(chosen)} drawn"
            window = family.matched(preset, signature, 0.05)
            fits = window.legal(window.sample(random.Random(0)))
            yield f"{where} samples within a parameter window", fits, f"{window.window}"
            back = all(space.from_json(space.to_json(one)) == one for one in chosen)
            yield f"{where} reads back its JSON", back, "to_json, then from_json"
            near = space.neighbours(chosen[0])
            fine = bool(near) and all(space.legal(one) for one in near)
            yield f"{where} has legal neighbours", fine, f"{len(near)} of the default"
            with seeded(0), torch.inference_mode():
                supernet = space.supernet()
                inputs = _inputs(signature)
                worst = max(_slice_error(space, supernet, one, inputs) for one in chosen)
                exact = all(_built(space, one) == space.parameters(one) for one in chosen)
            yield f"{where} counts its parameters", exact, "closed form equals the built module"
            yield (
                f"{where} slices equal stand-alone modules",
                worst <= 1e-5,
                f"largest difference {worst:.1e}",
            )


def _inputs(signature: Signature) -> Any:
    import torch

    if signature.kind != "image":
        return torch.randint(0, 256, (2, signature.context))
    return torch.randn(2, signature.channels, signature.height, signature.width)


def _slice_error(space: SearchSpace, supernet: Any, one: Architecture, inputs: Any) -> float:
    alone = space.slice(supernet, one)
    return float((alone(inputs) - supernet(inputs, space.route(one))).abs().max())


def _built(space: SearchSpace, one: Architecture) -> int:
    return sum(weight.numel() for weight in space.build(one).parameters())


def _searcher(name: str) -> Iterator[tuple[str, bool, str]]:
    yield from searcher_claims(catalog.load("searcher", name))


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
        client=scripted_client() if entry.needs_llm else None,
    )
    told = known or {}
    return run_search(
        _Modest(entry.build(context)),
        space,
        lambda one: told[one] if one in told else score(one),
        budget=budget,
        batch=batch,
        limit=limit,
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
        self.name = "toy"
        self.signature = SIGNATURES[0]
        self.window = window
        self.choices = tuple(Choice(name=name, options=(0, 1, 2), meaning="a number") for name in "ab")

    def default(self) -> Architecture:
        return (1, 1)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True, architecture[0] > 0)

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return {"x": list(architecture)}

    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        return self.canonical(value["x"])

    def json_schema(self) -> dict[str, Any]:
        return {"type": "object"}

    def parameters(self, architecture: Architecture) -> int:
        return sum(architecture)

    macs = parameters

    def card(self) -> str:
        return 'Two numbers, {"x": [1, 2]}'

    def build(self, architecture: Architecture) -> Any:
        raise NotImplementedError

    supernet = route = slice = build  # type: ignore[assignment]


def scripted_client() -> "Client":
    """Returns a language model that needs none: it answers from a fixed rule, for checks and tests."""
    from harness.llm.scripted import ScriptedClient

    return ScriptedClient()


def _baseline(name: str) -> Iterator[tuple[str, bool, str]]:
    from harness.model import FixedBaseline, ReadyBaseline, TunedBaseline
    from harness.train import seeded

    baseline = catalog.load("baseline", name)
    if isinstance(baseline, ReadyBaseline):
        yield "says what it was trained on", bool(baseline.outside), baseline.outside
        return
    if hasattr(baseline, "example"):
        baseline = baseline.named(baseline.example)
    if isinstance(baseline, TunedBaseline):
        catalog.load("searcher", baseline.searcher)
        yield "names a searcher that exists", True, baseline.searcher
    elif isinstance(baseline, FixedBaseline):
        for signature in (one for one in (*SIGNATURES, TEXT) if one.kind in baseline.kinds):
            wanted = 80_000
            with seeded(0):
                module = baseline.build(signature, wanted)
                shape = tuple(module(_inputs(signature)).shape)
            right = shape[-1] == signature.classes
            yield f"gives logits for {signature.kind}", right, f"shape {shape}"
            if baseline.is_matched:
                networks = [module, *(build(signature, wanted) for build in baseline.depths.values())]
                made = [sum(weight.numel() for weight in one.parameters()) for one in networks]
                close = all(abs(size / wanted - 1) < 0.25 for size in made)
                yield f"meets a parameter target for {signature.kind}", close, ", ".join(map(str, made))
    else:
        yield "is a floor with fit and restore", callable(baseline.fit) and callable(baseline.restore), ""


def _table(
    name: str, folders: tuple[Path, ...], data: Path, offline: bool
) -> Iterator[tuple[str, bool, str]]:
    from harness.data.card import read_card
    from harness.data.computed import load_computed
    from harness.data.fetch import archive_path
    from harness.data.lookup import bound_space, load_table, table_path

    place = catalog.files("table")[name]
    card = read_card(place)
    spaces = {space: bound_space(space).size() for space in map(card.space_of, card.domains) if space}
    one_size = card.computed or len(set(spaces.values())) <= 1
    named = ", ".join(spaces) or "its own"
    yield "names spaces that exist, all of one size unless scores are computed", bool(one_size), named
    yield "says its origin and licence", bool(card.origin and card.licence), card.licence
    try:
        path = table_path(card, (*folders, place.parent), data, offline=offline)
    except HarnessError as error:
        if card.package is not None and archive_path(card.package, data).is_file():
            raise  # it is there, and is not what the card pins
        yield "waits for its file", True, str(error)
        return
    if card.computed:
        computed = load_computed(path, place)
        yield "computes scores of each domain", bool(computed.surrogates), ", ".join(computed.surrogates)
        return
    loaded = load_table(path, place)
    more = f", {loaded.left_out} rows left out" if loaded.left_out else ""
    more += f", {loaded.averaged} repeats averaged" if loaded.averaged else ""
    yield "holds whole, finite and unique rows", bool(loaded.rows), f"{len(loaded.rows)} architectures{more}"
    if card.costs:
        yield "has its costs, or waits for their file", True, f"{len(loaded.costs)} of {len(card.costs)}"


def _suite(name: str) -> Iterator[tuple[str, bool, str]]:
    from harness.plan import make_plan, resolve_searcher
    from harness.suite import LookupSuite, load_suite

    suite = load_suite(name)[1]
    if isinstance(suite, LookupSuite):
        found = [resolve_searcher(suite.search, one)[0] for one in suite.searchers]
        catalog.files("table")[suite.table]
        yield "is valid and names searchers that exist", bool(found), ", ".join(found)
        return
    plan = make_plan(*load_suite(name))
    yield "is valid and plans", bool(plan.units), f"{len(plan.units)} units"


def _section(name: str) -> Iterator[tuple[str, bool, str]]:
    section = catalog.load("section", name)
    yield "has a title and renders", bool(section.title) and callable(section.render), section.title


_CHECKS: dict[str, Callable[[str], Iterator[tuple[str, bool, str]]]] = {
    "space": _space,
    "searcher": _searcher,
    "baseline": _baseline,
    "suite": _suite,
    "section": _section,
}
