"""Rows at equal in-domain score: by hand, under no effect beside a planted line, and on boards."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_run import DIVERSE, MadeRun
from numpy.typing import NDArray
from scipy.stats import norm
from working import plan_of

from harness.run.loaded import load_run
from harness.stats.effect import SeedSums, effect
from harness.stats.equal import Sides, at_equal_score, line
from harness.study.formats import render
from harness.study.study import build_board, verdict
from harness.study.trained.boards.values import Board
from harness.study.trained.units import FinalSpec

SEEDS, GROUPS = 5, 40
Array = NDArray[np.float64]
LENGTHS = np.array([0.3, 0.2, 0.1, -0.1])
"""In-domain scores of the reference's other trainings, less that of the usual one."""


def sums(scores: Array, first: int, by_group: Array) -> SeedSums:
    """Returns groups of ten bytes each, of which every seed scores what is given and the group adds to."""
    top = (scores[:, None] + by_group[None, :]) * 10.0
    clusters = np.arange(first, first + len(by_group))
    return SeedSums(clusters=clusters, numerators=top[..., None], denominators=np.full((*top.shape, 1), 10.0))


class Drawn:
    """Rows whose held-out score is the same function of the in-domain score, but for noise and `planted`."""

    def __init__(self, seed: int, *, slope: float) -> None:
        self.draw, self.slope = np.random.default_rng(seed), slope
        self.groups = self.draw.normal(0, 0.1, GROUPS)

    def row(self, inside: float, *, planted: float = 0.0) -> Sides:
        at = inside + self.draw.normal(0, 0.02, SEEDS)
        held_out = 4 + self.slope * (at - 3) + self.draw.normal(0, 0.04, SEEDS) + planted
        own = (self.draw.normal(0, 0.02, GROUPS) for _ in range(2))
        known, unknown = (self.groups + one for one in own)
        return Sides(
            [sums(at, 0, known - known.mean())], [sums(held_out, GROUPS, unknown)], range(len(held_out))
        )

    def curve(self) -> list[Sides]:
        return [self.row(3 + length) for length in LENGTHS]


def test_the_estimate_is_the_difference_of_residuals_and_its_error_a_jackknife_over_seeds() -> None:
    drawn = Drawn(0, slope=0.8)
    mine, reference, curve = drawn.row(2.9), drawn.row(3.0), drawn.curve()
    found = at_equal_score(mine, reference, curve, is_proportion=False)

    def residual(kept: list[int]) -> float:
        pool = np.concatenate([one.points[:, kept] for one in (reference, *curve)], axis=1)
        fitted = np.poly1d(np.polyfit(pool[0], pool[1], 1))
        mean = [np.mean(one.points[1, kept] - fitted(one.points[0, kept])) for one in (mine, reference)]
        return float(mean[0] - mean[1])

    every = list(range(SEEDS))
    assert found.effect.value == pytest.approx(residual(every))
    left = [residual([seed for seed in every if seed != out]) for out in every]
    of_seeds = (SEEDS - 1) / SEEDS * np.sum((np.array(left) - np.mean(left)) ** 2)
    pool = np.concatenate([one.points for one in (reference, *curve)], axis=1)
    of_groups = from_groups(mine, reference, np.polyfit(pool[0], pool[1], 1)[0])
    assert found.effect.error**2 == pytest.approx(of_seeds + of_groups)
    clusters = 1 / (1 / GROUPS / 2) - 1  # sources and held-out groups weigh nearly alike
    freedom = found.effect.error**2 / (of_seeds / (SEEDS - 1) + of_groups / clusters)
    assert found.effect.freedom == pytest.approx(freedom, rel=0.02)
    assert found.beyond == np.mean(mine.points[0] < curve[-1].points[0].min())


