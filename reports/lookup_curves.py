"""Regret against evaluations, for every searcher of a suite on a table."""

from collections.abc import Mapping, Sequence

import numpy as np

from harness import Axis, Block, Curve, Figure, LookupBoard, Plane, Run, Section
from harness.stats.sums import Array
from harness.study.lookup.settings import LookupSuite
from harness.study.lookup.tables import heading
from harness.study.lookup.units import LOOKUP, TABLE, TableFound

PANELS = 4
"""Domains side by side in one plot."""


def render(run: Run, board: LookupBoard) -> Block:
    table = next(map(run.result, run.planned(TABLE)), None)
    if table is None:
        return Block(paragraphs=("The table was not read yet.",))
    figures = []
    for feedback in LookupSuite.of(run).feedback:
        curves = _curves(run, board, feedback, table)
        for start in range(0, len(board.domains), PANELS):
            domains = board.domains[start : start + PANELS]
            if any(domain in domains for domain, _ in curves):
                figures.append(_figure(board, feedback, curves, domains))
    paragraphs = (
        "The lines are means over seeds of the test score that the best architecture so far lacks to "
        f"{board.optimum}, in points of percent or in the domain's own unit; bands are 95 % intervals of the "
        "mean. Both axes are logarithmic"
        + (", and a line ends where nothing lacks any more." if board.sampled else "."),
    )
    return Block(paragraphs=paragraphs, figures=tuple(figures))


def _curves(run: Run, board: LookupBoard, feedback: str, table: TableFound) -> dict[tuple[str, str], Array]:
    """Returns (domain, method) -> regret in points or raw, shape (seeds, evaluations); NaN before a find."""
    budget = max(LookupSuite.of(run).search.evaluations)
    found: dict[tuple[str, str], list[Array]] = {}
    for unit in run.planned(LOOKUP):
        result = run.result(unit)
        if result is None or (unit.spec.feedback, unit.spec.evaluations) != (feedback, budget):
            continue
        domain = unit.spec.domain
        best = table.domains[domain].best.test
        factor = 1 if board.scales[domain].unit == "raw" else 100
        for search in result.searches:
            curve = np.full(budget, np.nan)
            for at, _, _, test in search.incumbents:
                curve[at - 1 :] = factor * (best - test)
            found.setdefault((domain, unit.spec.method), []).append(curve)
    return {key: np.stack(curves) for key, curves in found.items()}


def _figure(
    board: LookupBoard, feedback: str, curves: Mapping[tuple[str, str], Array], domains: Sequence[str]
) -> Figure:
    methods = list(dict.fromkeys(method for _, method in curves))
    budget = max(ranking.budget for ranking in board.rankings)
    order = [row.method for row in board.ranking(feedback, budget).rows]
    methods.sort(key=order.index)

    planes = tuple(
        _plane(
            board,
            domain,
            {method: curves[domain, method] for method in methods if (domain, method) in curves},
        )
        for domain in domains
    )
    least = board.ranking(feedback, budget).rows[0]
    alt = (
        f"{board.table}, {feedback} as feedback: mean regret of the best architecture so far against "
        f"evaluations, one panel per domain. At {budget} evaluations {least.method} is lowest on average."
    )
    marks = [mark for mark in (1, 2, 5, 10, 25, 50, 100, 200, 500) if mark < budget] + [budget]
    data = [
        {"domain": domain, "method": method, "evaluations": mark, "regret": regrets[:, mark - 1].mean()}
        for (domain, method), regrets in curves.items()
        if domain in domains
        for mark in marks
    ]
    first = board.domains.index(domains[0])
    name = f"lookup-curves-{feedback}-{first}"
    return Figure(name=name, alt=alt, plots=planes, data=data)


def _plane(board: LookupBoard, domain: str, curves: Mapping[str, Array]) -> Plane:
    """Returns the mean regret of each method with its interval on two logarithmic axes."""
    lines = []
    for method, regrets in curves.items():
        mean = regrets.mean(axis=0)
        half = 1.96 * regrets.std(axis=0, ddof=1) / np.sqrt(len(regrets)) if len(regrets) > 1 else 0 * mean
        least = 0.2 * float(np.nanmin(mean[mean > 0], initial=1.0))
        at = [place for place in _places(len(mean)) if mean[place - 1] > 0]
        lines.append(
            Curve(
                series=method,
                points=tuple((float(place), float(mean[place - 1])) for place in at),
                band=tuple(
                    (
                        float(place),
                        max(least, float(mean[place - 1] - half[place - 1])),
                        float(mean[place - 1] + half[place - 1]),
                    )
                    for place in at
                ),
            )
        )
    unit = "raw" if board.scales[domain].unit == "raw" else "in points"
    return Plane(
        title=heading(board, domain),
        x=Axis(label="evaluations", is_log=True),
        y=Axis(label=f"regret {unit}", better="lower", is_log=True),
        lines=tuple(lines),
    )


def _places(count: int) -> list[int]:
    """Returns evaluations from 1 to `count`, every one at first and then at equal ratios."""
    return sorted({round(place) for place in np.geomspace(1, count, 60)})


SECTION = Section(
    title="Search efficiency",
    order=50,
    summary="How fast each searcher comes near the best that is known.",
    render=render,
    studies=("lookup",),
)
