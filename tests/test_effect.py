"""The effect of a row against another: by hand, under no effect, under planted ones."""

import importlib.util
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import chi2, norm, t, ttest_ind

from harness.stats.effect import Effect, SeedSums, effect, seed_effect
from harness.stats.intervals import wilson
from harness.task.split import Split

SEEDS, GROUPS, CLASSES = 5, 24, 3


@pytest.fixture(scope="module")
def verdicts() -> ModuleType:
    """Returns the simulation."""
    path = Path(__file__).parents[1] / "benchmarks" / "verdicts.py"
    spec = importlib.util.spec_from_file_location("verdicts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(
    generator: np.random.Generator, *, first: int = 0, level: float = 0.5, seeds: int = SEEDS
) -> SeedSums:
    """Returns a row whose groups are numbered from `first`."""
    bottom = generator.integers(1, 9, (GROUPS, CLASSES)) * np.ones((seeds, 1, 1))
    top = generator.binomial(bottom.astype(int), np.clip(level, 0, 1)).astype(float)
    return SeedSums(clusters=np.arange(first, first + GROUPS), numerators=top, denominators=bottom)


def on_same_samples(generator: np.random.Generator, like: SeedSums, level: float) -> SeedSums:
    top = generator.binomial(like.denominators.astype(int), level).astype(float)
    return SeedSums(clusters=like.clusters, numerators=top, denominators=like.denominators)


def by_hand(first: list[SeedSums], second: list[SeedSums]) -> tuple[float, float, float]:
    """Returns value, squared error and degrees of freedom, in loops over the definition."""
    domains = len(first)
    seeds = len(first[0].numerators)
    deltas = np.zeros((seeds, domains))
    influence: dict[int, list[float]] = {}
    weight: dict[int, float] = {}
    for d, (one, other) in enumerate(zip(first, second, strict=True)):
        whole = one.denominators[0].sum()
        for g, cluster in enumerate(one.clusters):
            share = one.denominators[0, g].sum() / whole
            weight[cluster] = weight.get(cluster, 0.0) + share / domains
            own = influence.setdefault(cluster, [0.0] * seeds)
            for s in range(seeds):
                u = 0.0
                for k in range(CLASSES):
                    n = one.denominators[s, :, k].sum()
                    theta = (one.numerators[s, :, k].sum() - other.numerators[s, :, k].sum()) / n
                    hits = one.numerators[s, g, k] - other.numerators[s, g, k]
                    u += (hits - theta * one.denominators[s, g, k]) / n / CLASSES
                    if g == 0:
                        deltas[s, d] += theta / CLASSES
                own[s] += u / (1 - share) / domains
    by_seed = deltas.mean(axis=1)
    of_seeds = sum((x - by_seed.mean()) ** 2 for x in by_seed) / (seeds * (seeds - 1))
    count = len(influence)
    of_groups = (count - 1) / count * sum((sum(own) / seeds) ** 2 for own in influence.values())
    spreads = [sum((u - sum(own) / seeds) ** 2 for u in own) for own in influence.values()]
    of_both = (count - 1) / count * sum(spreads) / (seeds * (seeds - 1))
    squares = [w**2 for w in weight.values()]
    freedom = sum(squares) ** 2 / sum(w**2 for w in squares) - 1
    total = of_seeds + of_groups
    squared = max(of_both, total - of_both)
    return by_seed.mean(), squared, squared / (of_seeds / (seeds - 1) + of_groups / freedom)


def by_hand_freedom(one: SeedSums) -> float:
    """Returns the degrees of freedom of the groups of one domain."""
    sizes = one.denominators[0].sum(axis=1)
    squares = [(size / sizes.sum()) ** 2 for size in sizes]
    return float(sum(squares) ** 2 / sum(square**2 for square in squares) - 1)


