"""What the study of diversity answers where the truth is known: planted effects on the noise of real pools.

    python benchmarks/diversity.py                       # noise of the sizes that were measured, normal
    python benchmarks/diversity.py --run RUN             # residuals of a run's pools, drawn with replacement

The design is that of `diversity_language`: eight architectures of a reference and 25 hybrids whose families are
balanced, two seeds each, ten families of domains. Outcomes go through the code of the board. Of the effects, `size` is
what the study says it would find four times in five (median over replicates without any): of arms a gain of all
hybrids, of networks a gain for a family more. A search takes the best of ten by an in-domain score that is
correlated with what it is worth by a half.

Rows: what was planted. Columns: shares of the answers helps, hurts, equivalent and cannot tell of the three questions, and
how often the interval holds the truth. Diversity is called by the question about networks alone: neither main effects
of families nor faster learning may be. Of the other two, main effects are a cause: hybrids have other families.
"""  # noqa: E501  the lines of a page

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.stats.contrast import at_level
from harness.study.diversity.design import balanced_rows
from harness.study.diversity.questions import ArchitecturePool, asked_of, search_question
from harness.study.diversity.results import PoolQuestion

Array = NDArray[np.float64]
FAMILIES = ("attention", "local", "linear", "convolution", "recurrence")
REFERENCE, HYBRIDS, SEEDS, DOMAINS = 8, 25, 2, 10
MARGIN, BUDGET, LEVEL = 0.02, 5, 2.3
SIZES = {"architecture": 0.02, "interaction": 0.03, "domain": 0.03, "seed": 0.026}
"""Standard deviations at equal in-domain score, in bits, as they were measured on earlier networks."""
ASKED = ("arms", "network", "search")


@dataclass(frozen=True)
class Planted:
    """What is true.

    Attributes:
        name: of the row.
        arm: gain of all hybrids.
        kind: gain of a family more in a network.
        main: spread of the main effects of families.
        faster: in-domain bits that hybrids are ahead.
    """

    name: str
    arm: float = 0.0
    kind: float = 0.0
    main: float = 0.0
    faster: float = 0.0


@dataclass(frozen=True)
class Noise:
    """Residuals that are drawn with replacement; None for normal ones.

    Attributes:
        rows: of architectures on domains, shape (architectures, domains).
        domains: of the contrast of arms on domains, shape (domains,).
        seeds: of trainings about their architecture's mean, shape (trainings, domains).
    """

    rows: Array | None = None
    domains: Array | None = None
    seeds: Array | None = None

    def of_architectures(self, count: int, draw: np.random.Generator) -> Array:
        if self.rows is None:
            own = draw.normal(0, SIZES["architecture"], (count, 1))
            return np.asarray(own + draw.normal(0, SIZES["interaction"], (count, DOMAINS)))
        return self._signed(self.rows, count, draw)

    def of_domains(self, draw: np.random.Generator) -> Array:
        if self.domains is None:
            return draw.normal(0, SIZES["domain"], DOMAINS)
        return np.asarray(draw.choice(self.domains, DOMAINS) * draw.choice([-1, 1], DOMAINS))

    def of_seeds(self, count: int, draw: np.random.Generator) -> Array:
        if self.seeds is None:
            return draw.normal(0, SIZES["seed"], (count, DOMAINS))
        return self._signed(self.seeds, count, draw)

    def _signed(self, rows: Array, count: int, draw: np.random.Generator) -> Array:
        """Returns whole rows with a sign each, on so many of their domains."""
        places = draw.integers(rows.shape[1], size=DOMAINS)
        return np.asarray(
            rows[draw.integers(len(rows), size=count)][:, places] * draw.choice([-1, 1], (count, 1))
        )


def pool_of(planted: Planted, noise: Noise, draw: np.random.Generator) -> ArchitecturePool:
    """Returns pools in which nothing but the planted is true."""
    rows = balanced_rows(len(FAMILIES), 3, HYBRIDS)
    layers = np.concatenate([np.zeros((REFERENCE, 3), dtype=np.int64), rows])
    is_hybrid = np.arange(len(layers)) >= REFERENCE
    kinds = np.array([len(set(row)) for row in layers.tolist()])
    main = planted.main * draw.permutation(np.linspace(-1, 1, len(FAMILIES)))
    worth = planted.arm * is_hybrid + planted.kind * (kinds - 1) + main[layers].sum(axis=1)
    own = noise.of_architectures(len(layers), draw)
    worth = worth[:, None] + own + np.outer(is_hybrid, noise.of_domains(draw))
    matched, raw, select = [], [], []
    for place, gain in enumerate(worth):
        at_levels, last, chosen = [], [], []
        for _ in range(SEEDS):
            luck = noise.of_seeds(1, draw)[0]
            scores = np.array([2.6, 2.4, 2.2]) - planted.faster * is_hybrid[place] + draw.normal(0, 0.005, 3)
            held_out = 3 + 0.8 * (scores[:, None] - LEVEL) - gain - luck + draw.normal(0, 0.003, (3, DOMAINS))
            at_levels.append(at_level(-scores, -held_out, -LEVEL))
            last.append(-held_out[-1])
            chosen.append(-scores[-1] + 0.5 * gain.mean() + draw.normal(0, 0.5 * SIZES["architecture"]))
        matched.append(np.nanmean(at_levels, axis=0))
        raw.append(np.mean(last, axis=0))
        select.append(np.mean(chosen))
    names = [f"domain {place}" for place in range(DOMAINS)]
    return ArchitecturePool(
        arm=is_hybrid * 1,
        arms=("attention", "hybrid"),
        layers=layers,
        families=FAMILIES,
        held=np.zeros((len(layers), 0)),
        select=np.array(select),
        raw=np.array(raw),
        matched=np.array(matched),
        domains={name: name for name in names},
        strata=dict.fromkeys(names, ""),
        outside={},
        margin=MARGIN,
    )


