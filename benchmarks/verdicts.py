"""How often verdicts are right when the truth is known: planted effects, many runs, the code of the boards.

    python benchmarks/verdicts.py [--replicates N] [--workers N] [--pool FILE.npz ...] [--cell WORDS]

A cell is a design (seeds, groups, domains) with noise of its own. In each replicate two rows are drawn,
`harness.stats.effect` compares them, and its decision is held against the planted effect. Noise: main effects
of seeds, of groups, or of both, and what the two share; bits a byte over groups of lognormal size, or
accuracies of five classes with four samples a group; groups that stand in all domains; effects opposite on
two domains; rows alike on most samples; seeds that lack a domain. A pool (of `benchmarks/same.py`) holds real
retrainings of one network, whose noise is resampled.

Columns: effective groups; false verdicts without an effect, by this rule and by the former one (groups
resampled, seeds averaged, whole groups flipped, seeds must not disagree); coverage of the interval; the
detectable effect that the cell states, how often it is found, and twice that. Below the least number of seeds
or groups no verdict may be given, and the rates say what the interval alone would have said. `lost`: how
often the reference is told from itself under other seeds, which costs the verdict; `kept`: how often the
stated effect is found and no verdict is lost.
"""

import argparse
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from harness.stats.bootstrap import percentile_interval
from harness.stats.effect import LEAST_GROUPS, LEAST_SEEDS, Effect, SeedSums, effect
from harness.stats.sums import grouped_ratio

Array = NDArray[np.float64]
CLASSES = 5
SAMPLES = 4
"""Samples of a group, where accuracies are drawn."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A design and its noise; standard deviations are those of the difference of two rows."""

    kind: Literal["accuracy", "bits"] = "bits"
    seeds: int = 5
    groups: int = 50
    domains: int = 3
    by_seed: float = 0.04
    by_group: float = 0.1
    shared: float = 0.03
    opposite: float = 0.0
    lacking: int = 0
    has_shared_names: bool = False
    is_mostly_tied: bool = False
    pool: str = ""

    @property
    def name(self) -> str:
        """The cell in words."""
        sizes = {"seeds": self.by_seed, "groups": self.by_group, "both": self.shared}
        words = [" ".join(word for word, size in sizes.items() if size) or "samples alone"]
        words += ["shared names"] * self.has_shared_names + ["opposite"] * bool(self.opposite)
        words += ["mostly tied"] * self.is_mostly_tied + [f"{self.lacking} lacking"] * bool(self.lacking)
        words = [f"retrainings of {Path(self.pool).stem}"] if self.pool else words
        return f"{self.kind} S={self.seeds} G={self.groups} D={self.domains}, {', '.join(words)}"


def cells(pools: list[str]) -> Iterator[Cell]:
    """Yields all cells."""
    kinds: tuple[Literal["bits", "accuracy"], ...] = ("bits", "accuracy")
    for kind in kinds:
        base = Cell(kind=kind)
        for seeds in (2, 3, 5, 10):
            for groups in (3, 8, 35, 80, 300):
                yield replace(base, seeds=seeds, groups=groups)
        for seeds in (5, 10):
            for groups in (35, 300):
                cell = replace(base, seeds=seeds, groups=groups)
                yield replace(cell, by_group=0.0, shared=0.0)
                yield replace(cell, by_seed=0.0, shared=0.0)
                yield replace(cell, by_seed=0.0, by_group=0.0)
                yield replace(cell, shared=0.0, domains=1)
                yield replace(cell, has_shared_names=True)
                yield replace(cell, opposite=0.05)
        yield replace(base, seeds=7, lacking=2)
    for groups in (35, 300):
        yield Cell(
            kind="accuracy", groups=groups, by_seed=0.01, by_group=0.01, shared=0.0, is_mostly_tied=True
        )
    for pool in pools:
        with np.load(pool) as file:
            kind = "bits" if str(file["unit"]) == "bits" else "accuracy"
            domains = sum(name.startswith("numerators") for name in file.files)
            groups = min(len(file[f"clusters {index}"]) for index in range(domains))
        for seeds in (5, 10):
            yield Cell(kind=kind, seeds=seeds, groups=groups, domains=domains, pool=pool)


class Rows(NamedTuple):
    """The sums of two rows, and of the second once more under other seeds, a domain an entry."""

    first: list[SeedSums]
    second: list[SeedSums]
    again: list[SeedSums]