@pytest.mark.parametrize("shift", [0, 7, 1000], ids=["same names", "some names", "no name twice"])
def test_effect_is_its_definition(shift: int) -> None:
    generator = np.random.default_rng(3)
    first = [row(generator), row(generator, first=shift)]
    second = [on_same_samples(generator, one, 0.6) for one in first]
    found = effect(first, second)
    value, squared, freedom = by_hand(first, second)
    assert found.value == pytest.approx(value)
    assert found.error**2 == pytest.approx(squared)
    assert found.freedom == pytest.approx(freedom)
    half = t.ppf(0.975, freedom) * math.sqrt(squared)
    assert found.interval == pytest.approx((value - half, value + half))
    assert found.p == pytest.approx(2 * t.sf(abs(value) / math.sqrt(squared), freedom))
    assert found.value == pytest.approx(np.mean(found.by_seed))


def test_rows_that_are_not_paired_have_a_variance_each() -> None:
    generator = np.random.default_rng(4)
    first = [row(generator, seeds=6)]
    second = [
        SeedSums(
            clusters=first[0].clusters,
            numerators=on_same_samples(generator, first[0], 0.4).numerators[:5],
            denominators=first[0].denominators[:5],
        )
    ]
    found = effect(first, second, is_paired=False)
    of_seeds = sum(one[0].by_seed.var(ddof=1) / len(one[0].by_seed) for one in (first, second))
    mine, other = first[0].influence, second[0].influence
    drawn = (GROUPS - 1) / GROUPS
    of_groups = drawn * np.sum((mine.mean(axis=0) - other.mean(axis=0)) ** 2)
    of_both = drawn * sum(np.sum(one.var(axis=0, ddof=1)) / len(one) for one in (mine, other))
    assert found.error**2 == pytest.approx(of_seeds + of_groups - of_both)
    assert (found.seeds, found.by_seed) == (5, ())
    welch = ttest_ind(first[0].by_seed, second[0].by_seed, equal_var=False).df
    freedom = by_hand_freedom(first[0])
    assert found.freedom == pytest.approx(found.error**2 / (of_seeds / welch + of_groups / freedom))
    with pytest.raises(ValueError, match="not paired"):
        effect(first, second)


def test_the_other_way_round_is_the_negative() -> None:
    generator = np.random.default_rng(5)
    first = [row(generator)]
    second = [on_same_samples(generator, first[0], 0.7)]
    one, other = effect(first, second), effect(second, first)
    assert one.interval == pytest.approx((-other.interval.high, -other.interval.low))
    assert (one.p, one.error, one.freedom) == pytest.approx((other.p, other.error, other.freedom))


def test_a_tie_is_the_same_and_has_no_p() -> None:
    one = [row(np.random.default_rng(6))]
    found = effect(one, one)
    assert (found.call, found.p, found.interval) == ("same", None, (0.0, 0.0))


@pytest.mark.parametrize(
    ("seeds", "groups", "call"),
    [
        (5, 20, "lower"),
        (4, 20, "no verdict"),
        (5, 19, "no verdict"),
        (1, 20, "no verdict"),
        (5, 1, "no verdict"),
    ],
)
def test_no_verdict_below_the_least_seeds_and_groups(seeds: int, groups: int, call: str) -> None:
    bottom = np.ones((seeds, groups, 1))
    noise = np.random.default_rng(7).normal(0, 0.001, (2, seeds, groups, 1))
    rows = [
        [SeedSums(clusters=np.arange(groups), numerators=level + part, denominators=bottom)]
        for level, part in zip((0.2, 0.9), noise, strict=True)
    ]
    assert effect(*rows).call == call


def test_one_large_group_counts_as_few() -> None:
    generator = np.random.default_rng(8)
    bottom = np.ones((SEEDS, 400, 1))
    bottom[:, 0] = 400.0
    rows = [
        [
            SeedSums(
                clusters=np.arange(400),
                numerators=bottom * generator.random((SEEDS, 400, 1)),
                denominators=bottom,
            )
        ]
        for _ in range(2)
    ]
    found = effect(*rows)
    assert found.groups == pytest.approx(799**2 / (400**2 + 399))
    assert found.call == "no verdict"