def answers(planted: Planted, noise: Noise, index: int) -> dict[str, PoolQuestion]:
    """Returns the answer of each question in one replicate."""
    pool = pool_of(planted, noise, np.random.default_rng([index, len(planted.name), *planted.name.encode()]))
    found: Iterator[PoolQuestion] = asked_of(pool, "matched", ["hybrid"], permutations=0)
    return {one.asked: one for one in [*found, *search_question(pool, "matched", "hybrid", BUDGET)]}


def noise_of(folder: Path) -> Noise:
    """Returns the residuals of the pools of a run."""
    from harness.catalog import metric_of
    from harness.run.loaded import load_run
    from harness.study.diversity.pools import PoolsFound, Trained
    from harness.study.diversity.settings import PlannedDiversity
    from harness.study.diversity.units import CELL

    run = load_run(folder)
    suite = PlannedDiversity.of(run)
    assert suite.task is not None
    metric, units, arms = (
        metric_of(suite.task.metric),
        run.planned(CELL),
        tuple(one.name for one in suite.arms),
    )
    cells = [(unit.spec, run.result(unit)) for unit in units]
    done = [Trained(spec, cell, metric) for spec, cell in cells if cell is not None and spec.arm in arms]
    pools = PoolsFound(suite, suite.task, arms, units, done, (), None)
    known = {key: [one for one in scores if np.isfinite(one).all()] for key, scores in pools.matched.items()}
    means = {key: np.mean(scores, axis=0) for key, scores in known.items() if scores}
    by_arm = {arm: np.mean([one for key, one in means.items() if key[0] == arm], axis=0) for arm in arms}
    rows = np.array([one - by_arm[arm] for (arm, _), one in means.items()])
    seeds = [one - means[key] for key, scores in known.items() for one in scores if len(scores) > 1]
    factor = np.sqrt(SEEDS / max(1, SEEDS - 1))
    apart = by_arm[arms[-1]] - by_arm[arms[0]]
    return Noise(
        rows=rows,
        domains=apart - apart.mean() if len(arms) > 1 else None,
        seeds=factor * np.array(seeds) if seeds else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replicates", type=int, default=5000, help="of what is not true")
    parser.add_argument("--power", type=int, default=500, help="replicates of what is")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--run", type=Path, help="whose residuals are drawn")
    options = parser.parse_args()
    noise = noise_of(options.run) if options.run else Noise()
    with ProcessPoolExecutor(options.workers) as workers:

        def run(planted: Planted, replicates: int) -> list[dict[str, PoolQuestion]]:
            one: Callable[[int], dict[str, PoolQuestion]] = partial(answers, planted, noise)
            return list(workers.map(one, range(replicates), chunksize=20))

        print(f"{'planted':44}" + "".join(f"{f'{name}: + - = ?':26}holds  " for name in ASKED))
        nothing = run(Planted("nothing"), options.replicates)
        _print(Planted("nothing"), nothing)
        size = {name: float(np.median([one[name].detectable for one in nothing])) for name in ASKED}
        print(f"detectable: {', '.join(f'{name} {value:.4f}' for name, value in size.items())}")
        for planted in (
            Planted("main effects of families", main=0.05),
            Planted("faster learning", faster=0.1),
        ):
            _print(planted, run(planted, options.replicates))
        for name, share in (("half of it", 0.5), ("detectable", 1.0), ("twice it", 2.0)):
            for what in ASKED:
                effect = {"kind": share * size[what]} if what == "network" else {"arm": share * size[what]}
                planted = Planted(f"{name}, {what}", **effect)
                _print(planted, run(planted, options.power))


def _print(planted: Planted, found: list[dict[str, PoolQuestion]]) -> None:
    parts = []
    # What a family more is worth is a gain of hybrids, too: of as many as they have beyond one, on average.
    rows = balanced_rows(len(FAMILIES), 3, HYBRIDS)
    more = float(np.mean([len(set(row)) for row in rows.tolist()])) - 1
    truths = {"arms": planted.arm + planted.kind * more, "network": planted.kind}
    for name in ASKED:
        own = [one[name] for one in found if name in one]
        counts = Counter(one.answer for one in own)
        kinds = (("helps", "better"), ("hurts", "worse"), ("equivalent",), ("cannot tell",))
        shares = [sum(counts[one] for one in kind) / len(own) for kind in kinds]  # type: ignore[index]
        holds = ""
        if name in truths and not (planted.main and name == "arms"):
            held = [one.low <= truths[name] <= one.high for one in own]
            holds = f"{np.mean(held):.3f}"
        parts.append(f"{' '.join(f'{share:.3f}' for share in shares):26}{holds:7}")
    print(f"{planted.name:44}" + "".join(parts), flush=True)


if __name__ == "__main__":
    main()
