"""Score and cost together, for suites on a table that name a cost."""

from collections.abc import Mapping, Sequence

import numpy as np

from harness import Axis, Block, Curve, Figure, LookupBoard, Plane, Run, Section, Table
from harness.board.values import Difference
from harness.board.wording import MISSING
from harness.stats.corrections import holm
from harness.stats.effect import seed_effect
from harness.stats.fronts import front, hypervolume
from harness.stats.intervals import t_interval
from harness.stats.sums import Array
from harness.study.lookup.settings import LookupSuite
from harness.study.lookup.tables import heading
from harness.study.lookup.units import LOOKUP, TABLE, CostFound, TableFound

Fronts = Mapping[tuple[str, str], list[Array]]
"""(domain, method) -> of each seed the chosen front: costs and test scores, shape (points, 2)."""


def render(run: Run, board: LookupBoard) -> Block:
    table = next(map(run.result, run.planned(TABLE)), None)
    if table is None or not any(about.limit for about in table.domains.values()):
        return Block()
    tables, figures = [], []
    for feedback in LookupSuite.of(run).feedback:
        for budget in sorted(set(LookupSuite.of(run).search.evaluations)):
            fronts = _fronts(run, feedback, budget)
            tables.append(_table(board, table, fronts, (feedback, budget)))
        figures.append(_figure(board, table, fronts, feedback))
    return Block(
        paragraphs=(
            "A search leaves a front: of all that it evaluated, over the limit or not, what nothing beats in "
            "feedback score without costing more. Its points are told with their test scores. Hypervolume is "
            "the area that they dominate, down to the table's highest cost and mean test score, as a share "
            "of that of the true front.",
        ),
        tables=tuple(tables),
        figures=tuple(figures),
    )


def _fronts(run: Run, feedback: str, budget: int) -> Fronts:
    found: dict[tuple[str, str], list[Array]] = {}
    for unit in run.planned(LOOKUP):
        result = run.result(unit)
        if result is None or unit.spec.feedback != feedback or unit.spec.evaluations < budget:
            continue
        for search in result.searches:
            seen = np.array([-np.inf if one is None else one for one in (search.seen or ())[:budget]])
            costs, tests = (
                np.array((told or ())[:budget], dtype=np.float64) for told in (search.costs, search.tests)
            )
            chosen = front(costs, seen)
            points = np.stack([costs[chosen], tests[chosen]], axis=1)
            found.setdefault((unit.spec.domain, unit.spec.method), []).append(points)
    return found


def _shares(board: LookupBoard, table: TableFound, fronts: Fronts, method: str) -> Array | None:
    """Returns the mean over domains of each seed's share of the hypervolume, shape (seeds,)."""
    shares = []
    for domain in board.domains:
        limit, mean = _limit(table, domain), table.domains[domain].mean
        worst = {"cost": limit.most, "score": mean}
        whole = hypervolume(*np.array(limit.front).T, **worst)
        points = fronts.get((domain, method))
        if points is None or not whole:
            return None
        shares.append([hypervolume(*one.T, **worst) / whole for one in points])
    return np.asarray(np.mean(shares, axis=0))


def _table(board: LookupBoard, table: TableFound, fronts: Fronts, which: tuple[str, int]) -> Table:
    methods = [row.method for row in board.rankings[0].rows]
    found = {method: _shares(board, table, fronts, method) for method in methods}
    complete = {method: shares for method, shares in found.items() if shares is not None}
    base = complete.get(board.reference)
    others = {one: shares for one, shares in complete.items() if one != board.reference}
    tests = {}
    if base is not None:
        tests = {method: Difference.of(seed_effect(shares, base)) for method, shares in others.items()}
    p_values = {method: test.p for method, test in tests.items() if test.p is not None}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    rows = []
    for method in sorted(methods, key=lambda one: -complete[one].mean() if one in complete else 1.0):
        shares, test = complete.get(method), tests.get(method)
        if shares is None:
            rows.append((method, MISSING, MISSING, MISSING, MISSING))
            continue
        low, high = t_interval(shares)
        volume = f"{100 * shares.mean():.2f} [{100 * low:.2f}, {100 * high:.2f}]"
        difference = _difference(test) if test else "reference"
        p = f"{max(adjusted[method], 1e-4):.4f}" if method in adjusted else MISSING
        rows.append((method, volume, difference, p, str(len(shares))))
    feedback, budget = which
    return Table(
        caption=f"{board.table}: hypervolume of score and {_cost(table)}, {feedback} as feedback, {budget} "
        "evaluations, in % of the true front's",
        columns=("Searcher", "Hypervolume", f"Minus {board.reference}", "p (Holm)", "Seeds"),
        rows=tuple(rows),
        notes=(
            "Intervals: 95 %, Student's t over seeds, mean over domains; differences: of independent seeds. "
            "A p below .0001 is printed as .0001.",
        ),
    )