def from_groups(first: Sides, second: Sides, slope: float) -> float:
    """Returns the jackknife over groups of sources and held-out domains, alike for all seeds here."""
    pairs = [*zip(first.inside, second.inside, strict=True), *zip(first.outside, second.outside, strict=True)]
    parts = [one.influence.mean(axis=0) - other.influence.mean(axis=0) for one, other in pairs]
    parts[0] = -slope * parts[0]
    count = 2 * GROUPS
    return float((count - 1) / count * np.sum(np.concatenate(parts) ** 2))


def of_some(row: Sides, kept: list[int]) -> Sides:
    """Returns the trainings of some seeds, in this order."""
    inside, outside = ([one.of_seeds(kept) for one in side] for side in (row.inside, row.outside))
    return Sides(inside, outside, [row.seeds[index] for index in kept])


def test_a_seed_is_left_out_of_all_that_it_trained_wherever_it_stands() -> None:
    drawn = Drawn(3, slope=0.8)
    mine, reference, curve = drawn.row(2.9), drawn.row(3.0), drawn.curve()
    whole = at_equal_score(mine, reference, curve, is_proportion=False).effect
    turned = [of_some(one, [3, 1, 4, 0, 2]) for one in curve]
    assert at_equal_score(mine, reference, turned, is_proportion=False).effect.error == pytest.approx(
        whole.error
    )
    # One training of the line is lost, and one row of it has two seeds of its own.
    other = drawn.row(3.15)._replace(seeds=[0, 1, 2, 8, 9])
    uneven = [of_some(curve[0], [0, 1, 2, 3]), *curve[1:], of_some(other, [4, 1, 3])]  # seeds 9, 1, 8

    def value(first: Sides, out: int | None, *, is_paired: bool) -> float:
        rows = (reference, *uneven)
        pool = np.concatenate([one.points[:, [seed != out for seed in one.seeds]] for one in rows], axis=1)
        fitted = np.poly1d(np.polyfit(pool[0], pool[1], 1))
        means = []
        for row, is_cut in ((first, is_paired), (reference, True)):
            kept = [not is_cut or seed != out for seed in row.seeds]
            means.append(np.mean((row.points[1] - fitted(row.points[0]))[kept]))
        return float(means[0] - means[1])

    lost = of_some(mine, [0, 1, 3, 4])
    for first, is_paired in ((mine, True), (lost, False)):
        found = at_equal_score(first, reference, uneven, is_proportion=False).effect
        assert found.value == pytest.approx(value(first, None, is_paired=is_paired))
        left = [value(first, out, is_paired=is_paired) for out in (0, 1, 2, 3, 4, 8, 9)]
        of_seeds = 6 / 7 * np.sum((np.array(left) - np.mean(left)) ** 2)
        if not is_paired:
            residuals = [value(of_some(first, [index]), None, is_paired=False) for index in range(4)]
            of_seeds += np.var(residuals, ddof=1) / 4
        pool = np.concatenate([one.points for one in (reference, *uneven)], axis=1)
        of_groups = from_groups(first, reference, np.polyfit(pool[0], pool[1], 1)[0])
        assert found.error**2 == pytest.approx(of_seeds + of_groups)
        assert found.seeds == len(first.seeds)
    with pytest.raises(ValueError, match="has one seed"):
        at_equal_score(mine, of_some(reference, [0]), curve, is_proportion=False)


def test_without_a_slope_it_is_the_plain_effect() -> None:
    drawn = Drawn(1, slope=0.0)
    level = [sums(np.full(SEEDS, 3.0), 0, np.zeros(GROUPS))]
    mine, reference, other = (Sides(level, drawn.row(3.0).outside, range(SEEDS)) for _ in range(3))
    for is_paired in (True, False):
        plain = effect(mine.outside, reference.outside, is_paired=is_paired)
        mine = mine if is_paired else mine._replace(seeds=range(SEEDS, 2 * SEEDS))
        found = at_equal_score(mine, reference, [other], is_proportion=False).effect
        assert (found.value, found.error, found.freedom, found.groups) == pytest.approx(
            (plain.value, plain.error, plain.freedom, plain.groups),
            rel=0.01,  # clusters of sources count, and add nothing
        )


