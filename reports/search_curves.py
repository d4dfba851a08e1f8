"""How good the best architecture so far was after each evaluation of a search, and what tuning chose."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from harness import Axis, Block, Board, Curve, Figure, Plane, Run, Section, Table, TaskBoard, Unit
from harness.board.wording import MISSING, show_counts
from harness.search.report import SearchReport
from harness.study.trained.boards.values import Row
from harness.study.trained.results import Final, Search, Tuned
from harness.study.trained.units import SEARCH, TUNE, FinalSpec, SearchSpec
from harness.study.work.units import SUPERNET


class Searched(NamedTuple):
    """One search.

    Attributes:
        name: of its row.
        seed: of the search.
        best: score so far, by evaluation; None before there is one.
        spent: what is spent -> how much of it after each evaluation.
        result: of the search.
    """

    name: str
    seed: int
    best: tuple[float | None, ...]
    spent: Mapping[str, tuple[float, ...]]
    result: Search


COMPUTE = "tera multiply-accumulates, the supernet's included"
CHOICE = ("Against", "evaluations")
TOKENS = "tokens of the language model"
COUNTED = ("prompt_tokens", "completion_tokens")
SECONDS = "seconds on this machine, without the supernet's"


def render(run: Run, board: Board) -> Block:
    figures, tables = [], []
    for task in board.tasks:
        curves = list(_curves(run, task))
        if curves:
            figures.append(_figure(task, curves))
            tables.append(_table(task, curves))
        tuned = _tuned(run, task)
        if tuned:
            tables.append(_tuning_table(task, tuned))
    paragraphs = (
        "The score is the search's own: source validation of a slice of the supernet. It ranks candidates "
        "and is no estimate of what they reach when trained alone. The last column is Spearman's correlation "
        "of score and parameters within a search: near 1 it says that the search mostly found size.",
    )
    return Block(paragraphs=paragraphs, figures=tuple(figures), tables=tuple(tables))


def _curves(run: Run, task: TaskBoard) -> Iterator[Searched]:
    for row in task.rows:
        for final in _finals(run, task, row):
            search = run.needed(final, SEARCH)
            result = run.result(search)
            if search is None or result is None:
                continue
            scores = (-math.inf if one.score is None else one.score for one in result.history)
            best = (None if one == -math.inf else one for one in accumulate(scores, max))
            yield Searched(row.label, search.spec.seed, tuple(best), _spent(run, search, result), result)


def _spent(run: Run, search: Unit[SearchSpec, Search], result: Search) -> dict[str, tuple[float, ...]]:
    """Returns what a search had spent after each evaluation, as far as it was kept.

    An evaluation's share is that of its multiply-accumulates; what a language model took is known by
    iteration, and precedes its evaluations.
    """
    macs = [float(entry.macs or 0) for entry in result.history]
    shares = [part / sum(macs) for part in accumulate(macs)] if sum(macs) else []
    report = SearchReport.of(result.report)
    asked = _iterations(report, len(macs))
    found = {}
    supernet = run.needed(search, SUPERNET)
    before = run.result(supernet) if supernet else None
    if result.compute is not None and (supernet is None or (before and before.compute is not None)):
        first = before.compute or 0 if before else 0
        found[COMPUTE] = tuple((first + result.compute * share) / 1e12 for share in shares)
    timing = run.timings.get(search.hash)
    seconds = timing.part("evaluation") if timing else None
    if timing is not None and seconds is not None:
        waits = timing.parts.get("llm by iteration", [])
        waited = [0.0, *accumulate(waits)] if isinstance(waits, list) else [0.0]
        found[SECONDS] = tuple(
            waited[min(iteration, len(waited) - 1)] + seconds * share
            for iteration, share in zip(asked, shares, strict=False)
        )
    if report.llm is not None:
        spent = [0, *accumulate(sum(one.get(name, 0) for name in COUNTED) for one in report.iterations)]
        found[TOKENS] = tuple(float(spent[iteration]) for iteration in asked)
    else:
        found[TOKENS] = (0.0,) * len(macs)
    return found


def _iterations(report: SearchReport, evaluations: int) -> list[int]:
    """Returns how many iterations a language model had been asked for before each evaluation."""
    first = report.counters.get("random first", 0) if report.iterations else evaluations
    counts = [first, *(one.get("evaluated", 0) for one in report.iterations)]
    return [place for place, count in enumerate(counts) for _ in range(count)]


def _finals(run: Run, task: TaskBoard, row: Row) -> list[Unit[FinalSpec, Final]]:
    return task.finals(run, row.key) if task.trained_on is None else []


def _figure(task: TaskBoard, curves: Sequence[Searched]) -> Figure:
    names = list(dict.fromkeys(curve.name for curve in curves))
    plane = _plane(task, curves, names, "evaluations", [range(1, len(curve.best) + 1) for curve in curves])
    others = {
        what: (_plane(task, curves, names, what, [curve.spent[what] for curve in curves]),)
        for what in (COMPUTE, SECONDS, TOKENS)
        if any(sum(curve.spent.get(what, ())) for curve in curves)
        and all(len(curve.spent.get(what, ())) == len(curve.best) for curve in curves)
    }
    last = {
        name: sum(curve.result.score or 0.0 for curve in curves if curve.name == name)
        / sum(curve.name == name for curve in curves)
        for name in names
    }
    top = max(last, key=lambda name: last[name])
    alt = (
        f"{task.title}: best source-validation score so far against evaluations, thin lines for each seed "
        f"and a thick one for their mean, higher is better. The highest at the end is {last[top]:.4f}, by "
        f"{top}."
    )
    data = [
        {"row": curve.name, "seed": curve.seed, "evaluation": at, "best_so_far": value}
        | {what.partition(" ")[0]: spent[at - 1] for what, spent in curve.spent.items() if what in others}
        for curve in curves
        for at, value in enumerate(curve.best, start=1)
    ]
    choice = CHOICE if others else ("", "")
    name = f"search-curves-{task.slug}"
    return Figure(name=name, alt=alt, plots=(plane,), data=data, choice=choice, others=others)


def _plane(
    task: TaskBoard,
    curves: Sequence[Searched],
    names: Sequence[str],
    what: str,
    spent: Sequence[Sequence[float]],
) -> Plane:
    """Returns the curves of the rows against what their searches spent."""
    lines = []
    for name in names:
        mine = [one for one in zip(curves, spent, strict=True) if one[0].name == name]
        every = [_known(at, curve.best) for curve, at in mine]
        mean = _known(_mean([at for _, at in mine]), _mean([curve.best for curve, _ in mine]))
        thin = tuple(map(tuple, every)) if len(mine) > 1 else ()
        lines.append(Curve(series=name, points=tuple(mean), thin=thin, is_step=True))
    return Plane(
        title=task.title,
        x=Axis(label=what),
        y=Axis(label="best score so far", better="higher"),
        lines=tuple(lines),
    )


def _mean(curves: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Returns the mean curve, None before every search has a score, as long as the shortest."""
    columns = list(zip(*curves, strict=False))
    return [None if None in column else sum(filter(None, column)) / len(column) for column in columns]