def drawn(cell: Cell, planted: float, generator: np.random.Generator) -> Rows:
    """Returns two rows whose true difference, first minus second, is `planted` on the mean over domains."""
    if cell.pool:
        return resampled(cell, planted, generator)
    (other,) = generator.spawn(1)  # of the second row's second trainings, so that nothing else hangs on them

    def noise(size: float, *shape: int, draw: np.random.Generator = generator) -> Array:
        return draw.normal(0, size * np.sqrt(0.5), shape)

    rows = Rows([], [], [])
    seeds = cell.seeds - cell.lacking  # a seed that lacks a domain is left out of all of them
    own = [noise(cell.by_seed, seeds, 1, draw=draw) for draw in (generator, generator, other)]
    named = [noise(cell.by_group, cell.groups) for _ in range(2)]
    for domain in range(cell.domains):
        names = np.arange(cell.groups) + (0 if cell.has_shared_names else domain * 10**6)
        common = generator.normal(0, 0.1, cell.groups)
        sizes = np.exp(0.7 * norm.ppf((generator.permutation(cell.groups) + 0.5) / cell.groups))
        shape = (seeds, cell.groups, SAMPLES)
        luck = [*generator.random((2, *shape)), other.random(shape)]
        alike = cell.is_mostly_tied | (generator.random(shape) < 0.5)
        labels = generator.integers(0, CLASSES, (cell.groups, SAMPLES))
        of_groups: list[Array] = []
        for index, (row, draw) in enumerate(zip(rows, (generator, generator, other), strict=True)):
            if index < 2:
                of_groups.append(named[index] if cell.has_shared_names else noise(cell.by_group, cell.groups))
            level = common + own[index] + of_groups[min(index, 1)]
            level = level + noise(cell.shared, seeds, cell.groups, draw=draw)
            level = level + (index == 0) * (planted + cell.opposite * (domain - (cell.domains - 1) / 2))
            if cell.kind == "bits":
                bottom = np.broadcast_to(1000 * sizes, level.shape)[:, :, None]
                row.append(
                    SeedSums(clusters=names, numerators=(3 + level)[:, :, None] * bottom, denominators=bottom)
                )
            else:
                chance = 0.6 + level[:, :, None]
                right = np.where(alike, luck[0], luck[index]) < chance
                classes = np.eye(CLASSES)[labels]
                top = np.einsum("sgn,gnk->sgk", right.astype(float), classes)
                bottom = np.broadcast_to(classes.sum(axis=1), top.shape)
                row.append(SeedSums(clusters=names, numerators=top, denominators=bottom))
    return rows


def resampled(cell: Cell, planted: float, generator: np.random.Generator) -> Rows:
    """Returns two rows of retrainings of one network, with the effect added to each sample's score."""
    rows = Rows([], [], [])
    with np.load(cell.pool) as file:
        arrays = {name: file[name] for name in file.files}
    count = len(arrays["numerators 0"])
    order = generator.permutation(count)
    most = 3 if count >= 3 * cell.seeds else 2
    picked = order[: most * cell.seeds].reshape(most, -1)
    for domain in range(cell.domains):
        clusters = arrays[f"clusters {domain}"]
        chosen = generator.integers(0, len(clusters), len(clusters))
        for index, row in enumerate(rows[:most]):
            top = arrays[f"numerators {domain}"][picked[index]][:, chosen].astype(float)
            bottom = arrays[f"denominators {domain}"][picked[index]][:, chosen].astype(float)
            row.append(
                SeedSums(
                    clusters=domain * 10**6 + np.arange(len(chosen)),
                    numerators=top + (index == 0) * planted * bottom,
                    denominators=bottom,
                )
            )
    return rows


def by_effect(cell: Cell, planted: float, generator: np.random.Generator) -> tuple[Effect, bool]:
    """Returns what the rule finds in two rows, and whether it tells the second from itself."""
    rows = drawn(cell, planted, generator)
    is_proportion = cell.kind == "accuracy"
    again = (
        effect(rows.again, rows.second, is_paired=False, is_proportion=is_proportion) if rows.again else None
    )
    told = again is not None and again.call in ("higher", "lower")
    return effect(rows.first, rows.second, is_proportion=is_proportion), told


def by_former(rows: Rows, generator: np.random.Generator) -> int:
    """Returns the sign that the former rule called, 0 where it could not tell.

    Whole groups are drawn again 400 times, seeds averaged; then their signs are flipped 9,999 times.
    """
    replicates, shares, seeds = [], [], []
    for first, second in zip(rows.first, rows.second, strict=True):
        groups = first.numerators.shape[1]
        weights = generator.multinomial(groups, np.full(groups, 1 / groups), size=400).astype(float)
        ratios = [
            grouped_ratio(
                np.einsum("rg,sgk->rsk", weights, row.numerators),
                np.einsum("rg,sgk->rsk", weights, row.denominators),
            ).mean(axis=1)
            for row in (first, second)
        ]
        replicates.append(ratios[0] - ratios[1])
        parts = []
        for row in (first, second):
            totals = row.denominators.sum(axis=1, keepdims=True)
            of_class = np.divide(row.numerators, totals, out=np.zeros_like(row.numerators), where=totals > 0)
            parts.append((of_class.sum(axis=2) / (totals > 0).sum(axis=2)).mean(axis=0))
        shares.append(parts[0] - parts[1])
        seeds.append(first.by_seed - second.by_seed)
    low, high = percentile_interval(np.mean(replicates, axis=0))
    by_seed = np.mean(seeds, axis=0)
    if low <= 0 <= high or by_seed.min() < 0 < by_seed.max():
        return 0
    by_group = np.concatenate(shares)
    flipped = (2.0 * generator.integers(0, 2, size=(9_999, len(by_group)), dtype=np.int8) - 1.0) @ by_group
    p = (1 + (np.abs(flipped) >= abs(by_group.sum()) * (1 - 1e-9)).sum()) / 10_000
    return int(np.sign(by_seed.mean())) if p < 0.05 else 0


