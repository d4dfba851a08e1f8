"""The conformance kit behind `harness check`, and what the tests are parametrized over."""

from collections.abc import Callable, Iterator
from pathlib import Path

from harness import catalog
from harness.checks.claims import baseline_claims, metric_claims, modality_claims, table_claims
from harness.checks.finding import Finding
from harness.checks.searcher import searcher_claims
from harness.checks.section import section_claims
from harness.checks.space import space_claims
from harness.errors import HarnessError


def check_entry(
    kind: str, name: str, data: Path, *, offline: bool, tables: tuple[Path, ...] = ()
) -> list[Finding]:
    """Returns the findings of every check that entries of `kind` must pass.

    Raises:
        UnknownNameError: there is no such kind or entry.
    """
    if kind == "task":
        from harness.checks.task import check_task

        findings = check_task(name, catalog.load("task", name), data, offline=offline)
        return [one._replace(entry=f"task {name}") for one in findings]
    if name not in catalog.files(kind):
        catalog.load(kind, name)  # raises with near names
    found: list[Finding] = []
    try:
        claims = table_claims(name, tables, data, offline) if kind == "table" else _CHECKS[kind](name)
        found.extend(Finding(*claim, f"{kind} {name}") for claim in claims)
    except HarnessError as error:
        found.append(Finding("loads and runs", False, str(error), f"{kind} {name}"))
    return found


def _suite(name: str) -> Iterator[tuple[str, bool, str]]:
    from harness.study.study import load_study, make_plan
    from harness.study.suite import load_suite

    stem, suite = load_suite(name)
    if found := load_study(suite.study).names(suite):
        yield "is valid and names searchers that exist", True, ", ".join(found)
        return
    plan = make_plan(stem, suite)
    yield "is valid and plans", bool(plan.units), f"{len(plan.units)} units"


def _study(name: str) -> Iterator[tuple[str, bool, str]]:
    from harness.identity.code import module_file
    from harness.study.study import Study, load_study

    study = load_study(name)
    names = [kind.name for kind in study.kinds]
    absent = [kind.work for kind in study.kinds if module_file(kind.work.partition(":")[0]) is None]
    yield "is a study", isinstance(study, Study) and bool(study.summary), study.summary
    yield "has units, each of another name", len({*names}) == len(names) > 0, ", ".join(names)
    yield "has a module for the work of every unit", not absent, ", ".join(absent)


_CHECKS: dict[str, Callable[[str], Iterator[tuple[str, bool, str]]]] = {
    "space": space_claims,
    "searcher": lambda name: searcher_claims(catalog.load("searcher", name)),
    "baseline": baseline_claims,
    "suite": _suite,
    "study": _study,
    "section": section_claims,
    "metric": metric_claims,
    "modality": modality_claims,
}