def test_decision_interval_p_and_equivalence_never_contradict() -> None:
    for seed in range(200):
        generator = np.random.default_rng(seed)
        value, error = float(generator.normal(0, 0.02)), float(generator.uniform(0.001, 0.02))
        found = made(value, error, float(generator.uniform(2, 40)))
        assert found.p is not None
        assert (found.call in {"higher", "lower"}) == (found.p < 0.05)
        assert found.call != "higher" or found.value > 0
        assert found.call != "lower" or found.value < 0
        low, high = t.interval(0.9, found.freedom, found.value, found.error)
        assert (found.equivalence(0.02) < 0.05) == (low > -0.02 and high < 0.02)
        assert found.detectable > found.interval.high - found.value


def made(value: float, error: float, freedom: float = 9.0) -> Effect:
    """Returns an effect of enough seeds and groups."""
    return Effect(value=value, error=error, freedom=freedom, by_seed=(), seeds=5, groups=20.0)


def test_what_an_effect_says_follows_from_value_error_and_freedom() -> None:
    found = made(-0.3, 0.1)
    assert found.detectable == pytest.approx(
        (t.ppf(0.975, 9) + t.ppf(0.8, 9)) * 0.1 / math.sqrt(chi2.ppf(0.5, 9) / 9)
    )
    assert made(0.3, 0.1, math.inf).detectable == pytest.approx((norm.ppf(0.975) + norm.ppf(0.8)) * 0.1)
    sizes = t.ppf(0.975, 9) + t.ppf(0.8, 9)
    of_shares = replace(found, flips=0.02).detectable
    assert of_shares**2 == pytest.approx(sizes**2 * (0.01 + of_shares * 0.02) / (chi2.ppf(0.5, 9) / 9))
    assert found.equivalence(0.5) == pytest.approx(t.sf(2, 9))
    assert found.equivalence(0.2) == pytest.approx(t.sf(-1, 9))
    low, high = found.interval
    assert found.within(low - 1, high + 1) == found.interval
    assert found.within(-0.4, -0.2) == (-0.4, -0.2)


def test_what_an_effect_on_shares_adds_to_its_error_follows_from_samples_and_classes() -> None:
    ones = np.ones((5, 4, 2)) * [10, 2]  # 5 seeds, 4 groups, 2 classes: 200 and 40 samples
    row = SeedSums(clusters=np.arange(4), numerators=ones / 2, denominators=ones)
    other = SeedSums(clusters=np.arange(4) + 9, numerators=ones[:, :, :1] / 2, denominators=ones[:, :, :1])
    assert effect([row], [row], is_proportion=True).flips == pytest.approx((1 / 200 + 1 / 40) / 4)
    both = effect([row, other], [row, other], is_proportion=True).flips
    assert both == pytest.approx(((1 / 200 + 1 / 40) / 4 + 1 / 200) / 4)
    assert effect([row], [row]).flips == 0
    assert effect([row], is_proportion=True).flips == 0


def test_what_nothing_varies_in_is_certain() -> None:
    sure, none = made(0.3, 0.0, math.inf), made(0.0, 0.0, math.inf)
    assert (sure.p, none.p) == (0.0, 1.0)
    assert (sure.equivalence(0.4), sure.equivalence(0.3), sure.equivalence(0.2)) == (0.0, 1.0, 1.0)
    bottom = np.full((SEEDS, GROUPS, 1), 3.0)
    rows = [
        [SeedSums(clusters=np.arange(GROUPS), numerators=bottom * level, denominators=bottom)]
        for level in (0.1 + 0.2, 0.1)  # .30000000000000004
    ]
    found = effect(*rows)
    assert (found.error, found.call) == (0.0, "higher")
    assert effect(*rows, is_paired=False).error == 0.0
    shares = effect(*rows, is_proportion=True)
    assert shares.error * 1.96 == pytest.approx(wilson(0, GROUPS).high)
    drifting = 0.1 * np.array([1, 1 + 1e-15, 1 - 1e-15])
    assert seed_effect(drifting, [0.05] * 3).error == 0.0
    assert seed_effect([0.1, 0.2], [0.1, 0.2 + 1e-9]).error > 0


