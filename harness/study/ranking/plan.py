"""The units of a suite on rank quality: supernets, what slices score, and each architecture trained alone."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.identity.unit import AnyUnit
from harness.study.plan import Plan, distinct, planned, prepare_unit
from harness.study.ranking.settings import RankingSuite
from harness.study.work.matched import full_name
from harness.study.work.specs import planned_task, shortened, supernet_spec, training_spec, with_domains
from harness.study.work.units import INHERITED, SCRATCH, SUPERNET, InheritedSpec, ScratchSpec, SupernetSpec


def plan_ranking(name: str, suite: RankingSuite, *, limit: int | None, tables: tuple[Path, ...]) -> Plan:
    """Returns the plan of `suite`, which reads no table; raises as `make_plan` does."""
    task = shortened(with_domains(suite.task), limit)
    filled = replace(suite, task=task, spaces=[full_name(space) for space in suite.spaces])
    table = asdict(filled) | {"task": planned_task(filled.task)}
    return Plan(name=name, suite=filled, table=table, limit=limit, units=distinct(_units(filled, limit)))


def _units(suite: RankingSuite, limit: int | None) -> Iterator[AnyUnit]:
    prepared = [prepare_unit(suite.task.name, domain) for domain in suite.task.sources]
    yield from prepared
    for space in suite.spaces:
        yield from _units_of(space, suite, limit, tuple(unit.hash for unit in prepared))


def _units_of(
    space: str, suite: RankingSuite, limit: int | None, sources: tuple[str, ...]
) -> Iterator[AnyUnit]:
    settings = suite.task
    common: dict[str, Any] = {
        "task": settings.name,
        "sources": tuple(settings.sources),
        "space": space,
        "tuned_space": suite.tuned_space,
        "parameter_tolerance": suite.parameter_tolerance,
        "limit": limit,
        "context": settings.context,
    }
    scoring: dict[str, Any] = {
        "architectures": suite.architectures,
        "validation_samples": settings.validation_samples,
        "document_bytes": settings.document_bytes,
    }
    for strategy in suite.strategies:
        for seed in suite.seeds:
            trained = {**supernet_spec(settings, space), "strategy": strategy}
            supernet = planned(SUPERNET, SupernetSpec(**common, **trained, seed=seed), needs=sources)
            yield supernet
            inherited = InheritedSpec(**common, **scoring, strategy=strategy, seed=seed)
            yield planned(INHERITED, inherited, needs=(supernet.hash, *sources))
    for index in range(suite.architectures):
        for seed in suite.seeds:
            scratch = ScratchSpec(**common, **scoring, **training_spec(settings), index=index, seed=seed)
            yield planned(SCRATCH, scratch, needs=sources)
