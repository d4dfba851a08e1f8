"""The conformance kit behind `harness check`, and what the tests are parametrized over."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import catalog
from harness.errors import HarnessError
from harness.search import SearchContext, SearcherEntry, run_search
from harness.space import Architecture, SearchSpace, SpaceFamily
from harness.task import Signature

if TYPE_CHECKING:
    from harness.llm import Client

SIGNATURES = (
    Signature(kind="image", classes=10),
    Signature(kind="bytes", classes=256),
)


class Finding(NamedTuple):
    """One claim about a catalog entry and whether it holds."""

    entry: str
    claim: str
    holds: bool
    detail: str


def check_entry(kind: str, name: str, data: Path, *, offline: bool) -> list[Finding]:
    """Returns the findings of every check that entries of `kind` must pass.

    Raises:
        UnknownNameError: there is no such kind or entry.
    """
    catalog.files(kind)
    if kind == "task":
        from harness.data.quality import check_task

        findings = check_task(name, catalog.load("task", name), data, offline=offline)
        return [Finding(f"task {name}", one.claim, one.holds, one.detail) for one in findings]
    return list(_run(f"{kind} {name}", _CHECKS[kind], name))


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
        for signature in (one for one in SIGNATURES if one.kind in family.kinds):
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

    if signature.kind == "bytes":
        return torch.randint(0, 256, (2, signature.context))
    return torch.randn(2, signature.channels, signature.height, signature.width)


def _slice_error(space: SearchSpace, supernet: Any, one: Architecture, inputs: Any) -> float:
    alone = space.slice(supernet, one)
    return float((alone(inputs) - supernet(inputs, space.route(one))).abs().max())


def _built(space: SearchSpace, one: Architecture) -> int:
    return sum(weight.numel() for weight in space.build(one).parameters())


def _searcher(name: str) -> Iterator[tuple[str, bool, str]]:
    entry: SearcherEntry = catalog.load("searcher", name)
    family: SpaceFamily = catalog.load("space", "hybrid")
    space = family.matched("micro", SIGNATURES[0], 0.05)

    def toy(architecture: Architecture) -> float | None:
        return None if sum(architecture) % 7 == 0 else sum(gene * gene for gene in architecture) / 100

    def path(budget: int) -> list[Architecture]:
        client = scripted_client() if entry.needs_llm else None
        context = SearchContext(
            space=space, seed=1, budget=budget, options=dict(entry.options), client=client
        )
        result = run_search(entry.build(context), space, toy, budget=budget)
        return [one.architecture for one in result.history]

    try:
        first, again = path(12), path(12)
    except ValueError as error:
        yield "proposes legal and new architectures", False, str(error)
        return
    yield "proposes legal and new architectures", True, f"{len(first)} evaluations, some of them failing"
    yield "spends exactly its budget", len(first) == 12, f"{len(first)} of 12"
    yield "takes the same path from the same seed", first == again, "two runs"


def scripted_client() -> "Client":
    """Returns a language model that needs none: it answers from a fixed rule, for checks and tests."""
    from harness.llm.scripted import ScriptedClient

    return ScriptedClient()


def _baseline(name: str) -> Iterator[tuple[str, bool, str]]:
    from harness.model import FixedBaseline, TunedBaseline
    from harness.train import seeded

    baseline = catalog.load("baseline", name)
    if isinstance(baseline, TunedBaseline):
        catalog.load("searcher", baseline.searcher)
        yield "names a searcher that exists", True, baseline.searcher
    elif isinstance(baseline, FixedBaseline):
        for signature in SIGNATURES:
            wanted = 80_000
            with seeded(0):
                module = baseline.build(signature, wanted)
                shape = tuple(module(_inputs(signature)).shape)
            made = sum(weight.numel() for weight in module.parameters())
            right = shape[-1] == signature.classes
            yield f"gives logits for {signature.kind}", right, f"shape {shape}"
            yield f"meets a parameter target for {signature.kind}", abs(made / wanted - 1) < 0.25, f"{made}"
    else:
        yield "is a floor with fit and restore", callable(baseline.fit) and callable(baseline.restore), ""


def _suite(name: str) -> Iterator[tuple[str, bool, str]]:
    from harness.plan import make_plan
    from harness.suite import load_suite

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