def test_a_class_that_no_group_has_and_a_domain_without_samples_add_nothing() -> None:
    generator = np.random.default_rng(9)
    one = row(generator)
    more = SeedSums(
        clusters=one.clusters,
        numerators=np.concatenate([one.numerators, np.zeros((SEEDS, GROUPS, 1))], axis=2),
        denominators=np.concatenate([one.denominators, np.zeros((SEEDS, GROUPS, 1))], axis=2),
    )
    assert more.by_seed == pytest.approx(one.by_seed)
    assert more.influence == pytest.approx(one.influence)
    nothing = np.zeros((SEEDS, GROUPS, CLASSES))
    empty = SeedSums(clusters=one.clusters, numerators=nothing, denominators=nothing)
    assert (empty.groups, empty.influence.tolist()) == (0.0, [[0.0] * GROUPS] * SEEDS)


@pytest.mark.parametrize("words", ["bits S=5 G=35 D=3, seeds groups both", "accuracy S=10 G=80 D=3"])
def test_simulated_verdicts_keep_their_promises(verdicts: ModuleType, words: str) -> None:
    cell = next(cell for cell in verdicts.cells([]) if cell.name.startswith(words))
    found = verdicts.rates(cell, replicates=400, former=0)
    assert found.false < 0.06 + 3 * math.sqrt(0.06 * 0.94 / 400)
    assert found.coverage > 0.94 - 3 * math.sqrt(0.06 * 0.94 / 1200)
    assert 0.75 - 0.065 < found.found < 0.9 + 0.045
    assert found.found_twice > 0.95
    assert found.judged == 1
    assert 0.01 < found.lost < 0.06 + 3 * math.sqrt(0.06 * 0.94 / 400)
    assert found.found - found.lost - 0.05 < found.kept < found.found


def test_the_former_rule_fails_the_simulation(verdicts: ModuleType) -> None:
    cell = next(
        cell for cell in verdicts.cells([]) if cell.name.startswith("bits S=2 G=300 D=3, seeds groups both")
    )
    found = verdicts.rates(cell, replicates=60, former=60)
    assert found.former > 0.2
    assert found.judged == 0


def test_a_group_that_stands_in_two_domains_is_one_cluster_unless_its_name_only_counts() -> None:
    def split(domain: str, *names: str) -> Split:
        nothing, count = np.zeros(0, np.uint8), len(names)
        arrays = {"images": nothing, "text": nothing, "offsets": np.zeros(1, np.int64)}
        arrays |= {"labels": np.zeros(count, np.int64), "groups": np.arange(count)}
        arrays |= {"positions": np.arange(count)}
        return Split(domain=domain, name="test", group_names=names, **arrays)

    flat = split("flat", "cat", "dog", "test/00012").clusters
    drawn = split("drawn", "dog", "test/cat", "test/00012").clusters
    assert (flat[0], flat[1]) == (drawn[1], drawn[0])
    assert flat[2] != drawn[2], "twelfth rows have nothing in common"
    assert (flat > 2**32).all()
    assert len({*flat, *drawn}) == 4


def test_seeds_and_groups_that_cancel_are_no_tie() -> None:
    by_seed, by_group = np.array([-2.0, -1, 0, 1, 2]), np.repeat([-1.0, 1], GROUPS // 2)
    bottom = np.ones((SEEDS, GROUPS, 1))
    cancelling = 0.01 * by_seed[:, None, None] * by_group[:, None]
    rows = [
        [SeedSums(clusters=np.arange(GROUPS), numerators=level * bottom, denominators=bottom)]
        for level in (0.5 + cancelling, 0.5)
    ]
    found = effect(*rows)
    spread = np.var(cancelling / (1 - 1 / GROUPS), axis=0, ddof=1).sum() / GROUPS**2 / SEEDS
    assert found.error**2 == pytest.approx((GROUPS - 1) / GROUPS * spread)
    assert (found.value, found.call) == (pytest.approx(0.0), "cannot tell")
