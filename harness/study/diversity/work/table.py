"""The unit that takes all architectures of a table as a pool, and asks it what trained pools are asked.

What stands for an in-domain score is the mean over all other domains of their standardised validation
scores; what is held out is a domain's standardised test score. There are no checkpoints, so networks are
compared at equal in-domain score by a line: its slope on each domain is estimated beside all else.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness import catalog
from harness.data.table.card import TableCard, read_card
from harness.data.table.table import LookupTable, bound_space, load_table, published_hash, table_path
from harness.errors import HarnessError
from harness.identity.unit import Unit
from harness.run.place import Done, Needs
from harness.seeds import generator
from harness.stats.contrast import behaviours, components, contrast, entropy, vendi
from harness.stats.order import expected_best
from harness.stats.sums import Array
from harness.stats.transfer import choose, standardised, standardised_mean
from harness.study.diversity.questions import (
    PERMUTATIONS,
    ArchitecturePool,
    family_effects,
    network_question,
    question,
    shares_of,
)
from harness.study.diversity.results import ArmFound, Control, Outcome, PoolFindings, PoolQuestion
from harness.study.diversity.units import TablePool, TablePoolSpec

SAMPLED = 400
"""Architectures that stand for a space where all pairs of them are compared."""


def table_pool(unit: Unit[TablePoolSpec, TablePool], needs: Needs, folder: Path) -> Done:
    """Asks a table's architectures the questions of the study."""
    spec, place = unit.spec, needs.place
    path = catalog.files("table")[spec.table]
    card = read_card(path)
    folders = (*place.tables, path.parent)
    if published_hash(card, folders) != spec.sha256:
        raise HarnessError(f"The table {spec.table} changed since it was planned; run the command again.")
    file = table_path(card, folders, place.data.folder, offline=place.data.offline)
    table = load_table(file, path, place.data.folder)
    return Done(result=TablePool(found=_TableFound(spec, card, table).found()))