def test_the_reference_beside_its_own_line_is_a_tie_and_what_only_rounds_is_no_spread() -> None:
    drawn = Drawn(2, slope=0.8)
    reference, curve = drawn.row(3.0), drawn.curve()
    alike = at_equal_score(reference, reference, curve, is_proportion=False).effect
    assert (alike.is_tie, alike.error, alike.p) == (True, 0.0, None)
    assert np.isinf(alike.freedom) or alike.freedom >= 1


@pytest.mark.parametrize("slope", [1.0, -0.9])
def test_what_the_line_explains_is_no_effect_and_what_it_does_not_is(slope: float) -> None:
    called: dict[str, list[bool]] = {"raw": [], "equal": [], "planted": []}
    for seed in range(150):
        drawn = Drawn(seed, slope=slope)
        reference, curve = drawn.row(3.0), drawn.curve()
        mine, planted = drawn.row(2.92), drawn.row(2.92, planted=-0.2)
        called["raw"].append(effect(mine.outside, reference.outside).call in ("higher", "lower"))
        for name, row in (("equal", mine), ("planted", planted)):
            found = at_equal_score(row, reference, curve, is_proportion=False)
            called[name].append(
                found.effect.call in (("lower",) if name == "planted" else ("higher", "lower"))
            )
    assert np.mean(called["raw"]) > 0.35
    assert np.mean(called["equal"]) < 0.1
    assert np.mean(called["planted"]) > 0.9


def test_shares_lie_on_a_line_of_their_probits() -> None:
    inside = np.linspace(0.6, 0.97, 12)
    fitted = line(np.array([inside, norm.cdf(-1 + 0.7 * norm.ppf(inside))]), is_proportion=True)
    assert (fitted.intercept, fitted.slope, fitted.fit) == pytest.approx((-1, 0.7, 1))
    assert fitted.at(np.array([0.9]))[0] == pytest.approx(norm.cdf(-1 + 0.7 * norm.ppf(0.9)))
    at = norm.ppf(0.9)
    assert fitted.slope_at(0.9) == pytest.approx(0.7 * norm.pdf(-1 + 0.7 * at) / norm.pdf(at), rel=1e-5)
    assert not fitted.lacks
    assert line(np.array([inside[:7], inside[:7]]), is_proportion=True).lacks.startswith(
        "the reference has 7"
    )
    noise = np.random.default_rng(0).normal(size=12)
    assert "explains" in line(np.array([inside, noise]), is_proportion=False).lacks


INSIDE = {"tuned": 0.8, "tuned half": 0.7, "tuned quarter": 0.6, "tuned eighth": 0.5, "longer": 0.9}


