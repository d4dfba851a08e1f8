"""Regret against evaluations, for every searcher of a suite on a table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.board import LookupBoard, Run
from harness.report import MARKERS, Block, Figure, Section, draw, palette
from harness.stats.bootstrap import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def render(run: Run, board: LookupBoard) -> Block:
    """Returns one plot per feedback, with a panel for each domain."""
    table = next((run.result(unit) for unit in run.planned("table")), None)
    if table is None:
        return Block(paragraphs=("The table was not read yet.",))
    figures = []
    for feedback in run.suite["feedback"]:
        curves = _curves(run, board, feedback, table)
        if curves:
            figures.append(_figure(board, feedback, curves))
    paragraphs = (
        "The lines are means over seeds of the test score that the best architecture so far lacks to the "
        "table's best; bands are 95 % intervals of the mean. Both axes are logarithmic.",
    )
    return Block(paragraphs=paragraphs, figures=tuple(figures))


def _curves(
    run: Run, board: LookupBoard, feedback: str, table: Mapping[str, Any]
) -> dict[tuple[str, str], Array]:
    """Returns (domain, method) -> regret in points, shape (seeds, evaluations), nothing found being NaN."""
    budget = max(run.suite["search"]["budgets"])
    found: dict[tuple[str, str], list[Array]] = {}
    for unit in run.planned("lookup", feedback=feedback, evaluations=budget):
        result = run.result(unit)
        if result is None:
            continue
        best = table["domains"][unit.spec["domain"]]["best"]["test"]
        for search in result["searches"]:
            curve = np.full(budget, np.nan)
            for at, _, _, test in search["incumbents"]:
                curve[at - 1 :] = 100 * (best - test)
            found.setdefault((unit.spec["domain"], unit.spec["method"]), []).append(curve)
    return {key: np.stack(curves) for key, curves in found.items()}


def _figure(board: LookupBoard, feedback: str, curves: Mapping[tuple[str, str], Array]) -> Figure:
    methods = list(dict.fromkeys(method for _, method in curves))
    budget = max(ranking.budget for ranking in board.rankings)
    order = [row.method for row in board.ranking(feedback, budget).rows]
    methods.sort(key=order.index)

    def paint(axes: Sequence["Axes"]) -> None:
        colours = palette(max(10, len(methods)))
        for axis, domain in zip(axes, board.domains, strict=True):
            for index, method in enumerate(methods):
                if (domain, method) not in curves:
                    continue
                regrets = curves[domain, method]
                mean = regrets.mean(axis=0)
                half = 1.96 * regrets.std(axis=0, ddof=1) / np.sqrt(len(regrets))
                at = np.arange(1, len(mean) + 1)
                floor = np.maximum(mean - half, 0.2 * np.nanmin(mean[mean > 0], initial=1.0))
                axis.fill_between(at, floor, mean + half, color=colours[index], alpha=0.15, linewidth=0)
                axis.plot(
                    at,
                    mean,
                    color=colours[index],
                    marker=MARKERS[index % len(MARKERS)],
                    markevery=(index % 8, max(1, len(at) // 8)),
                    markersize=4,
                    linewidth=1.5,
                    label=method,
                )
            axis.set_xscale("log")
            axis.set_yscale("log")
            for scale in (axis.xaxis, axis.yaxis):
                scale.set_major_formatter("{x:g}")
                scale.set_minor_formatter("")
            axis.set_title(domain)
            axis.set_xlabel("evaluations")
            axis.grid(axis="y")
        axes[0].set_ylabel("regret in points")
        axes[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)

    least = board.ranking(feedback, budget).rows[0]
    alt = (
        f"{board.table}, {feedback} as feedback: mean regret of the best architecture so far against "
        f"evaluations, one panel per domain. At {budget} evaluations {least.method} is lowest on average."
    )
    marks = [mark for mark in (1, 2, 5, 10, 25, 50, 100, 200, 500) if mark < budget] + [budget]
    data = [
        {
            "domain": domain,
            "method": method,
            "evaluations": mark,
            "regret_points": regrets[:, mark - 1].mean(),
        }
        for (domain, method), regrets in curves.items()
        for mark in marks
    ]
    return draw(
        paint,
        name=f"lookup-curves-{feedback}",
        alt=alt,
        data=data,
        panels=len(board.domains),
        size=(11.0, 4.4),
        share_y=False,
    )


SECTION = Section(
    title="Search efficiency",
    order=70,
    summary="How fast each searcher comes near the best of the table.",
    render=render,
    boards=(LookupBoard,),
)