def _difference(test: Difference) -> str:
    return f"{100 * test.value:+.2f} [{100 * test.low:+.2f}, {100 * test.high:+.2f}]"


def _limit(table: TableFound, domain: str) -> CostFound:
    """Returns the limit of a domain of a suite that has one."""
    limit = table.domains[domain].limit
    assert limit is not None
    return limit


def _cost(table: TableFound) -> str:
    limit = next(about.limit for about in table.domains.values() if about.limit)
    return f"{limit.cost} in {limit.unit}" if limit.unit else limit.cost


def _figure(board: LookupBoard, table: TableFound, fronts: Fronts, feedback: str) -> Figure:
    methods = [row.method for row in board.rankings[-1].rows]
    curves = {
        (domain, method): _attained(fronts[domain, method], _grid(table, domain))
        for domain in board.domains
        for method in methods
        if (domain, method) in fronts
    }

    planes = tuple(
        _plane(
            board,
            table,
            domain,
            {method: curves[domain, method] for method in methods if (domain, method) in curves},
        )
        for domain in board.domains
    )
    data = [
        {"domain": domain, "method": method, "cost": float(cost), "test": float(value)}
        for (domain, method), values in curves.items()
        for cost, value in zip(_grid(table, domain), values, strict=True)
        if np.isfinite(value)
    ]
    alt = (
        f"{board.table}, {feedback} as feedback: the mean over seeds of the best test score on the front at "
        f"most at a {_cost(table)}, for each searcher, with the table's true front."
    )
    return Figure(name=f"lookup-front-{feedback}", alt=alt, plots=planes, data=data)


def _plane(board: LookupBoard, table: TableFound, domain: str, curves: Mapping[str, Array]) -> Plane:
    scale = board.scales[domain]
    factor = scale.sign * (1 if scale.unit == "raw" else 100)
    true = Curve(
        series="true front",
        points=tuple((float(cost), factor * float(value)) for cost, value in _limit(table, domain).front),
        is_step=True,
        is_marked=False,
    )
    lines = [
        Curve(
            series=method,
            points=tuple(
                (float(cost), factor * float(value))
                for cost, value in zip(_grid(table, domain), values, strict=True)
                if np.isfinite(value)
            ),
        )
        for method, values in curves.items()
    ]
    return Plane(
        title=heading(board, domain),
        x=Axis(label=_cost(table), better="lower", is_log=True),
        y=Axis(label="test score", better="higher" if scale.sign > 0 else "lower"),
        lines=(true, *lines),
    )


def _grid(table: TableFound, domain: str) -> Array:
    limit = _limit(table, domain)
    return np.geomspace(limit.front[0][0], limit.most, 33)


def _attained(points: Sequence[Array], grid: Array) -> Array:
    """Returns the mean over seeds of what a front has at each cost; NaN where a seed has nothing yet."""
    rows = []
    for one in points:
        best = np.maximum.accumulate(one[:, 1])
        place = np.searchsorted(one[:, 0], grid, side="right") - 1
        rows.append(np.where(place >= 0, best[np.maximum(place, 0)], np.nan))
    return np.asarray(np.mean(rows, axis=0))


SECTION = Section(
    title="Score and cost together",
    order=72,
    summary="Fronts of the searchers and the area that they dominate.",
    render=render,
    studies=("lookup",),
)
