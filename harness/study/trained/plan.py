"""The units of a suite that trains: domains, supernets, searches, finals and scores."""

import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from harness import catalog
from harness.errors import HarnessError
from harness.identity.unit import AnyUnit, Unit
from harness.learn.baseline import (
    Baseline,
    DrawnBaseline,
    FixedBaseline,
    ReadyBaseline,
    is_seedless,
    is_trained,
)
from harness.learn.modality import modality_of
from harness.study.cost import Costs
from harness.study.opening import Openings, opened_by, openings_of
from harness.study.plan import Plan, distinct, endpoint_unit, members, planned, prepare_unit, resolve_searcher
from harness.study.published import factors_of, kept
from harness.study.settings import ALONE, STEPS_PER_SAMPLE, RecipeSettings, TaskSettings
from harness.study.trained.cost import trial
from harness.study.trained.results import Final
from harness.study.trained.settings import Suite
from harness.study.trained.units import (
    FINAL,
    SCORE,
    SEARCH,
    SHORTER,
    TUNE,
    FinalSpec,
    ScoreSpec,
    SearchSpec,
    SelectedSpec,
    TuneSpec,
    Variant,
)
from harness.study.trained.zero_shot import ZeroShotPlan, with_tasks
from harness.study.work.matched import full_name
from harness.study.work.specs import (
    folds_of,
    planned_task,
    scored_of,
    shortened,
    supernet_spec,
    training_spec,
    with_domains,
)
from harness.study.work.units import (
    INHERITED,
    PROXIES,
    SCRATCH,
    SUPERNET,
    InheritedSpec,
    ProxiesSpec,
    ScratchSpec,
    SourcesSpec,
    Supernet,
    SupernetSpec,
)
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
        tasks=[
            shortened(task if isinstance(task.held_out, str) else with_domains(task, suite.opens), limit)
            for task in suite.tasks
        ],
        zero_shot=[with_tasks(board, suite.opens) for board in suite.zero_shot],
    )
    table = asdict(filled)
    tasks = [planned_task(task, suite.opens) for task in filled.tasks]
    # Scores say what chance is where nothing was trained.
    elsewhere = [asdict(one) | {"sources": [], "chance": None} for one in filled.zero_shot]
    table["tasks"] = boards = [*tasks, *elsewhere]
    table["published"] = [asdict(row) for row in kept(suite.published, factors_of(boards))]
    del table["zero_shot"]
    units = list(_units(filled, limit, {}))
    openings = openings_of(suite.opens, table, units)
    if openings:
        units = [*openings.values(), *_units(filled, limit, openings)]
    return Plan(name=name, suite=filled, table=table, limit=limit, units=distinct(units))


def _units(suite: Suite, limit: int | None, openings: Openings) -> Iterator[AnyUnit]:
    for settings in suite.tasks:
        in_turn = isinstance(settings.held_out, str)
        boards = [one.name for one in suite.zero_shot if one.trained_on == settings.name]
        if in_turn and boards:
            raise HarnessError(
                f"Task {settings.name!r} holds out {settings.held_out} in turn, which trains several "
                f"networks a row, and zero_shot {boards[0]!r} scores one; list held_out, or leave it out."
            )
        for fold in folds_of(settings, suite.opens):
            if CROSS_VALIDATION in suite.selection and len(fold.sources) < 2:
                raise HarnessError(
                    f"{CROSS_VALIDATION} needs two sources, and task {settings.name!r} has {fold.sources}."
                )
            out = tuple(fold.held_out) if in_turn else ()
            yield from _TaskPlan(suite, fold, limit, out, openings).units()