def board_of(
    folder: Path,
    *,
    slope: float,
    mine: float,
    planted: float = 0.0,
    control: float | None = None,
    failed: str = "",
) -> Board:
    """Returns the board of a run whose rows have one line, but for what is planted in that of the claim.

    With a `control` the reference stands once more, with so much more in domain and nothing more elsewhere.
    """

    def samples(method: str, domain: str, seed: int) -> dict[str, Any]:
        inside = INSIDE.get(method, mine)
        shift = planted if method == "local_search" else 0.0
        more = (control or 0.0) * (seed >= 1000)
        level = inside + more if domain == "clean" else 0.5 + slope * (inside - 0.7) + shift
        draw = np.random.default_rng([seed, 1, *f"{method} {domain}".encode()])
        right = draw.random(400) < level + draw.normal(0, 0.01)
        return {"group": np.arange(400) // 4, "label": 0, "numerator": right * 1.0, "denominator": 1.0}

    claim = {"method": "local_search", "space": DIVERSE}
    rows = [("tuned", None), ("longer", None), ("local_search", DIVERSE)]
    made = MadeRun(
        folder,
        samples,
        rows=rows,
        shorter=[("tuned", None)],
        again=[] if control is None else [("tuned", None)],
        suite={"claim": claim},
        failed={(failed, "rough"): "its disk was full."},
    )
    return build_board(load_run(made.write()))


def test_a_board_has_both_scores_side_by_side(tmp_path: Path) -> None:
    board = board_of(tmp_path, slope=0.8, mine=0.88)
    task = board.tasks[0]
    assert {row.method for row in task.rows} == {"tuned", "longer", "local_search"}, (
        "shorter ones are no rows"
    )
    assert task.line is not None
    assert set(task.line.rows) == {*INSIDE}
    assert len(task.line.inside) == 25
    row = task.row("local_search")
    assert row.difference.call == "higher"
    assert row.at_equal.difference.call == "cannot tell"
    found = [cell.at_equal.value for cell in row.on("held_out")]
    assert np.mean(found) == pytest.approx(row.at_equal.difference.value, abs=0.01)
    assert all(one.at_equal is None for other in task.rows if other != row for one in other.cells)
    assert "holds up better" in verdict(board)
    assert "At equal in-domain score it is " in verdict(board)
    assert "At equal in-domain score" in render(board, "md")
    better = board_of(tmp_path / "better", slope=0.8, mine=0.75, planted=0.15)
    assert better.tasks[0].row("local_search").at_equal.difference.call == "higher"
    assert ": better." in verdict(better)


def test_nothing_is_said_at_equal_score_where_its_control_fails(tmp_path: Path) -> None:
    said = "At equal in-domain score it is "
    assert said in verdict(board_of(tmp_path / "holds", slope=2.0, mine=0.88, control=0.0))
    failed = verdict(board_of(tmp_path / "fails", slope=2.0, mine=0.88, control=0.08))
    assert said not in failed
    assert "Nothing is said at equal in-domain score, because the control failed: tuned under other" in failed
    assert "holds up better" in failed, "the plain scores of the control are those of the reference"


def test_nothing_is_said_beyond_the_line_nor_beside_one_that_explains_nothing(tmp_path: Path) -> None:
    far = board_of(tmp_path / "far", slope=0.8, mine=0.98)
    row = far.tasks[0].row("local_search")
    assert row.at_equal.beyond == 1.0
    assert row.at_equal.difference.call == "no verdict"
    assert "100 % of its trainings have an in-domain score that no training of the reference has" in verdict(
        far
    )
    assert "| (" in render(far, "md")
    flat = board_of(tmp_path / "flat", slope=0.0, mine=0.8)
    assert flat.tasks[0].row("local_search").at_equal is None
    assert all(one.at_equal is None for one in flat.tasks[0].row("local_search").cells)
    assert "because in-domain scores of the reference do not tell its held-out ones" in verdict(flat)


def test_a_row_of_the_line_that_lost_a_score_is_named(tmp_path: Path) -> None:
    board = board_of(tmp_path, slope=0.8, mine=0.88, failed="longer")
    assert board.tasks[0].row("local_search").at_equal is None
    told = "Nothing is said at equal in-domain score, because trainings of longer lack a score."
    assert told in verdict(board)
    assert told in render(board, "md")


def test_shorter_trainings_are_those_of_the_reference_alone(tmp_path: Path) -> None:
    base = 'extends = "toy"\nin_domain_line = true\n'
    plan = plan_of(base, tmp_path)
    steps = {unit.spec.key[0]: unit.spec.steps for unit in plan.units if isinstance(unit.spec, FinalSpec)}
    assert steps["tuned"] == 4
    assert [steps[f"tuned {name}"] for name in ("half", "quarter", "eighth")] == [2, 1, 1]
    assert not {name for name in steps if "half" in name} - {"tuned half"}
    floors = plan_of(f'{base}reference = "floor"\n', tmp_path)
    assert not any(getattr(unit.spec, "variant", "") for unit in floors.units), "a floor has no steps"
