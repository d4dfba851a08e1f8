"""The scores of a task's rows by seed and group, and the effects that are computed from them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np

from harness.board.values import Difference, Estimate, Splits
from harness.catalog import metric_of
from harness.errors import LackingError
from harness.identity.unit import Unit
from harness.run.loaded import Run
from harness.run.samples import read_sums
from harness.seeds import generator
from harness.stats.aggregates import WorstGroup, worst_group
from harness.stats.effect import Effect, SeedSums, effect
from harness.stats.equal import MOST_OUTSIDE, Sides, at_equal_score
from harness.stats.sums import GroupSums, laid_out, union
from harness.study.trained.boards.values import AtEqual, Key
from harness.study.trained.results import Score
from harness.study.trained.units import RowScoreSpec

MOST_SPLITS = 126
"""Splits of ten trainings in two times five."""
ScoreUnit = Unit[RowScoreSpec, Score]
Units = Mapping[tuple[Key, str], Sequence[ScoreUnit]]
"""(row, domain) -> the units of its scores, in the order of seeds."""


@dataclass(frozen=True)
class Scored:
    """One row on one domain.

    Attributes:
        sums: by seed and group.
        worst: accuracy of the worst group, all seeds together; None for bits and where groups are small.
        groups: how many have a sample that counts.
    """

    sums: SeedSums
    worst: WorstGroup | None
    groups: int


class TaskScores:
    """All scores of one task.

    Attributes:
        found: (row, domain) -> its score, of every row whose units of this domain are all there.
        lacking: (row, domain) -> why its kept samples do not give the metric.
    """

    def __init__(
        self, run: Run, metric: str, units: Units, apart: Collection[Key], *, seeds: int, margin: float
    ) -> None:
        """Reads the sums of every score.

        Args:
            run: whose scores are read.
            metric: its catalog name.
            units: of the rows.
            apart: rows that share neither data nor protocol with the others.
            seeds: that the suite has; a row with one seed where there are several changes with none.
            margin: largest difference that does not matter; 0 without one.
        """
        self.metric = metric_of(metric)
        self.margin = margin
        self.found: dict[tuple[Key, str], Scored] = {}
        self.lacking: dict[tuple[Key, str], str] = {}
        self._report_seeds = {
            key: [unit.spec.report_seed for unit in some] for (key, _), some in units.items()
        }
        self._suite_seeds = seeds
        self._effects: dict[tuple[Key, Key, tuple[str, ...]], Effect] = {}
        keys = sorted({key for key, _ in units}, key=lambda key: (key[0], key[1] or ""))
        for place, domain in enumerate(sorted({domain for _, domain in units})):
            for group in ([key for key in keys if key not in apart], *([key] for key in apart)):
                sums: list[tuple[Key, GroupSums]] = []
                for key in group:
                    here = units.get((key, domain), ())
                    if any(run.result(unit) is None for unit in here):
                        continue
                    try:
                        sums += [(key, read_sums(run, unit, metric)) for unit in here]
                    except LackingError as error:
                        self.lacking[key, domain] = str(error)
                if sums:
                    self._add(domain, place, sums)

    def _add(self, domain: str, place: int, found: Sequence[tuple[Key, GroupSums]]) -> None:
        groups, classes = union([sums for _, sums in found])
        for key in {key for key, _ in found}:
            mine = [sums for owner, sums in found if owner == key]
            numerators, denominators = laid_out(mine, groups, classes)
            sums = SeedSums(
                clusters=np.where(groups < 2**32, groups + (place << 32), groups),
                numerators=numerators,
                denominators=denominators,
                is_seedless=len(mine) == 1 < self._suite_seeds,
            )
            counted = int((sums.denominators.sum(axis=(0, 2)) > 0).sum())
            self.found[key, domain] = Scored(sums, self._worst(sums), counted)

    def _worst(self, sums: SeedSums) -> WorstGroup | None:
        if not self.metric.is_proportion:
            return None
        right, samples = (table.sum(axis=(0, 2)) for table in (sums.numerators, sums.denominators))
        return worst_group(right, samples, samples / len(sums.numerators))

    def has(self, key: Key, domains: Sequence[str]) -> bool:
        """Returns whether a row has a score on every one of these domains, of which there are some."""
        return bool(domains) and all((key, domain) in self.found for domain in domains)

    def mean(self, key: Key, domains: Sequence[str]) -> Estimate | None:
        """Returns the row's mean over domains; None where one lacks."""
        if not self.has(key, domains):
            return None
        found = effect(self._sums(key, domains), is_proportion=self.metric.is_proportion)
        return self._estimate(found, 0.0)

    def gap(self, key: Key, inside: Sequence[str], outside: Sequence[str]) -> Estimate | None:
        """Returns what the row loses from some domains to others, better being less; None where one lacks."""
        if not self.has(key, inside) or not self.has(key, outside):
            return None
        sides = [self._sums(key, domains) for domains in (inside, outside)]
        found = effect(*(sides if self.metric.higher_is_better else sides[::-1]))
        return self._estimate(found, -1.0)

    def effect(self, first: Key, second: Key, domains: Sequence[str]) -> Effect | None:
        """Returns one row less another over domains; None where one of the two lacks a score.

        Rows are paired where the suite trains both under the same seeds, which draw the same batches.
        """
        if not self.has(first, domains) or not self.has(second, domains):
            return None
        asked = first, second, tuple(domains)
        if asked not in self._effects:
            self._effects[asked] = effect(
                self._sums(first, domains),
                self._sums(second, domains),
                is_paired=self._report_seeds[first] == self._report_seeds[second],
                is_proportion=self.metric.is_proportion,
            )
        return self._effects[asked]

    def difference(self, first: Key, second: Key, domains: Sequence[str]) -> Difference | None:
        """Returns the same as a board keeps it."""
        found = self.effect(first, second, domains)
        if found is None:
            return None
        return Difference.of(found, is_proportion=self.metric.is_proportion, margin=self.margin)

    def at_equal(
        self, key: Key, reference: Key, curve: Sequence[Key], sources: Sequence[str], held_out: Sequence[str]
    ) -> AtEqual | None:
        """Returns a row less the reference at equal in-domain score; None where the row lacks a score."""
        sides = self.sides(key, sources, held_out)
        other = self.sides(reference, sources, held_out)
        if sides is None or other is None or sides.inside[0].is_seedless:
            return None
        found = at_equal_score(
            sides,
            other,
            [one for one in (self.sides(key, sources, held_out) for key in curve) if one],
            is_proportion=self.metric.is_proportion,
        )
        difference = Difference.of(found.effect, is_proportion=self.metric.is_proportion, margin=self.margin)
        if found.beyond > MOST_OUTSIDE:
            difference = replace(difference, call="no verdict", beyond=None)
        return AtEqual(difference=difference, beyond=found.beyond)

    def sides(self, key: Key, sources: Sequence[str], held_out: Sequence[str]) -> Sides | None:
        """Returns the sums of a row in domain and held out; None where it lacks a score."""
        if not self.has(key, sources) or not self.has(key, held_out):
            return None
        return Sides(self._sums(key, sources), self._sums(key, held_out), self._report_seeds[key])

    def splits(self, first: Key, second: Key, domains: Sequence[str]) -> Splits | None:
        """Returns how often halves of the trainings of two rows, which are one, are told apart.

        None where one of the two lacks a score, or halves have too few seeds or groups for a decision.
        """
        if not self.has(first, domains) or not self.has(second, domains):
            return None
        pooled = [
            SeedSums(
                clusters=one.clusters,
                numerators=np.concatenate([one.numerators, other.numerators]),
                denominators=np.concatenate([one.denominators, other.denominators]),
            )
            for one, other in zip(self._sums(first, domains), self._sums(second, domains), strict=True)
        ]
        count = len(pooled[0].numerators)
        if comb(count - 1, count // 2 - 1) <= MOST_SPLITS:
            halves = [(0, *others) for others in combinations(range(1, count), count // 2 - 1)]
        else:  # of many trainings there are more splits than could be listed
            draw = generator(0, "splits")
            halves = [tuple(draw.permutation(count)[: count // 2].tolist()) for _ in range(MOST_SPLITS)]
        called = [self._tells(pooled, half, count) for half in halves]
        return None if None in called else Splits(sum(map(bool, called)), len(called))

    def _tells(self, pooled: Sequence[SeedSums], half: tuple[int, ...], count: int) -> bool | None:
        rest = [index for index in range(count) if index not in half]
        first, second = ([one.of_seeds(chosen) for one in pooled] for chosen in (half, rest))
        found = effect(first, second, is_paired=False, is_proportion=self.metric.is_proportion)
        return found.call in ("higher", "lower") if found.is_judged else None

    def _sums(self, key: Key, domains: Sequence[str]) -> list[SeedSums]:
        return [self.found[key, domain].sums for domain in domains]

    def _estimate(self, found: Effect, least: float) -> Estimate:
        """Returns value and interval, which for a share ends at what a share can be."""
        interval = found.within(least, 1.0) if self.metric.is_proportion else found.interval
        return Estimate(found.value, *interval)