class _TaskPlan:
    def __init__(
        self,
        suite: Suite,
        settings: TaskSettings,
        limit: int | None,
        fold: tuple[str, ...],
        openings: Openings,
    ) -> None:
        self.suite = suite
        self.fold = fold
        self.settings = settings
        self.costs = Costs(())
        self.task: Task = catalog.load("task", settings.name)
        self.sized: dict[str, Any] = {
            "task": settings.name,
            "tuned_space": suite.tuned_space,
            "parameter_tolerance": suite.search.parameter_tolerance,
            "context": settings.context,
        }
        self.common: dict[str, Any] = {**self.sized, "sources": tuple(settings.sources), "limit": limit}
        self.validated: dict[str, Any] = {
            **self.common,
            "validation_samples": settings.validation_samples,
            "document_bytes": settings.document_bytes,
        }
        domains = (*settings.sources, *settings.held_out)
        self.prepared = {domain: prepare_unit(settings.name, domain) for domain in domains}
        self.data = {
            domain: (unit.hash, *opened_by(openings, settings.name, domain))
            for domain, unit in self.prepared.items()
        }
        self.source_hashes = tuple(one for domain in settings.sources for one in self.data[domain])
        self.zero_shot = [
            ZeroShotPlan(board, openings) for board in suite.zero_shot if board.trained_on == settings.name
        ]

    def units(self) -> Iterator[AnyUnit]:
        yield from self.prepared.values()
        for board in self.zero_shot:
            yield from board.prepared.values()
        yield from self._ranked()
        rows = list(self._rows())
        reference = next((row for row in rows if row[0] == self.suite.reference), None)
        for row in rows:
            for variant in ("", *(self._variants(row[0]) if row == reference else ())):
                yield from self._row(*row, variant)

    def _row(self, method: str, space: str | None, variant: Variant) -> Iterator[AnyUnit]:
        for select, report in self._roles(method, variant):
            chosen = self._chosen(method, space, select)
            yield from chosen
            needs = [unit.hash for unit in chosen[-1:]]
            plain = self._final(method, space, select, report, needs, variant)
            yield plain
            for rule in self.suite.selection:
                final = plain
                if rule != DEFAULT_SELECTION:  # an oracle chooses among what `plain` trained
                    spec = replace(plain.spec, selection=rule, keeps_every_rate=False)
                    final = planned(FINAL, spec, needs=(plain.hash,) if rule == ORACLE else plain.needs)
                yield final
                yield from self._scores(final, plain)
                if rule != ORACLE and not variant:  # an oracle would need answers to choose by
                    for board in self.zero_shot:
                        yield from board.scores(final)

    def _variants(self, method: str) -> Iterator[Variant]:
        """Yields how the reference stands once more; what no seed changes would be the same."""
        if not self._is_seedless(method):
            if self.suite.again:
                yield "again"
            baseline = self._baseline(method)
            if self.suite.in_domain_line and (baseline is None or is_trained(baseline)):
                yield from SHORTER
            if self.suite.control and modality_of(self.task.signature.kind).form == "image":
                yield "augmented"

    def _baseline(self, method: str) -> Baseline | None:
        """Returns the baseline of a row; None where the row is a searcher's."""
        return None if method in self.suite.searchers else catalog.load("baseline", method)

    def _rows(self) -> Iterator[tuple[str, str | None]]:
        for name in self.suite.baselines:
            baseline = catalog.load("baseline", name)
            if isinstance(baseline, DrawnBaseline):
                every = [baseline.space] if baseline.space else [*self.suite.spaces, self.suite.tuned_space]
                yield from ((name.partition(":")[0], space) for space in dict.fromkeys(every) if space)
            elif (
                not isinstance(baseline, FixedBaseline | ReadyBaseline)
                or self.task.signature.kind in baseline.kinds
            ):
                yield name, None
        for space in self.suite.spaces:
            for searcher in self.suite.searchers:
                yield searcher, space

    def _roles(self, method: str, variant: Variant) -> list[tuple[int, int]]:
        """Each seed selects once and reports once, for another; what no seed changes has one role."""
        seeds = [seed + OTHER_SEEDS * (variant == "again") for seed in self.suite.seeds]
        roles = list(zip(seeds, [*seeds[1:], seeds[0]], strict=True))
        return roles[:1] if self._is_seedless(method) else roles

    def _is_seedless(self, method: str) -> bool:
        return method in self.suite.baselines and is_seedless(catalog.load("baseline", method))

    def _chosen(self, method: str, space: str | None, seed: int) -> list[AnyUnit]:
        """Returns what chooses a row's network, the last unit; nothing where it is fixed, or drawn."""
        if space is None:
            return self._tuned(method, seed)
        return [] if self._baseline(method) else self._searched(method, space, seed)

    @cached_property
    def _searching(self) -> float:
        """Multiply-accumulates of supernet and search, where they are dearest; 0 without a search."""
        dearest = 0.0
        for space in self.suite.spaces:
            for searcher in self.suite.searchers:
                units = self._searched(searcher, space, self.suite.seeds[0])
                dearest = max(dearest, sum(map(self.costs.macs, units)))
        return dearest

    def _searched(self, method: str, space: str, seed: int) -> list[AnyUnit]:
        """Returns a search, and before it what it reads: a supernet, and proxies where it uses them."""
        settings = self.suite.search
        searcher, entry, options = resolve_searcher(settings, method)
        place = full_name(space)
        read: list[AnyUnit] = [*self._supernet(place, seed)]
        alone = {} if read else supernet_spec(self.settings, place) | {"halving": settings.training == "asha"}
        alone.pop("strategy", None)
        read += endpoint_unit(entry, self.suite.llm)
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
            **alone,
        )
        needs = (*(unit.hash for unit in read), *self.source_hashes)
        return [*read, planned(SEARCH, spec, needs=needs)]

    def _supernet(self, place: str, seed: int) -> Iterator[Unit[SupernetSpec, Supernet]]:
        """Yields the supernet that a search of this seed reads, where candidates are not trained alone."""
        trained = supernet_spec(self.settings, place)
        if trained.get("strategy") != ALONE:
            first = self.suite.seeds[0] if self.suite.search.shared_supernet else seed
            spec = SupernetSpec(**self.common, space=place, seed=first, **trained)
            yield planned(SUPERNET, spec, needs=self.source_hashes)

    def _ranked(self) -> Iterator[AnyUnit]:
        """Yields what says how well slices rank: scores of drawn ones, and the training of each alone.

        A released supernet was trained for longer than is trained here, and is not asked.
        """
        drawn = {**self.validated, "architectures": self.suite.search.rank_architectures}
        for space in self.suite.spaces if drawn["architectures"] else ():
            place = full_name(space)
            supernets = [one for seed in self.suite.seeds for one in self._supernet(place, seed)]
            supernets = [one for one in supernets if not one.spec.checkpoint]
            for supernet in supernets:
                strategy, seed = str(supernet.spec.strategy), supernet.spec.seed
                slices = InheritedSpec(**drawn | {"space": place}, strategy=strategy, seed=seed)
                yield supernet
                yield planned(INHERITED, slices, needs=(supernet.hash, *self.source_hashes))
            for index in range(drawn["architectures"]) if supernets else ():
                alone = ScratchSpec(
                    **drawn | {"space": place} | training_spec(self.settings),
                    index=index,
                    seed=self.suite.seeds[0],
                )
                yield planned(SCRATCH, alone, needs=self.source_hashes)

    def _tuned(self, method: str, seed: int) -> list[AnyUnit]:
        """Returns the trials of a tuned fixed baseline; none for every other baseline."""
        baseline = catalog.load("baseline", method)
        if not isinstance(baseline, FixedBaseline) or baseline.budget != "trials":
            return []
        spec = TuneSpec(
            **self.validated | {"parameter_tolerance": None, "space": None},
            method=method,
            seed=seed,
            evaluations=1,
            strategy="asha" if self.suite.search.tuning == "asha" else None,
            **training_spec(self.settings),
        )
        return [planned(TUNE, replace(spec, evaluations=self._trials(spec)), needs=self.source_hashes)]

    def _trials(self, one: TuneSpec) -> int:
        """Returns how many trials like `one` cost what other rows do, rounded up, and two at least.

        Other rows train their finals at every rate; a tuned one has as many trials more, and one final.

        Raises:
            HarnessError: the suite searches nothing, and has no evaluations that say how many.
        """
        settings = self.suite.search
        if settings.trials or not self._searching:
            trials = settings.trials or settings.evaluations
            if trials < 1:
                raise HarnessError(
                    f"Baseline {one.method!r} has as many trials as searches cost, and this suite has no "
                    "search; say how many in search.trials."
                )
            return trials
        pilot = len(one.learning_rates) - 1
        return max(2, math.ceil(self._searching / trial(self.costs, one)) + pilot)

    def _longer(self, method: str, training: dict[str, Any]) -> int:
        """Returns the steps of a training that takes supernet and search of the suite beside its own.

        Raises:
            HarnessError: the suite searches nothing.
        """
        if not self._searching:
            raise HarnessError(
                f"Baseline {method!r} trains for as much longer as searches cost, and this suite has no "
                "search; leave it out, or set more training steps."
            )
        spec = SourcesSpec(**self.common, space=None)
        step = 3 * self.costs.alone(method, spec) * training["batch_size"] * len(training["learning_rates"])
        steps: int = training["steps"] + math.ceil(self._searching / step)
        limit = self.common["limit"]
        return min(steps, STEPS_PER_SAMPLE * limit) if limit else steps

    def _final(
        self,
        method: str,
        space: str | None,
        select: int,
        report: int,
        needs: list[str],
        variant: Variant,
    ) -> Unit[FinalSpec, Final]:
        baseline, training = self._baseline(method), training_spec(self.settings)
        if variant == "augmented":
            recipe: RecipeSettings = training["recipe"]
            more = (*recipe.augmentation, *self.suite.control)
            training["recipe"] = replace(recipe, augmentation=more)
        if baseline is not None and not is_trained(baseline):
            training = {"context": 0}  # it reads no windows
        if isinstance(baseline, FixedBaseline) and baseline.budget == "trials":
            del training["learning_rates"]  # its trials choose one
        if isinstance(baseline, FixedBaseline) and baseline.budget == "steps":
            training["steps"] = self._longer(method, training)
        if variant in SHORTER:
            training["steps"] = max(1, training["steps"] // SHORTER[variant])
        spec = FinalSpec(
            **self.validated | training,
            method=method,
            space=space,
            select_seed=select,
            report_seed=report,
            selection=DEFAULT_SELECTION,
            variant=variant,
            keeps_every_rate=ORACLE in self.suite.selection,
        )
        return planned(FINAL, spec, needs=(*needs, *self.source_hashes))

    def _scores(self, final: Unit[FinalSpec, Final], plain: Unit[FinalSpec, Final]) -> Iterator[AnyUnit]:
        """Yields the scores of `final`; an oracle's are those of what `plain` trained."""
        trained = (plain.hash, final.hash) if final.spec.selection == ORACLE else (final.hash,)
        for domain, data in self.data.items():
            spec = ScoreSpec(
                **members(final.spec, SelectedSpec),
                **scored_of(self.settings, domain, is_oracle=final.spec.selection == ORACLE),
                domain=domain,
                role="source" if domain in self.settings.sources else "held_out",
                fold=self.fold,
            )
            yield planned(SCORE, spec, needs=(*trained, *data))