class Rates(NamedTuple):
    """Shares of the replicates of a cell."""

    cell: Cell
    false: float
    former: float
    coverage: float
    detectable: float
    found: float
    found_twice: float
    judged: float
    groups: float
    lost: float
    kept: float


def rates(cell: Cell, *, replicates: int, former: int) -> Rates:
    """Returns the rates of a cell; the former rule is slow and runs in `former` replicates."""
    seed = zlib.crc32(cell.name.encode())
    nulls = [by_effect(cell, 0.0, np.random.default_rng([seed, 0, index])) for index in range(replicates)]
    effects, lost = [one for one, _ in nulls], [told for _, told in nulls]
    stated = float(np.median([one.detectable for one in effects]))
    found, kept = [], []
    covered = [holds(one, 0.0) for one in effects]
    for step, size in enumerate((stated, -2 * stated), 1):
        hits = []
        for index in range(replicates):
            one, told = by_effect(cell, size, np.random.default_rng([seed, step, index]))
            covered.append(holds(one, size))
            hits.append((not holds(one, 0.0) and (one.value > 0) == (size > 0), told))
        found.append(float(np.mean([hit for hit, _ in hits])))
        kept.append(float(np.mean([hit and not told for hit, told in hits])))
    old = [
        by_former(drawn(cell, 0.0, generator), generator) != 0
        for generator in (np.random.default_rng([seed, 9, index]) for index in range(former))
    ]
    return Rates(
        cell,
        1 - float(np.mean(covered[:replicates])),
        float(np.mean(old)) if old else float("nan"),
        float(np.mean(covered)),
        stated,
        *found,
        float(np.mean([one.call != "no verdict" for one in effects])),
        float(np.median([one.groups for one in effects])),
        float(np.mean(lost)),
        kept[0],
    )


def holds(one: Effect, truth: float) -> bool:
    """Whether the interval holds the truth, a tie being no difference."""
    return one.interval.low <= truth <= one.interval.high


def main() -> int:
    """Prints the table; returns 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--replicates", type=int, default=5000)
    parser.add_argument("--former", type=int, default=200, help="replicates of the former rule")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pool", action="append", default=[], help="retrainings whose noise is resampled")
    parser.add_argument("--cell", default="", help="only cells whose name holds these words")
    arguments = parser.parse_args()
    wanted = [cell for cell in cells(arguments.pool) if arguments.cell in cell.name]
    run: Callable[[Cell], Rates] = partial(rates, replicates=arguments.replicates, former=arguments.former)
    print(f"{'cell':62} groups false former cover   MDE  found  twice judged  lost  kept")
    missed = 0
    with ProcessPoolExecutor(arguments.workers) as pool:
        for one in pool.map(run, wanted):
            lacks = below(one)
            missed += bool(lacks)
            shares = f"{one.false:5.3f} {one.former:6.3f} {one.coverage:5.3f} {one.detectable:5.3f}"
            found = f"{one.found:6.3f} {one.found_twice:6.3f} {one.judged:6.3f}"
            found += f" {one.lost:5.3f} {one.kept:5.3f}"
            print(f"{one.cell.name:62} {one.groups:6.1f} {shares} {found}  {lacks}", flush=True)
    print(f"{len(wanted)} cells, {missed} miss a bar")
    return 1 if missed else 0


def below(one: Rates) -> str:
    """Returns which bars a cell misses."""
    cell = one.cell
    if cell.seeds - cell.lacking < LEAST_SEEDS or one.groups < LEAST_GROUPS:
        return "" if one.judged == 0 else "called below the minimum"
    has_main_effects = bool(cell.by_seed or cell.by_group) and not cell.is_mostly_tied
    lacks = {
        "false": one.false > 0.06 or (has_main_effects and one.false < 0.02),
        "coverage": one.coverage < 0.94,
        "power": not cell.opposite and not 0.75 <= one.found <= 0.9,
        "twice": not cell.opposite and one.found_twice < 0.95,
    }
    return " ".join(word for word, is_missed in lacks.items() if is_missed)


if __name__ == "__main__":
    raise SystemExit(main())