class _TableFound:
    def __init__(self, spec: TablePoolSpec, card: TableCard, table: LookupTable) -> None:
        self.spec = spec
        self.card = card
        self.table = table
        genes = table.index.genes
        choices = table.space.choices
        options, count = Counter(one.options for one in choices).most_common(1)[0]
        self.places = [place for place, one in enumerate(choices) if one.options == options]
        if count < 2:
            raise HarnessError(f"Table {spec.table!r} has no two choices alike, so no families of layers.")
        self.families = tuple(map(str, options))
        self.layers = genes[:, self.places].astype(np.int64)
        self.domains = list(card.domains)
        self.source = {
            name: standardised_mean([table.validation[one] for one in self.domains if one != name])
            for name in self.domains
        }
        self.target = np.stack([standardised(table.test[name]) for name in self.domains], axis=1)
        none = np.zeros((len(genes), 0))
        self.held = np.column_stack([none, *self._sizes(), *self._others(genes)])

    def _sizes(self) -> Iterator[Array]:
        """Yields log parameters, where they are known; of several costs the mean."""
        costs = [
            values for name, values in self.table.costs.items()
            if name == "parameters" or name.endswith("_parameters")
        ]  # fmt: skip
        if not costs and self.card.space:
            space = bound_space(self.card.space)
            costs = [np.array([space.parameters(one) for one in self.table.rows], dtype=np.float64)]
        for values in costs[:1] if len(costs) == 1 else []:
            yield standardised(np.log(values))
        if len(costs) > 1:
            yield standardised_mean([np.log(one) for one in costs])

    def _others(self, genes: NDArray[np.int32]) -> Iterator[Array]:
        """Yields a column for each further option of every choice that is no layer."""
        for place in range(genes.shape[1]):
            if place not in self.places:
                for option in np.unique(genes[:, place])[1:]:
                    yield (genes[:, place] == option) * 1.0

    def found(self) -> PoolFindings:
        pool = self.pool
        questions = [
            *network_question(pool, pool.matched, self.spec.table, "matched"),
            *self._spaces(pool, "matched"),
            *network_question(pool, pool.raw, self.spec.table, "raw"),
            *self._spaces(pool, "raw"),
        ]
        return PoolFindings(
            name=self.spec.table,
            metric="sd",
            level=None,
            is_level_fixed=True,
            arms=(self._arm(pool),),
            questions=tuple(questions),
            controls=tuple(self._controls(pool)),
            domains=pool.domains,
            strata=pool.strata,
            effects=family_effects(pool),
            notes=(
                "Scores are standardised on each domain; in domain is the mean of all other domains.",
                f"{self.table.left_out:,} rows lack a score and are left out."
                if self.table.left_out
                else "Every row has every score.",
            ),
        )

    @property
    def pool(self) -> ArchitecturePool:
        fixed = ArchitecturePool(
            arm=np.zeros(len(self.layers), dtype=np.int64),
            arms=(self.spec.table,),
            layers=self.layers,
            families=self.families,
            held=self.held,
            select=np.mean(list(self.source.values()), axis=0),
            raw=self.target,
            matched=self.target,
            domains={name: name for name in self.domains},
            strata=dict.fromkeys(self.domains, ""),
            outside={},
            margin=self.spec.margin,
            by_place=True,
        )
        every = np.column_stack([np.ones(len(self.layers)), self.held, fixed.effects, fixed.kinds])
        return ArchitecturePool(**{**fixed.__dict__, "matched": self._matched(every)})

    def _matched(self, design: Array) -> Array:
        """Returns each domain's score less what its in-domain score says, by a slope beside all else."""
        basis = np.linalg.qr(design)[0]
        found = []
        for column, name in zip(self.target.T, self.domains, strict=True):
            source = self.source[name]
            alone = source - basis @ (basis.T @ source)
            slope = float(alone @ column / (alone @ alone))
            found.append(column - slope * source)
        return np.stack(found, axis=1)

    def _spaces(self, pool: ArchitecturePool, outcome: Outcome) -> Iterator[PoolQuestion]:
        """Yields what one family, or one behaviour, more to choose from gives to the best of a budget."""
        values = pool.matched if outcome == "matched" else pool.raw
        there = np.zeros((len(self.layers), len(self.families)), dtype=bool)
        for place in range(self.layers.shape[1]):
            there[np.arange(len(there)), self.layers[:, place]] = True
        included, best, counts = [], [], []
        for size in range(2, len(self.families) + 1):
            for chosen in combinations(range(len(self.families)), size):
                absent = [one for one in range(len(self.families)) if one not in chosen]
                rows = np.flatnonzero(~there[:, absent].any(axis=1))
                if rows.size <= self.spec.budget:
                    continue
                included.append([one in chosen for one in range(len(self.families))])
                best.append(
                    [
                        expected_best(self.source[name][rows], values[rows, place], self.spec.budget)
                        for place, name in enumerate(self.domains)
                    ]
                )
                counts.append(self._behaviours(rows))
        spaces, outcomes = np.array(included, dtype=np.float64), np.array(best)
        design = np.column_stack([np.ones(len(spaces)), spaces])
        if np.linalg.matrix_rank(design) < design.shape[1]:
            return
        by_family = np.linalg.lstsq(design, outcomes, rcond=None)[0][1:]
        gained = contrast(by_family, np.ones((len(by_family), 1)))
        shares = shares_of(self.domains, gained)
        yield question(pool, "space", self.spec.table, outcome, gained, shares=shares)
        yield from self._behaviour(pool, outcome, spaces, outcomes, np.array(counts))

    def _behaviours(self, rows: NDArray[np.int64]) -> float:
        """Returns the effective number of different behaviours of architectures, by validation scores."""
        draw = generator(0, "diversity", "behaviours", str(rows.size))
        chosen = rows if rows.size <= SAMPLED else draw.choice(rows, SAMPLED, replace=False)
        columns = [standardised(self.table.validation[name])[chosen] for name in self.domains]
        return behaviours(np.stack(columns, axis=1))

    def _behaviour(
        self, pool: ArchitecturePool, outcome: Outcome, spaces: Array, outcomes: Array, counts: Array
    ) -> Iterator[PoolQuestion]:
        """Yields the gain of one behaviour more, beyond which families there are.

        Spaces overlap, so their errors are not independent. The p-value is therefore of permutations among
        spaces of as many families; the interval takes spaces as independent all the same.
        """
        fixed = np.column_stack([np.ones(len(spaces)), spaces])
        sizes = spaces.sum(axis=1)
        if len(spaces) <= fixed.shape[1] + 2:
            return
        found = contrast(outcomes, np.column_stack([fixed, counts]))
        draw = generator(0, "diversity", "behaviour")
        as_far = 0
        for _ in range(PERMUTATIONS):
            order = np.arange(len(spaces))
            for size in np.unique(sizes):
                same = np.flatnonzero(sizes == size)
                order[same] = draw.permutation(same)
            other = contrast(outcomes, np.column_stack([fixed, counts[order]]))
            as_far += abs(other.effect.value) >= abs(found.effect.value)
        p = (1 + as_far) / (1 + PERMUTATIONS)
        shares = shares_of(self.domains, found)
        yield question(pool, "behaviour", self.spec.table, outcome, found, shares=shares, p=p)

    def _arm(self, pool: ArchitecturePool) -> ArmFound:
        parts = components(pool.matched[:, :, None])
        columns = zip(self.domains, self.target.T, strict=True)
        regret = [choose(self.source[name], column).regret for name, column in columns]
        draw = generator(0, "diversity", "structural")
        rows = np.arange(len(self.layers))
        rows = rows if rows.size <= SAMPLED else draw.choice(rows, SAMPLED, replace=False)
        alike = (self.layers[rows][:, None] == self.layers[rows][None]).mean(axis=2)
        return ArmFound(
            name=self.spec.table,
            architectures=len(self.layers),
            trainings=len(self.layers),
            planned=len(self.layers),
            outside=None,
            in_domain=float(np.mean(pool.select)),
            held_out=float(self.target.mean()),
            parameters=(0, 0),
            architecture=parts.architecture,
            interaction=parts.interaction,
            seed=0.0,
            transfer=parts.transfer,
            gain=parts.gain(self.spec.budget),
            regret=float(np.mean(regret)),
            gap=0.0,
            families=float(pool.kinds.mean()),
            entropy=entropy(np.bincount(self.layers.ravel())),
            structural=vendi(alike),
            functional=self._behaviours(np.arange(len(self.layers))),
        )

    def _controls(self, pool: ArchitecturePool) -> Iterator[Control]:
        """Yields the questions where the truth is known: main effects alone, and scores of nobody."""
        yield from self._planted(pool)
        draw = generator(0, "diversity", "shuffled")
        order = draw.permutation(len(pool.layers))
        shuffled = ArchitecturePool(**{**pool.__dict__, "matched": pool.matched[order]})
        for one in network_question(shuffled, shuffled.matched, self.spec.table, "matched"):
            yield _control("scores of other networks", "nothing is there", one)

    def _planted(self, pool: ArchitecturePool) -> Iterator[Control]:
        """Yields scores that main effects alone make, with the noise of this table's own residuals."""
        design = np.column_stack([np.ones(len(pool.layers)), pool.held, pool.effects])
        basis = np.linalg.qr(design)[0]
        line = basis @ (basis.T @ pool.matched)
        draw = generator(0, "diversity", "planted")
        rest = (pool.matched - line)[draw.permutation(len(pool.layers))]
        for name, truth, gain in (
            ("main effects of families alone", "no diversity", 0.0),
            ("main effects, and .05 for a family more", "a gain of .05", 0.05),
        ):
            values = line + rest + gain * pool.kinds[:, None]
            planted = ArchitecturePool(**{**pool.__dict__, "matched": values})
            for one in network_question(planted, values, self.spec.table, "matched"):
                yield _control(name, truth, one)


def _control(name: str, truth: str, one: PoolQuestion) -> Control:
    return Control(
        name=name, truth=truth, gain=one.gain, low=one.low, high=one.high, p=one.p, outcome="matched"
    )
