"""What is found of the pools that a run trained."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from harness.catalog import metric_of
from harness.identity.unit import Unit
from harness.run.loaded import Run
from harness.seeds import generator
from harness.stats.contrast import Components, at_level, behaviours, components, contrast, entropy, vendi
from harness.stats.effect import Effect
from harness.stats.sums import Array
from harness.study.diversity.plan import CONTROL
from harness.study.diversity.questions import ArchitecturePool, asked_of, family_effects, search_question
from harness.study.diversity.results import ArmFound, Control, Outcome, PoolFindings, Share, TrainingLine
from harness.study.diversity.settings import PlannedDiversity, PlannedPoolTask
from harness.study.diversity.units import CELL, POOL_FLOOR, CellSpec, PoolFloor, PoolScores
from harness.study.settings import SEEN
from harness.task.metric import Metric

SPLITS = 100
"""Halvings of the reference that are compared with each other."""


@dataclass(frozen=True)
class Trained:
    """One finished training, its scores turned so that higher is better."""

    spec: CellSpec
    cell: PoolScores
    metric: Metric

    @cached_property
    def in_domain(self) -> Array:
        """Of each checkpoint, sources of the suite alike, shape (checkpoints,)."""
        sources = self.spec.sources
        return self.metric.sign * np.array(
            [np.mean([one.in_domain[name] for name in sources]) for one in self.cell.checkpoints]
        )

    @cached_property
    def validation(self) -> float:
        return self.metric.sign * self.cell.checkpoints[-1].validation

    def held_out(self, domains: Sequence[str]) -> Array:
        """Of each checkpoint, shape (checkpoints, domains)."""
        return self.metric.sign * np.array(
            [[one.held_out[name] for name in domains] for one in self.cell.checkpoints]
        )


def found_of_pools(run: Run, suite: PlannedDiversity) -> PoolFindings | None:
    """Returns what is found of the trainings of a run; None where none is finished."""
    task = suite.task
    assert task is not None
    metric = metric_of(task.metric)
    units = run.planned(CELL)
    done = [Trained(unit.spec, cell, metric) for unit in units if (cell := run.result(unit)) is not None]
    arms = tuple(arm.name for arm in suite.arms)
    mine = [one for one in done if one.spec.arm in arms]
    if not mine:
        return None
    controls = [one for one in done if one.spec.arm == CONTROL]
    floors = [run.result(unit) for unit in run.planned(POOL_FLOOR)]
    return PoolsFound(suite, task, arms, units, mine, controls, floors[0] if floors else None).found()


@dataclass(frozen=True)
class PoolsFound:
    """The trainings of a run's pools, and what is said of them."""

    suite: PlannedDiversity
    task: PlannedPoolTask
    arms: tuple[str, ...]
    units: Sequence[Unit[CellSpec, PoolScores]]
    done: Sequence[Trained]
    controls: Sequence[Trained]
    fitted: PoolFloor | None

    def found(self) -> PoolFindings:
        pool = self.pool
        questions = []
        others = self.arms[1:] or self.arms
        for outcome in ("matched", "raw") if self.level is not None else ("raw",):
            questions += list(asked_of(pool, outcome, others))
            for name in self.arms[1:]:
                if (pool.arm == self.arms.index(name)).any():
                    questions += list(search_question(pool, outcome, name, self.suite.budget))
        level = None if self.level is None else self.metric.sign * self.level
        return PoolFindings(
            name=self.task.name,
            metric=self.task.metric,
            level=level,
            is_level_fixed=self.task.level is not None,
            arms=tuple(
                self._arm(place, name) for place, name in enumerate(self.arms) if (pool.arm == place).any()
            ),
            questions=tuple(questions),
            controls=tuple(self._controls()) if self.is_compared else (),
            domains=pool.domains,
            strata=pool.strata,
            effects=self._effects() if self.is_compared and self.level is not None else {},
            floor=self.floor,
            lines=tuple(self._lines()),
            notes=tuple(self._notes()),
        )

    @property
    def is_compared(self) -> bool:
        """Whether there are domains of two families, without which nothing says how domains differ."""
        return len(set(self.domains.values())) > 1

    def _effects(self) -> dict[str, Share]:
        """Returns what families are worth in the last arm that is there."""
        return family_effects(self.pool.of(self.pool.arm == self.pool.arm.max()))

    @property
    def metric(self) -> Metric:
        return metric_of(self.task.metric)

    @cached_property
    def domains(self) -> dict[str, str]:
        """Domain -> family, of those that a claim is made of."""
        claimed = [name for name in self.task.held_out if SEEN not in self.task.strata.get(name, "")]
        return {name: self.task.families.get(name, name) for name in claimed}

    @cached_property
    def level(self) -> float | None:
        """In-domain score of the comparison, higher being better; None where arms share none."""
        if len(self.done[0].cell.checkpoints) < 2:
            return None
        if self.task.level is not None:
            return self.metric.sign * self.task.level
        reached = min(float(one.in_domain.max()) for one in self.done)
        begun = max(float(one.in_domain[0]) for one in self.done)
        return reached if reached >= begun else None

    @cached_property
    def keys(self) -> list[tuple[str, int]]:
        """Arm and index of the architectures that have a finished training."""
        there = {(one.spec.arm, one.spec.index) for one in self.done}
        return sorted(there, key=lambda one: (self.arms.index(one[0]), one[1]))

    @cached_property
    def matched(self) -> dict[tuple[str, int], list[Array]]:
        """Architecture -> of each training, scores at the level, shape (domains,)."""
        found: dict[tuple[str, int], list[Array]] = {key: [] for key in self.keys}
        level = np.nan if self.level is None else self.level
        for one in self.done:
            scores = at_level(one.in_domain, one.held_out(list(self.domains)), level)
            found[one.spec.arm, one.spec.index].append(scores)
        return found

    @cached_property
    def pool(self) -> ArchitecturePool:
        families = sorted({family for one in self.done for family in self._layers(one.spec)})
        first = {(one.spec.arm, one.spec.index): one for one in self.done}
        layers = [[families.index(name) for name in self._layers(first[key].spec)] for key in self.keys]
        longest = max(map(len, layers))
        return ArchitecturePool(
            arm=np.array([self.arms.index(arm) for arm, _ in self.keys]),
            arms=self.arms,
            layers=np.array([row + [-1] * (longest - len(row)) for row in layers]),
            families=tuple(families),
            held=np.zeros((len(self.keys), 0)),
            select=np.array([self._mean(key, lambda one: one.validation) for key in self.keys]),
            raw=np.array([self._mean(key, lambda one: self._last(one)) for key in self.keys]),
            matched=np.array([_mean_of_known(self.matched[key]) for key in self.keys]),
            domains=self.domains,
            strata={name: self.task.strata.get(name, "") for name in self.domains},
            outside={name: self._outside(name) for name in self.arms},
            refused=self._refused(),
            margin=self.suite.margin,
        )

    @property
    def floor(self) -> float | None:
        """In-domain score of the floor, sources alike."""
        return None if self.fitted is None else float(np.mean(list(self.fitted.in_domain.values())))

    def _refused(self) -> str:
        """Returns why the suite answers nothing: its networks are not in a regime that does."""
        if self.task.regime == "path only":
            return "the suite shows the path only"
        first = [one.in_domain[-1] for one in self.done if one.spec.arm == self.arms[0]]
        if self.floor is None or not first or np.mean(first) > self.metric.sign * self.floor:
            return ""
        return "the reference does not pass the floor in domain"

    def _lines(self) -> Iterator[TrainingLine]:
        sign = self.metric.sign
        for one in sorted(self.done, key=lambda one: (self.arms.index(one.spec.arm), one.spec.order)):
            held_out = self.pool.families_of(one.held_out(list(self.domains))).mean(axis=1)
            points = zip(sign * one.in_domain, sign * held_out, strict=True)
            yield TrainingLine(arm=one.spec.arm, points=tuple((float(x), float(y)) for x, y in points))

    def _layers(self, spec: CellSpec) -> list[str]:
        return [str(one) for one in spec.architecture.get(self.suite.families, ["all"])]

    def _last(self, one: Trained) -> Array:
        return self.metric.sign * np.array([one.cell.whole[name] for name in self.domains])

    def _mean(self, key: tuple[str, int], value: Callable[[Trained], Any]) -> Any:
        """Returns the mean over the trainings of an architecture."""
        return np.mean([value(one) for one in self.done if (one.spec.arm, one.spec.index) == key], axis=0)

    def _outside(self, arm: str) -> float:
        every = [one for key, scores in self.matched.items() if key[0] == arm for one in scores]
        return float(np.mean([not np.isfinite(one).all() for one in every])) if every else 0.0

    def _arm(self, place: int, name: str) -> ArmFound:
        pool = self.pool
        rows = np.flatnonzero(pool.arm == place)
        own = [one for one in self.done if one.spec.arm == name]
        planned = [unit for unit in self.units if unit.spec.arm == name]
        grouped = pool.families_of(pool.raw)
        best = grouped[rows[np.argmax(pool.select[rows])]]
        alike = (pool.layers[rows][:, None] == pool.layers[rows][None]).mean(axis=2)
        spread = grouped.std(axis=0)
        parts = self._components(name)
        return ArmFound(
            name=name,
            architectures=len(rows),
            trainings=len(own),
            planned=len(planned),
            outside=None if self.level is None else self._outside(name),
            in_domain=self.metric.sign * float(np.mean([one.in_domain[-1] for one in own])),
            held_out=self.metric.sign * float(grouped[rows].mean()),
            parameters=(min(one.cell.parameters for one in own), max(one.cell.parameters for one in own)),
            architecture=parts.architecture,
            interaction=parts.interaction,
            seed=parts.seed,
            transfer=parts.transfer,
            gain=parts.gain(self.suite.budget),
            regret=float(np.mean(grouped[rows].max(axis=0) - best)),
            gap=float(np.mean(grouped.max(axis=0) - grouped[rows].max(axis=0))),
            families=float(pool.kinds[rows].mean()),
            entropy=entropy(pool.marks[rows].sum(axis=(0, 1))),
            structural=vendi(alike),
            functional=behaviours(grouped[rows] / np.where(spread > 0, spread, 1.0)),
        )

    def _components(self, arm: str) -> Components:
        """Returns the components of variance of an arm, at equal in-domain score where there is one."""
        raw: dict[tuple[str, int], list[Array]] = {key: [] for key in self.keys}
        for one in self.done:
            raw[one.spec.arm, one.spec.index].append(self._last(one))
        values = raw if self.level is None else self.matched
        known = [
            [one for one in scores if np.isfinite(one).all()]
            for key, scores in values.items()
            if key[0] == arm
        ]
        known = [scores for scores in known if scores]
        if len(known) < 2:
            from harness.stats.contrast import Components

            return Components(0.0, 0.0, 0.0, 0.0)
        most = max(map(len, known))
        cube = np.full((len(known), len(self.domains), most), np.nan)
        for row, scores in enumerate(known):
            cube[row, :, : len(scores)] = np.stack(scores, axis=1)
        return components(cube)

    def _controls(self) -> Iterator[Control]:
        pool = self.pool
        first = pool.of(pool.arm == 0)
        matched = first.known if self.level is not None else first
        values = matched.families_of(matched.matched if self.level is not None else matched.raw)
        outcome: Outcome = "matched" if self.level is not None else "raw"
        if len(values) >= 6:
            yield from self._ratios(matched, values, outcome)
        yield from self._positive(outcome)
        yield from self._longer()
        yield from self._shuffled()

    def _ratios(self, pool: ArchitecturePool, values: Array, outcome: Outcome) -> Iterator[Control]:
        """Yields the comparison of networks that have several widths of one kind with those of one."""
        specs = {one.spec.index: one.spec for one in self.done if one.spec.arm == self.arms[0]}
        rows = [index for arm, index in self.keys if arm == self.arms[0]]
        if outcome == "matched":
            there = np.isfinite(self.pool.matched[self.pool.arm == 0]).all(axis=1).tolist()
            rows = [index for index, is_known in zip(rows, there, strict=True) if is_known]
        mixed = np.array([_is_mixed(specs[index].architecture, self.suite.families) for index in rows]) * 1.0
        if 2 <= mixed.sum() <= len(mixed) - 2:
            found = contrast(values, np.column_stack([np.ones(len(mixed)), mixed])).effect
            yield _control("permuted sizes called diversity", "no diversity of families", found, outcome)

    def _positive(self, outcome: Outcome) -> Iterator[Control]:
        """Yields architectures of the reference with what is known to help against themselves."""
        if not self.controls:
            return
        names = list(self.domains)
        base = {(one.spec.index, one.spec.seed): one for one in self.done if one.spec.arm == self.arms[0]}
        pairs = [
            (one, base[key]) for one in self.controls if (key := (one.spec.index, one.spec.seed)) in base
        ]
        by_architecture: dict[int, list[Array]] = {}
        for one, other in pairs:
            by_architecture.setdefault(one.spec.index, []).append(
                self.metric.sign * np.array([one.cell.whole[name] - other.cell.whole[name] for name in names])
            )
        if len(by_architecture) >= 2:
            values = self.pool.families_of(
                np.array([np.mean(one, axis=0) for one in by_architecture.values()])
            )
            found = contrast(values, np.ones((len(values), 1))).effect
            more = self.suite.control_source or ", ".join(self.suite.control)
            yield _control(f"the same networks with {more}", "known to help somewhere", found, "raw")

    def _longer(self) -> Iterator[Control]:
        """Yields the reference's whole trainings against their last checkpoint before."""
        names = list(self.domains)
        own = [one for one in self.done if one.spec.arm == self.arms[0]]
        if len({one.spec.index for one in own}) < 2 or len(own[0].cell.checkpoints) < 2:
            return
        apart: dict[int, list[Array]] = {}
        for one in own:
            scores = one.held_out(names)
            apart.setdefault(one.spec.index, []).append(scores[-1] - scores[-2])
        steps = [one.steps for one in own[0].cell.checkpoints]
        found = self._alone(apart)
        name = f"{steps[-1]} steps of the reference against {steps[-2]}"
        yield _control(name, "learning further, without diversity", found, "raw")

    def _alone(self, apart: Mapping[int, Sequence[Array]]) -> Effect:
        """Returns the mean of what each architecture gained on domains, shape (domains,) for each seed."""
        values = self.pool.families_of(np.array([np.mean(one, axis=0) for one in apart.values()]))
        return contrast(values, np.ones((len(values), 1))).effect

    def _shuffled(self) -> Iterator[Control]:
        """Yields the search of another arm where what it is told is shuffled: random architectures."""
        pool = self.pool
        for place, name in enumerate(self.arms[1:], start=1):
            both = pool.of((pool.arm == 0) | (pool.arm == place))
            second = (both.arm > 0) * 1.0
            if min(second.sum(), (1 - second).sum()) >= 2:
                values = both.families_of(both.raw)
                found = contrast(values, np.column_stack([np.ones(len(second)), second])).effect
                yield _control(f"search in {name} with shuffled scores", "random architectures", found, "raw")

    def _notes(self) -> Iterator[str]:
        left = [name for name in self.task.held_out if name not in self.domains]
        if left:
            yield f"No claim is made of {', '.join(left)}, as sources are of their families."
        if self.level is None:
            yield "Arms share no in-domain score, so nothing is compared at equal in-domain score."
        elif self.task.level is None:
            yield "The level of the comparison is the best that all trainings reach, found by the result."
        if not self.is_compared:
            yield "One family of domains is held out, and a comparison takes two."
        halves = self._halves() if self.is_compared else None
        if halves is not None:
            yield (
                f"Two halves of the reference, drawn {SPLITS} times, are called different in {halves:.1%} "
                "(the same architectures stand in many halves)."
            )

    def _halves(self) -> float | None:
        """Returns how often halves of the reference are called different."""
        pool = self.pool.of(self.pool.arm == 0)
        pool = pool.known if self.level is not None else pool
        count = len(pool.arm)
        if count < 6:
            return None
        values = pool.families_of(pool.matched if self.level is not None else pool.raw)
        draw = generator(0, "diversity", "halves")
        halves = np.arange(count) < count // 2
        found = [
            contrast(values, np.column_stack([np.ones(count), draw.permutation(halves)])).effect.is_found
            for _ in range(SPLITS)
        ]
        return float(np.mean(found))


def _control(name: str, truth: str, effect: Effect, outcome: Outcome) -> Control:
    low, high = effect.interval
    return Control(name=name, truth=truth, gain=effect.value, low=low, high=high, p=effect.p, outcome=outcome)


def _mean_of_known(scores: Sequence[Array]) -> Array:
    known = [one for one in scores if np.isfinite(one).all()]
    return np.mean(known, axis=0) if known else np.full(scores[0].shape, np.nan)


def _is_mixed(architecture: Mapping[str, object], families: str) -> bool:
    """Returns whether any list of the architecture but that of families holds different values."""
    lists = [value for key, value in architecture.items() if key != families and isinstance(value, list)]
    return any(len(set(map(str, one))) > 1 for one in lists)
