"""How often a row is told from the reference at equal in-domain score when the truth is known.

    python benchmarks/equal.py [--replicates N] [--seeds S ...] [--groups G ...]

The held-out score is one line of the in-domain score for every training, but for noise of trainings, of
groups and of what both share. A row differs from the reference in its in-domain score alone (`dx`), so that
every verdict is false; then the effect that the run states as detectable is planted in it.

Columns: false verdicts of the raw difference, and at equal in-domain score; the median of the detectable
effects that runs state; how often that is found. Designs with too few effective groups give no verdict.
"""

import argparse
from itertools import product

import numpy as np
from numpy.typing import NDArray

from harness.stats.effect import Effect, SeedSums, effect
from harness.stats.equal import Sides, at_equal_score

Array = NDArray[np.float64]
Design = tuple[int, int, float, float, tuple[float, float]]
"""Seeds, groups, slope, in-domain distance, and the noise of trainings and of seeds."""
LENGTHS = (0.3, 0.2, 0.1, -0.08)
"""In-domain bits of the reference's other trainings, less those of the usual one."""
BY_GROUP = 0.1
"""Spread of bits between groups; rows differ by three tenths of it held out, and by a tenth in domain."""
SOURCE_GROUPS = 60


class World:
    """One draw of everything that rows share."""

    def __init__(self, draw: np.random.Generator, *, seeds: int, groups: int, slope: float) -> None:
        self.draw, self.seeds, self.slope = draw, seeds, slope
        self.sizes = {count: draw.lognormal(0, 1, count) * 10 for count in (groups, SOURCE_GROUPS)}
        self.levels = {count: draw.normal(0, BY_GROUP, count) for count in self.sizes}
        self.groups = groups

    def row(self, dx: float, *, by_training: float, by_seed: Array, planted: float = 0.0) -> Sides:
        """Returns a row whose in-domain score lies `dx` from that of the reference."""
        inside = 3 + dx + self.draw.normal(0, 0.02, self.seeds)
        held_out = 4 + self.slope * (inside - 3) + by_seed + planted
        held_out = held_out + self.draw.normal(0, by_training, self.seeds)
        known = self._sums(inside, SOURCE_GROUPS, 0.1, 0.01)
        return Sides([known], [self._sums(held_out, self.groups, 0.3, 0.03)], range(self.seeds))

    def _sums(self, scores: Array, count: int, own: float, both: float) -> SeedSums:
        level = self.levels[count] + self.draw.normal(0, own * BY_GROUP, count)
        bits = scores[:, None] + level + self.draw.normal(0, both, (self.seeds, count))
        sizes = np.broadcast_to(self.sizes[count], bits.shape)
        first = 0 if count == SOURCE_GROUPS else SOURCE_GROUPS
        return SeedSums(
            clusters=np.arange(first, first + count),
            numerators=(bits * sizes)[..., None],
            denominators=sizes[..., None].copy(),
        )


def drawn(
    world: World, dx: float, spread: tuple[float, float], planted: float = 0.0
) -> tuple[Effect, Effect]:
    """Returns what is said of a row raw, and at equal in-domain score."""
    by_training, of_seed = spread
    shared, own = (world.draw.normal(0, of_seed, world.seeds) for _ in range(2))
    reference, *curve = (
        world.row(length, by_training=by_training, by_seed=shared) for length in (0.0, *LENGTHS)
    )
    row = world.row(dx, by_training=by_training, by_seed=own, planted=planted)
    found = at_equal_score(row, reference, curve, is_proportion=False)
    return effect(row.outside, reference.outside), found.effect


def told(
    draw: np.random.Generator, replicates: int, design: Design, planted: float
) -> list[tuple[Effect, Effect]]:
    """Returns what is said in each of so many worlds."""
    seeds, groups, slope, dx, spread = design
    worlds = (World(draw, seeds=seeds, groups=groups, slope=slope) for _ in range(replicates))
    return [drawn(world, dx, spread, planted) for world in worlds]


def main() -> None:
    """Prints a line a design."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--groups", type=int, nargs="+", default=[200])
    asked = parser.parse_args()
    print("seeds groups slope    dx  training  seed    raw  equal    MDE  found")
    designs = product(asked.seeds, asked.groups, (1.0, -0.9), (0.0, -0.06, 0.08), ((0.04, 0.0), (0.01, 0.04)))
    for number, design in enumerate(designs):
        seeds, groups, slope, dx, spread = design
        plain = told(np.random.default_rng(number), asked.replicates, design, 0.0)
        false = [
            np.mean([one.call in ("higher", "lower") for one in row]) for row in zip(*plain, strict=True)
        ]
        stated = float(np.median([one.detectable for _, one in plain]))
        planted = told(np.random.default_rng([number, 1]), asked.replicates, design, stated)
        hit = np.mean([one.call == "higher" for _, one in planted])
        print(
            f"{seeds:5d} {groups:6d} {slope:5.1f} {dx:5.2f} {spread[0]:9.2f} {spread[1]:5.2f} "
            f"{false[0]:6.3f} {false[1]:6.3f} {stated:6.3f} {hit:6.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