def _known(spent: Sequence[float | None], curve: Sequence[float | None]) -> list[tuple[float, float]]:
    pairs = zip(spent, curve, strict=True)
    return [(float(at), value) for at, value in pairs if at is not None and value is not None]


def _table(task: TaskBoard, curves: Sequence[Searched]) -> Table:
    rows = []
    for name, seed, _, _, result in curves:
        failed = sum(entry.score is None for entry in result.history)
        spent = f"{result.evaluations:,}", str(failed), result.stopped or ""
        best = _signed(result.score or 0.0, 4), show_counts([result.parameters or 0])
        rows.append((name, str(seed), *spent, *best, _signed(result.rank_by_parameters, 2)))
    columns = ("Row", "Seed", "Evaluations", "Failed", "Stopped by", "Best score", "Its parameters")
    return Table(caption=f"{task.title}: every search", columns=(*columns, "Score by size"), rows=tuple(rows))


def _signed(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:.{digits}f}".replace("-", "−")


def _tuned(run: Run, task: TaskBoard) -> list[tuple[str, int, Tuned]]:
    return [
        (row.name, final.spec.select_seed, result)
        for row in task.rows
        for final in _finals(run, task, row)
        if (result := run.result(run.needed(final, TUNE))) is not None
    ]


def _tuning_table(task: TaskBoard, tuned: Sequence[tuple[str, int, Tuned]]) -> Table:
    """Returns what each tuning chose, beside the plain baseline, which is its first trial."""
    rows = []
    for name, seed, result in tuned:
        trials, first = result.trials, result.trials[0]
        is_whole = first.steps == max((trial.steps or 0 for trial in trials), default=0) or not first.steps
        plain = first.validation if is_whole else None
        failed = sum(trial.validation is None for trial in trials)
        scores = MISSING if plain is None else f"{plain:.4f}", f"{result.validation:.4f}"
        shape = _told(result.architecture or {}) or "its own"
        recipe = result.recipe
        changed = {"decay": recipe.weight_decay, "warm-up": recipe.warmup}
        added = f"{_told(changed)}, {' and '.join(recipe.augmentation) or 'no'} augmentation"
        chosen = f"{result.learning_rate:.2g}", added, shape, show_counts([result.parameters or 0])
        rows.append((name, str(seed), f"{len(trials):,}", str(failed), *scores, *chosen))
    return Table(
        caption=f"{task.title}: every tuning of a fixed baseline, on source validation",
        columns=(
            "Row",
            "Seed",
            "Trials",
            "Failed",
            "Plain",
            "Chosen",
            "Rate",
            "Recipe",
            "Shape",
            "Parameters",
        ),
        rows=tuple(rows),
    )


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())


SECTION = Section(
    title="Search efficiency",
    order=50,
    summary="The best architecture so far against the evaluations that were spent.",
    render=render,
    studies=("trained",),
)
