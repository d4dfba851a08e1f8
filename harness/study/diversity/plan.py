"""The units of a suite on diversity: domains, every training of its pools, and tables."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness import catalog
from harness.data.table.card import read_card
from harness.data.table.table import published_hash
from harness.errors import HarnessError
from harness.files import write_atomically
from harness.identity.unit import AnyUnit
from harness.seeds import generator
from harness.space.choices import SearchSpace
from harness.study.diversity.design import balanced, drawn, pure
from harness.study.diversity.registration import file_of, read_registration, registered, text_of
from harness.study.diversity.settings import Arm, DiversitySuite, PoolTask
from harness.study.diversity.units import (
    CELL,
    POOL_FLOOR,
    TABLE_POOL,
    CellSpec,
    PoolFloorSpec,
    TablePoolSpec,
)
from harness.study.opening import Openings, opened_by, openings_of
from harness.study.plan import Plan, distinct, planned, prepare_unit
from harness.study.settings import Need
from harness.study.work.matched import full_name, space_of_size
from harness.study.work.specs import planned_task, scored_of, shortened, training_spec, with_domains
from harness.task.task import Task

CONTROL = "control"
"""The arm of trainings with an effect that is known to be there."""


def plan_diversity(name: str, suite: DiversitySuite, *, limit: int | None, tables: tuple[Path, ...]) -> Plan:
    """Returns the plan of `suite`; raises as `make_plan` does."""
    task = suite.task
    if task is not None:
        cut = shortened(with_domains(task, suite.opens), limit)
        assert isinstance(cut, PoolTask)
        task = cut
    filled = replace(suite, task=task, arms=[replace(arm, space=full_name(arm.space)) for arm in suite.arms])
    table = asdict(filled)
    if task is not None:
        table["task"] = planned_task(task, suite.opens)
    read = list(_tables(suite, tables))
    pools = None if task is None else PoolPlan(filled, task, limit)
    units = [*read, *(pools.units() if pools else [])]
    found = read_registration(name, table, units) if suite.registered and limit is None else None
    openings = openings_of(suite.opens, table, units)
    if pools and (found or openings):
        units = [*openings.values(), *read, *pools.units(found.sha256 if found else "", openings)]
    table["registration"] = asdict(found) if found else None
    return Plan(name=name, suite=filled, table=table, limit=limit, units=distinct(units))


def register(plan: Plan) -> Path:
    """Writes what is registered of a plan beside its suite, and returns where.

    Raises:
        HarnessError: the suite is not to be registered, or was, or the plan is a limited one.
    """
    suite = plan.suite
    assert isinstance(suite, DiversitySuite)
    if not suite.registered or plan.limit is not None:
        why = "is limited" if plan.limit is not None else "does not say `registered = true`"
        raise HarnessError(f"The plan of {plan.name} {why}, so it is not registered.")
    path = file_of(plan.name)
    if path.exists():
        raise HarnessError(f"{path} is there already, and what is registered stays; see git for its age.")
    units = [] if suite.task is None else list(PoolPlan(suite, suite.task, None).units())
    write_atomically(path, text_of(registered(plan.name, plan.table, units, suite.opens)))
    return path


def refuse_unregistered(plan: Plan) -> None:
    """Raises a HarnessError where a plan that is to be registered is not."""
    suite = plan.suite
    assert isinstance(suite, DiversitySuite)
    if suite.registered and plan.limit is None and not plan.table["registration"]:
        raise HarnessError(
            f"{plan.name} trains nothing before its plan is registered; run `harness eval {plan.name} "
            "--register`, and commit the file that it writes."
        )


def _tables(suite: DiversitySuite, tables: tuple[Path, ...]) -> Iterator[AnyUnit]:
    known = catalog.files("table")
    Need.known("table", suite.tables, known)
    for name in suite.tables:
        card = read_card(known[name])
        if card.computed or len(card.domains) < 2:
            why = "has no rows" if card.computed else "has one domain"
            raise HarnessError(f"Table {name!r} {why}, so no architectures are compared on held-out domains.")
        sha256 = published_hash(card, (*tables, known[name].parent))
        yield planned(
            TABLE_POOL, TablePoolSpec(table=name, sha256=sha256, budget=suite.budget, margin=suite.margin)
        )


class PoolPlan:
    """The trainings of one task's pools."""

    def __init__(self, suite: DiversitySuite, settings: PoolTask, limit: int | None) -> None:
        source = suite.control_source
        if source and source in (*settings.sources, *settings.held_out):
            raise HarnessError(
                f"control_source is {source!r}, which the suite trains on or holds out; name another domain."
            )
        self.suite = suite
        self.settings = settings
        self.limit = limit
        self.registration = ""
        self.openings: Openings = {}
        task: Task = catalog.load("task", settings.name)
        self.signature = task.in_windows(settings.context).signature

    def units(self, registration: str = "", openings: Openings = MappingProxyType({})) -> Iterator[AnyUnit]:
        """Yields domains, the floor and trainings, with the hash of a registration and what opens domains."""
        self.registration, self.openings = registration, openings
        settings = self.settings
        domains = [prepare_unit(settings.name, name) for name in settings.sources]
        floor = PoolFloorSpec(
            task=settings.name,
            limit=self.limit,
            space=None,
            context=settings.context,
            sources=tuple(settings.sources),
            validation_samples=settings.validation_samples,
            document_bytes=settings.document_bytes,
            source_samples=settings.source_samples,
        )
        yield from domains
        yield planned(POOL_FLOOR, floor, needs=[unit.hash for unit in domains])
        for arm, index, seed in self._trainings():
            yield from self._cell(arm, index, self.architectures(arm)[index], seed, self.settings)
        yield from self._controls()

    def _trainings(self) -> Iterator[tuple[Arm, int, int]]:
        """Yields arm, architecture and seed of all; the first so many are a random part of every arm."""
        placed = []
        for arm in self.suite.arms:
            count = len(self.architectures(arm))
            draw = generator(0, "diversity", "order", arm.name)
            own = [(index, seed) for seed in arm.seeds for index in draw.permutation(count).tolist()]
            placed += [((place + 0.5) / len(own), arm, *one) for place, one in enumerate(own)]
        for _, arm, index, seed in sorted(placed, key=lambda one: one[0]):
            yield arm, index, seed

    def _controls(self) -> Iterator[AnyUnit]:
        suite, settings = self.suite, self.settings
        if not suite.control_architectures:
            return
        first = suite.arms[0]
        recipe = settings.recipe
        more = [*recipe.augmentation, *(one for one in suite.control if one not in recipe.augmentation)]
        sources = [*settings.sources, *([suite.control_source] if suite.control_source else [])]
        changed = replace(settings, recipe=replace(recipe, augmentation=tuple(more)), sources=sources)
        pool = self.architectures(first)[: suite.control_architectures]
        for index, architecture in enumerate(pool):
            for seed in first.seeds:
                yield from self._cell(replace(first, name=CONTROL), index, architecture, seed, changed)

    def _cell(
        self, arm: Arm, index: int, architecture: Mapping[str, Any], seed: int, settings: PoolTask
    ) -> Iterator[AnyUnit]:
        suite = self.suite
        domains = [prepare_unit(settings.name, name) for name in (*settings.sources, *settings.held_out)]
        yield from domains
        scored = scored_of(settings, settings.held_out[0], is_oracle=False)
        training = {key: value for key, value in training_spec(settings).items() if key != "learning_rates"}
        spec = CellSpec(
            **training,
            **self.sized(arm),
            limit=self.limit,
            sources=tuple(settings.sources),
            validation_samples=settings.validation_samples,
            document_bytes=settings.document_bytes,
            arm=arm.name,
            index=index,
            seed=seed,
            architecture=architecture,
            learning_rate=self._rate(arm, index, architecture),
            checkpoints=tuple(suite.checkpoints),
            decay=suite.decay,
            held_out=tuple(settings.held_out),
            splits=tuple(scored["splits"]),
            source_samples=settings.source_samples,
            samples=scored["samples"],
            groups=scored["groups"],
            bytes=scored["bytes"],
            checkpoint_bytes=settings.checkpoint_bytes if scored["bytes"] else None,
            scored_bytes=scored["document_bytes"],
            opens=tuple(suite.opens),
            registration=self.registration,
        )
        opened = [key for name in settings.held_out for key in opened_by(self.openings, settings.name, name)]
        yield planned(CELL, spec, needs=[*(unit.hash for unit in domains), *opened])

    def sized(self, arm: Arm) -> dict[str, Any]:
        """Returns what says how large an arm's networks may be."""
        return {
            "task": self.settings.name,
            "space": arm.space,
            "tuned_space": self.suite.arms[0].space,
            "parameter_tolerance": self.suite.parameter_tolerance,
            "context": self.settings.context,
        }

    def architectures(self, arm: Arm) -> list[dict[str, Any]]:
        """Returns the pool of an arm, in JSON form.

        Raises:
            HarnessError: the space has not so many, or no such families.
        """
        key = (arm.space, arm.design, arm.architectures)
        if key not in self._pools:
            first, tolerance = self.suite.arms[0].space, self.suite.parameter_tolerance
            space = space_of_size(arm.space, first, tolerance, self.signature)
            if arm.design == "drawn":
                self._pools[key] = drawn(space, arm.architectures, arm.name)
            else:
                families = families_of(space, self.suite.families)
                made = balanced if arm.design == "balanced" else pure
                self._pools[key] = made(space, arm.architectures, self.suite.families, families)
        return self._pools[key]

    @cached_property
    def _pools(self) -> dict[tuple[str, str, int], list[dict[str, Any]]]:
        return {}

    def _rate(self, arm: Arm, index: int, architecture: Mapping[str, Any]) -> float:
        if arm.learning_rates:
            return arm.learning_rates[index % len(arm.learning_rates)]
        rates = self.suite.rates
        if not rates:
            return self.settings.training.learning_rates[0]
        families = architecture[self.suite.families]
        Need.known("family with a rate", families, rates)
        return math.exp(sum(math.log(rates[one]) for one in families) / len(families))


def families_of(space: SearchSpace, key: str) -> tuple[str, ...]:
    """Returns what each layer may be, by the list `key` of the JSON form.

    Raises:
        HarnessError: the space has no such list.
    """
    options = next((one.options for one in space.choices if one.name.startswith(f"{key}[")), None)
    if options is None:
        raise HarnessError(f"{space.name} has no list {key!r}, which families names.")
    return tuple(map(str, options))
