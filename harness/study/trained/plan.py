"""The units of a suite that trains: domains, supernets, searches, finals and scores."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness import catalog
from harness.errors import HarnessError
from harness.identity.unit import AnyUnit, Unit
from harness.learn.baseline import (
    Baseline,
    FixedBaseline,
    ReadyBaseline,
    TunedBaseline,
    is_seedless,
    is_trained,
)
from harness.study.plan import Plan, distinct, members, planned, prepare_unit, resolve_searcher
from harness.study.settings import TaskSettings
from harness.study.trained.plan_zero_shot import ZeroShotPlan, with_tasks
from harness.study.trained.results import Final
from harness.study.trained.settings import Suite
from harness.study.trained.units import (
    FINAL,
    SCORE,
    SEARCH,
    TUNE,
    FinalSpec,
    ScoreSpec,
    SearchSpec,
    SelectedSpec,
    TuneSpec,
)
from harness.study.work.matched import load_family, split_space
from harness.study.work.specs import planned_task, shortened, supernet_spec, training_spec, with_domains
from harness.study.work.units import PROXIES, SUPERNET, ProxiesSpec, SupernetSpec
from harness.task.selection import CROSS_VALIDATION, DEFAULT_SELECTION, ORACLE
from harness.task.task import Task

PROXY_POOL = 300
"""Architectures that a proxy scores; every search draws its candidates from them."""


def plan_trained(name: str, suite: Suite, *, limit: int | None, tables: tuple[Path, ...]) -> Plan:
    """Returns the plan of `suite`, which reads no table.

    Raises:
        UnknownNameError: a task, domain, space, preset, searcher or baseline does not exist.
        HarnessError: a domain is source and held out at once.
    """
    filled = replace(
        suite,
        tasks=[shortened(with_domains(task), limit) for task in suite.tasks],
        zero_shot=[with_tasks(board) for board in suite.zero_shot],
    )
    units: list[AnyUnit] = []
    for settings in filled.tasks:
        if CROSS_VALIDATION in suite.selection and len(settings.sources) < 2:
            raise HarnessError(
                f"{CROSS_VALIDATION} needs two sources, and task {settings.name!r} has {settings.sources}."
            )
        units += _TaskPlan(filled, settings, limit).units()
    table = asdict(filled)
    tasks = [planned_task(task) for task in filled.tasks]
    # Scores say what chance is where nothing was trained.
    boards = [asdict(one) | {"sources": [], "chance": None} for one in filled.zero_shot]
    table["tasks"] = [*tasks, *boards]
    del table["zero_shot"]
    return Plan(name=name, suite=filled, table=table, limit=limit, units=distinct(units))


class _TaskPlan:
    def __init__(self, suite: Suite, settings: TaskSettings, limit: int | None) -> None:
        self.suite = suite
        self.settings = settings
        self.task: Task = catalog.load("task", settings.name)
        self.sized: dict[str, Any] = {
            "task": settings.name,
            "tuned_space": suite.tuned_space,
            "parameter_tolerance": suite.search.parameter_tolerance,
        }
        self.common: dict[str, Any] = {**self.sized, "sources": tuple(settings.sources), "limit": limit}
        self.validated: dict[str, Any] = {
            **self.common,
            "validation_samples": settings.validation_samples,
            "document_bytes": settings.document_bytes,
        }
        domains = (*settings.sources, *settings.held_out)
        self.prepared = {domain: prepare_unit(settings.name, domain) for domain in domains}
        self.source_hashes = tuple(self.prepared[domain].hash for domain in settings.sources)
        self.zero_shot = [
            ZeroShotPlan(board) for board in suite.zero_shot if board.trained_on == settings.name
        ]

    def units(self) -> Iterator[AnyUnit]:
        yield from self.prepared.values()
        for board in self.zero_shot:
            yield from board.prepared.values()
        for method, space in self._rows():
            for select, report in self._roles(method):
                chosen = self._searched(method, space, select) if space else self._tuned(method, select)
                yield from chosen
                plain = self._final(method, space, select, report, [unit.hash for unit in chosen[-1:]])
                yield plain
                for rule in self.suite.selection:
                    final = plain if rule == DEFAULT_SELECTION else self._selected(plain, rule)
                    yield final
                    yield from self._scores(final, plain)
                    if rule != ORACLE:  # it would need answers to choose by
                        for board in self.zero_shot:
                            yield from board.scores(final)

    def _baseline(self, method: str) -> Baseline | None:
        """Returns the baseline of a row; None where the row is a searcher's."""
        return None if method in self.suite.searchers else catalog.load("baseline", method)

    def _rows(self) -> Iterator[tuple[str, str | None]]:
        searched = None
        for name in self.suite.baselines:
            baseline = catalog.load("baseline", name)
            if isinstance(baseline, TunedBaseline):
                searched = (baseline.searcher, self.suite.tuned_space)
                yield name, self.suite.tuned_space
            elif (
                not isinstance(baseline, FixedBaseline | ReadyBaseline)
                or self.task.signature.kind in baseline.kinds
            ):
                yield name, None
        for space in self.suite.spaces:
            for searcher in self.suite.searchers:
                if (searcher, space) != searched:
                    yield searcher, space

    def _roles(self, method: str) -> list[tuple[int, int]]:
        """Each seed selects once and reports once, for another; what no seed changes has one role."""
        seeds = self.suite.seeds
        roles = list(zip(seeds, [*seeds[1:], seeds[0]], strict=True))
        is_fixed = method in self.suite.baselines and is_seedless(catalog.load("baseline", method))
        return roles[:1] if is_fixed else roles

    def _searched(self, method: str, space: str, seed: int) -> list[AnyUnit]:
        """Returns a search, and before it what it reads: a supernet, and proxies where it uses them."""
        baseline, settings = self._baseline(method), self.suite.search
        name = baseline.searcher if isinstance(baseline, TunedBaseline) else method
        searcher, entry, options = resolve_searcher(settings, name)
        place = f"{split_space(space)[0]}:{load_family(space)[1]}"
        trained = supernet_spec(self.settings, place)
        supernet = SupernetSpec(**self.common, space=place, seed=seed, **trained)
        read: list[AnyUnit] = [planned(SUPERNET, supernet, needs=self.source_hashes)]
        if entry.proxy is not None:
            proxies = ProxiesSpec(**self.sized, proxy=entry.proxy, space=place, pool=PROXY_POOL, seed=0)
            read.append(planned(PROXIES, proxies))
        spec = SearchSpec(
            **self.validated,
            space=place,
            searcher=searcher,
            seed=seed,
            evaluations=settings.evaluations,
            options=options,
            mac_limit=settings.mac_limit,
            target=settings.target,
            llm=self.suite.llm if entry.needs_llm else None,
            racing=settings.racing,
            calibration_batches=settings.calibration_batches,
        )
        proxied = (unit.hash for unit in read[1:])
        return [*read, planned(SEARCH, spec, needs=(read[0].hash, *self.source_hashes, *proxied))]

    def _tuned(self, method: str, seed: int) -> list[AnyUnit]:
        """Returns the trials of a tuned fixed baseline; none for every other baseline."""
        baseline = catalog.load("baseline", method)
        if not isinstance(baseline, FixedBaseline) or not baseline.is_tuned:
            return []
        trials = self.suite.search.evaluations
        if trials < 1:
            raise HarnessError(
                f"Baseline {method!r} is tuned in search.evaluations trials, and the suite has {trials}; "
                "set at least 1."
            )
        training = training_spec(self.settings)
        spec = TuneSpec(
            **self.validated | {"parameter_tolerance": None},
            method=method,
            space=None,
            seed=seed,
            evaluations=trials,
            learning_rate=training.pop("learning_rates")[0],
            **training,
        )
        return [planned(TUNE, spec, needs=self.source_hashes)]

    def _final(
        self, method: str, space: str | None, select: int, report: int, needs: list[str]
    ) -> Unit[FinalSpec, Final]:
        baseline, training = self._baseline(method), training_spec(self.settings)
        if baseline is not None and not is_trained(baseline):
            training = {}
        if isinstance(baseline, FixedBaseline) and baseline.is_tuned:
            del training["learning_rates"]  # its trials choose one
        spec = FinalSpec(
            **self.validated,
            method=method,
            space=space,
            select_seed=select,
            report_seed=report,
            selection=DEFAULT_SELECTION,
            keeps_every_rate=ORACLE in self.suite.selection,
            **training,
        )
        return planned(FINAL, spec, needs=(*needs, *self.source_hashes))

    @staticmethod
    def _selected(plain: Unit[FinalSpec, Final], rule: str) -> Unit[FinalSpec, Final]:
        """Returns the same row under another rule; an oracle chooses among what `plain` trained."""
        spec = replace(plain.spec, selection=rule, keeps_every_rate=False)
        return planned(FINAL, spec, needs=(plain.hash,) if rule == ORACLE else plain.needs)

    def _scores(self, final: Unit[FinalSpec, Final], plain: Unit[FinalSpec, Final]) -> Iterator[AnyUnit]:
        """Yields the scores of `final`; an oracle's are those of what `plain` trained."""
        trained = (plain.hash, final.hash) if final.spec.selection == ORACLE else (final.hash,)
        for domain, prepared in self.prepared.items():
            spec = ScoreSpec(
                **members(final.spec, SelectedSpec),
                domain=domain,
                role="source" if domain in self.settings.sources else "held_out",
                samples=self.settings.test_samples,
                document_bytes=self.settings.document_bytes,
            )
            yield planned(SCORE, spec, needs=(*trained, prepared.hash))
