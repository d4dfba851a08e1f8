"""The units of a suite that trains: domains, supernets, searches, finals and scores."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness import catalog
from harness.errors import HarnessError
from harness.identity.unit import AnyUnit, Unit
from harness.learn.baseline import FixedBaseline, ReadyBaseline, TunedBaseline, is_seedless, is_trained
from harness.study.plan import Plan, distinct, members, planned, prepare_unit, resolve_searcher
from harness.study.settings import TaskSettings
from harness.study.trained.plan_zero_shot import ZeroShotPlan, with_tasks
from harness.study.trained.results import Final, Search, Tuned
from harness.study.trained.settings import Suite
from harness.study.trained.units import (
    FINAL,
    SCORE,
    SEARCH,
    TUNE,
    FinalSpec,
    Role,
    ScoreSpec,
    SearchSpec,
    SelectedSpec,
    TuneSpec,
    Variant,
)
from harness.study.work.matched import load_family, split_space
from harness.study.work.specs import planned_task, shortened, supernet_spec, training_spec, with_domains
from harness.study.work.units import PROXIES, SUPERNET, ProxiesSpec, Supernet, SupernetSpec
from harness.task.selection import CROSS_VALIDATION, DEFAULT_SELECTION, ORACLE
from harness.task.task import Task

OTHER_SEEDS = 1000
"""What is added to the seeds of a suite for those that the reference is trained under again."""
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
    """The units of one task."""

    def __init__(self, suite: Suite, settings: TaskSettings, limit: int | None) -> None:
        self.suite = suite
        self.settings = settings
        self.task: Task = catalog.load("task", settings.name)
        self.sources = tuple(settings.sources)
        tolerance = suite.search.parameter_tolerance
        sized = {"tuned_space": suite.tuned_space, "parameter_tolerance": tolerance}
        self.common: dict[str, Any] = {
            "task": settings.name,
            "sources": self.sources,
            "limit": limit,
            **sized,
        }
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
        rows = list(self._rows())
        reference = next((row for row in rows if row[0] == self.suite.reference), None)
        for row in rows:
            yield from self._row(*row, "")
            for variant in self._variants(row[0]) if row == reference else ():
                yield from self._row(*row, variant)

    def _row(self, method: str, space: str | None, variant: Variant) -> Iterator[AnyUnit]:
        for select, report in self._roles(method, variant):
            needs = []
            if space is not None:
                supernet = self._supernet(space, select)
                search = self._search(method, space, select, supernet)
                needs = [search.hash]
                yield supernet
                yield from self._proxies_of(method, supernet.spec.space)
                yield search
            elif (tune := self._tune(method, select)) is not None:
                needs = [tune.hash]
                yield tune
            plain = self._final(method, space, select, report, needs, variant)
            yield plain
            for rule in self.suite.selection:
                final = plain if rule == DEFAULT_SELECTION else self._selected(plain, rule)
                yield final
                yield from self._scores(final, plain)
                if rule != ORACLE and not variant:  # an oracle would need answers to choose by
                    for board in self.zero_shot:
                        yield from board.scores(final)

    def _variants(self, method: str) -> Iterator[Variant]:
        """Yields what of the reference stands once more; what no seed changes would be the same."""
        if not self._is_seedless(method):
            if self.suite.again:
                yield "again"
            if self.suite.control and self.task.signature.kind == "image":
                yield "augmented"

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

    def _roles(self, method: str, variant: Variant) -> list[tuple[int, int]]:
        """Each seed selects once and reports once, for another; what no seed changes has one role."""
        seeds = [seed + OTHER_SEEDS * (variant == "again") for seed in self.suite.seeds]
        roles = list(zip(seeds, [*seeds[1:], seeds[0]], strict=True))
        return roles[:1] if self._is_seedless(method) else roles

    def _is_seedless(self, method: str) -> bool:
        return method in self.suite.baselines and is_seedless(catalog.load("baseline", method))

    def _supernet(self, space: str, seed: int) -> Unit[SupernetSpec, Supernet]:
        name, preset = split_space(space)[0], load_family(space)[1]
        if self.suite.search.shared_supernet:
            seed = self.suite.seeds[0]
        spec = SupernetSpec(
            **self.common,
            space=f"{name}:{preset}",
            seed=seed,
            **supernet_spec(self.settings, f"{name}:{preset}"),
        )
        return planned(SUPERNET, spec, needs=self.source_hashes)

    def _search(
        self, method: str, space: str, seed: int, supernet: Unit[SupernetSpec, Supernet]
    ) -> Unit[SearchSpec, Search]:
        baseline = None if method in self.suite.searchers else catalog.load("baseline", method)
        searcher = baseline.searcher if isinstance(baseline, TunedBaseline) else method
        searcher, entry, options = resolve_searcher(self.suite.search, searcher)
        spec = SearchSpec(
            **self.validated,
            space=supernet.spec.space,
            searcher=searcher,
            seed=seed,
            evaluations=self.suite.search.evaluations,
            options=options,
            mac_limit=self.suite.search.mac_limit,
            target=self.suite.search.target,
            llm=self.suite.llm if entry.needs_llm else None,
            racing=self.suite.search.racing,
            calibration_batches=self.suite.search.calibration_batches,
        )
        needs = [supernet.hash, *self.source_hashes]
        if entry.proxy is not None:
            needs.append(self._proxies(entry.proxy, supernet.spec.space).hash)
        return planned(SEARCH, spec, needs=needs)

    def _proxies_of(self, method: str, space: str) -> Iterator[AnyUnit]:
        if method in self.suite.searchers:
            _, entry, _ = resolve_searcher(self.suite.search, method)
            if entry.proxy is not None:
                yield self._proxies(entry.proxy, space)

    def _proxies(self, proxy: str, space: str) -> AnyUnit:
        spec = ProxiesSpec(
            proxy=proxy,
            space=space,
            task=self.settings.name,
            parameter_tolerance=self.suite.search.parameter_tolerance,
            tuned_space=self.suite.tuned_space,
            pool=PROXY_POOL,
            seed=0,
        )
        return planned(PROXIES, spec)

    def _tune(self, method: str, seed: int) -> Unit[TuneSpec, Tuned] | None:
        """Returns the trials of a tuned fixed baseline; None for every other baseline."""
        baseline = catalog.load("baseline", method)
        if not isinstance(baseline, FixedBaseline) or not baseline.is_tuned:
            return None
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
        return planned(TUNE, spec, needs=self.source_hashes)

    def _final(
        self,
        method: str,
        space: str | None,
        select: int,
        report: int,
        needs: list[str],
        variant: Variant,
    ) -> Unit[FinalSpec, Final]:
        baseline = None if method in self.suite.searchers else catalog.load("baseline", method)
        settings = self.settings
        if variant == "augmented":
            recipe = settings.recipe
            more = (*recipe.augmentation, *self.suite.control)
            settings = replace(settings, recipe=replace(recipe, augmentation=more))
        training = training_spec(settings)
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
            variant=variant,
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
        roles: list[tuple[Role, str]] = [("source", domain) for domain in self.settings.sources]
        roles += [("held_out", domain) for domain in self.settings.held_out]
        for role, domain in roles:
            spec = ScoreSpec(
                **members(final.spec, SelectedSpec),
                domain=domain,
                role=role,
                samples=self.settings.test_samples,
                document_bytes=self.settings.document_bytes,
            )
            yield planned(SCORE, spec, needs=(*trained, self.prepared[domain].hash))
