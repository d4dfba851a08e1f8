"""The board of a suite on rank quality: how well each strategy's inherited scores order architectures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from harness.board.marks import CURRENT, Marked, Marks, mark_notes, marks_of, with_marks
from harness.board.table import Table
from harness.board.values import Estimate
from harness.board.wording import MISSING, show_correlation, unit_of_difference
from harness.catalog import metric_of
from harness.identity.unit import AnyUnit, Unit
from harness.run.loaded import Run
from harness.seeds import generator
from harness.stats.bootstrap import Comparison, percentile_interval, two_sided_p
from harness.stats.ranks import kendall
from harness.stats.sums import Array
from harness.study.ranking.settings import PlannedRanking
from harness.study.work.units import (
    INHERITED,
    SCRATCH,
    Inherited,
    InheritedSpec,
    Scratch,
    ScratchSpec,
)

REPLICATES = 4000
CONTROLS = ("parameters", "macs")
ALONE = "training alone, another seed"


@dataclass(frozen=True, kw_only=True)
class RankingRow:
    """One way to order the architectures.

    Attributes:
        name: a strategy, or a control.
        tau: Kendall's tau-b with the scores of training alone, mean over seeds; None when something lacks.
        difference: tau minus that of the order by parameters; None for that control itself.
        regret: what the first by this order lacks to the best when trained alone, mean over seeds.
        reason: why there is no tau.
        marks: when and where it was made.
    """

    name: str
    tau: Estimate | None = None
    difference: Comparison | None = None
    regret: float | None = None
    reason: str | None = None
    marks: Marks = CURRENT


@dataclass(frozen=True, kw_only=True)
class SpaceRanking:
    """All orders of one set of architectures.

    Attributes:
        space: what they were drawn from.
        rows: strategies by tau, then controls.
        scores: name -> scores, shape (seeds, architectures), of strategies and of training alone.
    """

    space: str
    rows: tuple[RankingRow, ...]
    scores: Mapping[str, Sequence[Sequence[float]]]

    @property
    def best(self) -> RankingRow | None:
        """The strategy with the highest tau, and no control; None where results lack."""
        found = (row for row in self.rows if row.tau and row.name not in (*CONTROLS, ALONE))
        return next(found, None)


@dataclass(frozen=True, kw_only=True)
class RankingBoard:
    """How architectures of each space are ordered.

    Attributes:
        name: the suite's name.
        title: the suite's title.
        limit: largest number of samples of each split; None for all.
        task: catalog name.
        metric: of the scores.
        architectures: how many of each space were trained alone for every seed.
        seeds: of supernets and trainings.
        spaces: as the suite names them.
    """

    study: ClassVar[str] = "ranking"
    name: str
    title: str
    limit: int | None
    task: str
    metric: str
    architectures: int
    seeds: tuple[int, ...]
    spaces: tuple[SpaceRanking, ...]


def build_ranking_board(run: Run) -> RankingBoard:
    suite = PlannedRanking.of(run)
    return RankingBoard(
        name=run.name,
        title=run.title,
        limit=run.limit,
        task=suite.task.name,
        metric=suite.task.metric,
        architectures=suite.architectures,
        seeds=tuple(suite.seeds),
        spaces=tuple(_space_ranking(run, space, suite) for space in suite.spaces),
    )


def _space_ranking(run: Run, space: str, suite: PlannedRanking) -> SpaceRanking:
    slices = [unit for unit in run.planned(INHERITED) if unit.spec.space == space]
    trainings = [unit for unit in run.planned(SCRATCH) if unit.spec.space == space]
    alone = _alone(run, trainings, suite.seeds, suite.architectures)
    names: list[str] = [*suite.strategies]
    units = {name: [unit for unit in slices if unit.spec.strategy == name] for name in names}
    inherited = {strategy: _inherited(run, own, suite.seeds) for strategy, own in units.items()}
    first = next(filter(None, map(run.result, slices)), None)
    sizes = {name: np.array([getattr(first, name)], dtype=np.float64) for name in CONTROLS if first}
    scores = {name: found for name, found in {**inherited, ALONE: alone}.items() if found is not None}
    return SpaceRanking(
        space=space,
        rows=tuple(
            _marked(run, row, trainings, units.get(row.name, [])) for row in _rows(inherited, alone, sizes)
        ),
        scores={name: found.tolist() for name, found in scores.items()},
    )


def _alone(
    run: Run, units: Sequence[Unit[ScratchSpec, Scratch]], seeds: Sequence[int], count: int
) -> Array | None:
    """Returns the scores of training alone, shape (seeds, architectures); None when one lacks."""
    done = [(unit.spec, result) for unit in units if (result := run.result(unit)) is not None]
    found = {(spec.seed, spec.index): result.score for spec, result in done}
    if len(found) < len(seeds) * count:
        return None
    return np.array([[found[seed, index] for index in range(count)] for seed in seeds])


def _inherited(
    run: Run, units: Sequence[Unit[InheritedSpec, Inherited]], seeds: Sequence[int]
) -> Array | None:
    of_seed = {unit.spec.seed: unit for unit in units}
    results = [result for seed in seeds if (result := run.result(of_seed[seed])) is not None]
    return np.array([result.scores for result in results]) if len(results) == len(seeds) else None


def _marked(run: Run, row: RankingRow, alone: Sequence[AnyUnit], units: Sequence[AnyUnit]) -> RankingRow:
    """Returns the row with its marks; what shares neither data nor protocol with the plan has no place."""
    marks = marks_of(run, [*alone, *units])
    if not marks.is_apart:
        return replace(row, marks=marks)
    return RankingRow(name=row.name, reason=f"it {marks.why}", marks=marks)


def _rows(
    inherited: Mapping[str, Array | None], alone: Array | None, sizes: Mapping[str, Array]
) -> list[RankingRow]:
    names = [*inherited, *CONTROLS, ALONE]
    if alone is None or not sizes:
        reason = "not every architecture was trained alone yet"
        return [RankingRow(name=name, reason=reason) for name in names]
    count = alone.shape[1]
    drawn = generator(0, "board", "quality").multinomial(count, np.full(count, 1 / count), size=REPLICATES)
    weights = np.vstack([np.ones(count), drawn])
    truth = alone.mean(axis=0)
    # Of each order: the scores of every seed beside those of training alone that they are to tell.
    pairs = {
        name: [(one, truth) for one in scores]
        for name, scores in {**inherited, **sizes}.items()
        if scores is not None
    }
    pairs[ALONE] = [(one, np.delete(alone, seed, axis=0).mean(axis=0)) for seed, one in enumerate(alone)]
    taus = {
        name: np.mean([kendall(one, other, weights) for one, other in found], axis=0)
        for name, found in pairs.items()
    }
    rows = []
    for name in names:
        lost = [other.max() - other[int(one.argmax())] for one, other in pairs.get(name, ())]
        rows.append(_row(name, taus.get(name), taus["parameters"], float(np.mean(lost)) if lost else None))
    return sorted(rows, key=lambda row: (row.name not in inherited, -(row.tau.value if row.tau else -2)))


def _row(name: str, taus: Array | None, control: Array, regret: float | None) -> RankingRow:
    if taus is None:
        return RankingRow(name=name, reason="a supernet of this strategy has no scores yet")
    if not np.isfinite(taus[0]):
        return RankingRow(name=name, reason="the scores do not vary, so there is no order")
    difference = None
    apart = taus - control
    if name != "parameters" and np.isfinite(apart[0]):
        known = apart[1:][np.isfinite(apart[1:])]  # a resample of one architecture has no order
        difference = Comparison(float(apart[0]), *percentile_interval(known), two_sided_p(known))
    tau = Estimate(float(taus[0]), *percentile_interval(taus[1:][np.isfinite(taus[1:])]))
    return RankingRow(name=name, tau=tau, difference=difference, regret=regret)


def ranking_tables(board: RankingBoard) -> list[Table]:
    return [_table(board, space) for space in board.spaces]


def _table(board: RankingBoard, space: SpaceRanking) -> Table:
    metric = metric_of(board.metric)
    rows = []
    for row in space.rows:
        lost = MISSING if row.regret is None else f"{metric.factor * row.regret:.{metric.decimals + 1}f}"
        difference = "reference" if row.name == "parameters" else _interval(row.difference, signed=True)
        rows.append((with_marks(row.name, row.marks), _interval(row.tau), difference, lost))
    notes = [
        f"{board.architectures} architectures of {space.space}, each trained alone with seeds "
        f"{', '.join(map(str, board.seeds))}; intervals: 95 %, percentiles of {REPLICATES:,} resamples of "
        "architectures, seeds held fixed.",
        "Regret: what the first by this order lacks to the best when trained alone, in "
        f"{unit_of_difference(board.metric)}.",
        f"`{ALONE}` is what noise of training leaves possible: one seed's scores against the others' mean.",
        *(f"{row.name}: {row.reason}" for row in space.rows if row.reason),
        *mark_notes([Marked(row.name, row.marks) for row in space.rows]),
    ]
    return Table(
        caption=f"{board.task}, {space.space}: scores against training alone (Kendall's tau-b)",
        columns=("Order by", "Tau", "Minus order by parameters", "Regret of the first"),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _interval(estimate: Estimate | Comparison | None, *, signed: bool = False) -> str:
    if estimate is None:
        return MISSING
    return show_correlation(estimate.value, estimate.low, estimate.high, signed=signed)


def ranking_verdict(board: RankingBoard) -> str:
    """Returns which strategy orders a space best, and what its intervals say of it."""
    return " ".join(ranking_sentence(space) for space in board.spaces)


def ranking_sentence(space: SpaceRanking) -> str:
    """Returns which strategy orders one space best."""
    best = space.best
    if best is None:
        return (
            f"This run cannot tell which strategy orders architectures of {space.space} best, because "
            "results lack."
        )
    start = f"In {space.space} {best.name} has the highest rank correlation with training alone, tau "
    start += _interval(best.tau)
    if best.tau is not None and best.tau.low <= 0:
        return f"{start}, which is not shown to be better than chance."
    if best.difference is None:
        return f"{start}."
    if best.difference.low > 0:
        against = "orders architectures better than their parameters do"
    elif best.difference.high < 0:
        against = "orders architectures worse than their parameters do"
    else:
        against = "cannot be told from the order by parameters"
    return f"{start}; it {against} (difference {_interval(best.difference, signed=True)})."


def csv_lines(board: RankingBoard) -> Iterator[dict[str, Any]]:
    for space in board.spaces:
        for row in space.rows:
            for name, value in (("tau", row.tau), ("difference", row.difference)):
                head = {"space": space.space, "order": row.name, "marks": str(row.marks), "what": name}
                yield head | (value._asdict() if value else {})
