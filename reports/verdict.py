"""The first screen: what the run says of the claim that its suite fixed in advance, and why."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from harness import (
    AnyBoard,
    Axis,
    Bar,
    Block,
    Board,
    Cell,
    Chip,
    Difference,
    Figure,
    Forest,
    LookupBoard,
    RankingBoard,
    Run,
    Section,
    Strip,
    Strips,
    Table,
    TaskBoard,
    interval,
    strip,
    verdict,
)
from harness.board.scale import with_interval
from harness.board.values import LanguageModelUse
from harness.board.wording import show, show_correlation, show_counts, show_estimate, unit_of_difference
from harness.catalog import files, load, metric_of
from harness.study.diversity.board import DiversityBoard
from harness.study.diversity.tables import (
    QUESTIONS,
    answers,
    diversity_headline,
    leading,
    registered_lines,
)
from harness.study.lookup.board import LookupRanking
from harness.study.lookup.tables import lookup_sentences
from harness.study.settings import STEPS_PER_SAMPLE
from harness.study.trained.boards.values import Row, chosen_by
from harness.study.trained.boards.verdict import TaskVerdict, overall, task_verdict, trained_wants
from harness.study.trained.settings import PlannedSuite
from harness.study.trained.units import SearchSpec
from harness.study.work.matched import matched_space

TONES = {"better": "good", "worse": "bad"}


def render(run: Run, board: AnyBoard) -> Block:
    if isinstance(board, LookupBoard):
        first, *others = lookup_sentences(board)
        figure = _regrets(board)
        return Block(
            lead=first,
            chips=tuple(_lookup_chips(board)),
            figures=(figure,) if figure else (),
            appendix=(_other_sentences(others),) if others else (),
        )
    if isinstance(board, RankingBoard):
        return _ranking(board)
    if isinstance(board, DiversityBoard):
        return _diversity(board)
    if not isinstance(board, Board):
        return Block(lead=verdict(board))
    verdicts = [task_verdict(board, task) for task in board.decisive]
    limited: tuple[str, ...] = ()
    if run.limit is not None:
        limited = (
            f"Only {run.limit:,} samples of each split and at most {STEPS_PER_SAMPLE * run.limit:,} training "
            "steps were used, so this is a trial of the machinery.",
        )
    return Block(
        lead=overall(board, verdicts),
        chips=tuple(_chips(run, board, verdicts)),
        figures=tuple(filter(None, (_differences(run, board), _found(run, board)))),
        paragraphs=(
            *(one.sentence for one in verdicts),
            *(f"A verdict would take: {line}" for line in trained_wants(run, board)),
            *limited,
        ),
    )


def _diversity(board: DiversityBoard) -> Block:
    tones: dict[str, Literal["good", "bad"]] = {
        "helps": "good",
        "better": "good",
        "hurts": "bad",
        "worse": "bad",
    }
    chips = [
        Chip(f"{found.name}: {QUESTIONS[one.asked].format(one.about)}", one.answer, tones.get(one.answer, ""))
        for found in board.found
        for one in leading(found)
    ]
    return Block(
        lead=diversity_headline(board),
        chips=tuple(chips),
        paragraphs=(*answers(board), *registered_lines(board)),
    )


def _other_sentences(sentences: Sequence[str]) -> Table:
    """Returns what is said of the feedbacks and budgets that the suite did not fix as its verdict."""
    return Table(
        caption="Other feedbacks and budgets, which are not the verdict",
        columns=("What is said",),
        rows=tuple((one,) for one in sentences),
        labels=1,
    )


def _ranking(board: RankingBoard) -> Block:
    chips, shown = [], 0
    for space in board.spaces:
        best = space.best
        if best is None or best.tau is None:
            chips.append(Chip(space.space, "not known yet"))
            continue
        is_shown = best.tau.low > 0
        shown += is_shown
        text = f"{best.name}: tau {show_correlation(*best.tau)}"
        chips.append(Chip(space.space, text, "good" if is_shown else ""))
    lead = (
        f"On {board.task}, scores of shared weights are shown to order architectures better than chance in "
        f"{shown} of {len(board.spaces)} spaces."
    )
    return Block(lead=lead, chips=tuple(chips), paragraphs=(verdict(board),))


def _last(board: LookupBoard) -> list[LookupRanking]:
    """Returns the rankings of the largest budget, one for each feedback."""
    budget = max(ranking.budget for ranking in board.rankings)
    return [ranking for ranking in board.rankings if ranking.budget == budget]


def _lookup_chips(board: LookupBoard) -> Iterator[Chip]:
    for ranking in _last(board):
        row = ranking.row(board.claim)
        if row is not None and row.difference is not None:
            outcome = row.difference.outcome(higher_is_better=False)
            text = f"{outcome}: {with_interval(row.difference, signed=True)} points of regret"
            yield Chip(f"{ranking.feedback} as feedback", text, TONES.get(outcome, ""))  # type: ignore[arg-type]
    rows = [row for ranking in _last(board) for row in ranking.rows]
    seeds = show_counts([cell.seeds for row in rows for cell in row.cells if cell.seeds])
    yield Chip(
        "Scale",
        f"{seeds} searches a row, {len(board.domains)} domain{'s' * (len(board.domains) != 1)}, "
        f"{_last(board)[0].budget:,} evaluations of {board.table}",
    )
    yield from _stand_ins((row.method, row.llm) for row in rows)


def _regrets(board: LookupBoard) -> Figure | None:
    """Returns every row's regret less that of the reference, a panel for each feedback."""
    plots, data = [], []
    for ranking in _last(board):
        rows = [row for row in ranking.rows if row.difference is not None]
        if not rows:
            continue
        bars = tuple(
            Bar(
                series=row.method,
                label=f"{row.method}, the claim" if row.method == board.claim else row.method,
                main=interval(row.difference, 100),
                text=with_interval(row.difference, signed=True),
            )
            for row in rows
        )
        axis = Axis(
            label=f"points of normalised regret, less {board.reference}",
            better="lower",
            zero=(0.0, "no difference"),
        )
        plots.append(Forest(title=f"{board.table}, {ranking.feedback} as feedback", axis=axis, bars=bars))
        data += [
            {"feedback": ranking.feedback, "searcher": row.method, "difference": row.difference.value}
            | {"low": row.difference.low, "high": row.difference.high}
            for row in rows
            if row.difference
        ]
    alt = (
        f"Normalised regret of every searcher less that of {board.reference}, with 95 % intervals over "
        "seeds; the better side is on the right."
    )
    return Figure(name="verdict", alt=alt, plots=tuple(plots), data=data) if plots else None


def _chips(run: Run, board: Board, verdicts: list[TaskVerdict]) -> Iterator[Chip]:
    for task, told in zip(board.decisive, verdicts, strict=True):
        row = task.row(*board.claim) if board.claim else None
        text = str(told.outcome)
        if row and row.difference:
            value = show_estimate(task.metric, row.difference, signed=True)
            text += f": {value} {unit_of_difference(task.metric)}"
        yield Chip(task.title, text, TONES.get(told.outcome, ""))  # type: ignore[arg-type]
    yield Chip("Scale", _scale(run, board))
    for task in board.decisive:
        if task.again is not None:
            share = 100 * task.again.called / task.again.splits
            yield Chip(
                f"A/A, {task.title}",
                f"{share:.0f} % of splits of equal seeds called different (descriptive)",
            )
    yield from _stand_ins((row.method, row.llm) for task in board.tasks for row in task.rows)


def _stand_ins(rows: Iterable[tuple[str, LanguageModelUse | None]]) -> Iterator[Chip]:
    """Yields which rows an embedded model answered, if any."""
    stood = {f"{method} is answered by {use.model}" for method, use in rows if use and use.kind == "embedded"}
    if stood:
        told = "; ".join(sorted(stood))
        yield Chip("Stand-in model", f"{told}, in place of one that the method is meant for")


def _scale(run: Run, board: Board) -> str:
    suite = PlannedSuite.of(run)
    domains = sum(len(task.held_out) for task in board.decisive)
    sizes = [size for task in board.decisive for row in task.rows for size in row.parameters if size]
    minutes = sum(timing.seconds for timing in run.timings.values()) / 60
    parts = [
        f"{len(suite.seeds)} seed{'s' * (len(suite.seeds) != 1)}",
        f"{domains} held-out domain{'s' * (domains != 1)}",
        f"{suite.search.evaluations:,} evaluations" if suite.searchers else "no search",
        f"{show_counts(sizes)} parameters" if sizes else "no network",
        f"{minutes:,.0f} minutes of one process" if minutes else "no time told",
    ]
    return ", ".join(parts)


def _differences(run: Run, board: Board) -> Figure | None:
    """Returns the differences of the claim's row to the reference, a line for each held-out domain."""
    plots, data = [], []
    for task in board.decisive:
        row = task.row(*board.claim) if board.claim else None
        if row is None or row.difference is None:
            continue
        plots.append(_forest(run, board, task, row))
        for cell in (*row.on("held_out"), None):
            found = cell.difference if cell else row.difference
            if found is not None:
                where = cell.domain if cell else "mean"
                data.append(
                    {"board": task.title, "domain": where, "difference": found.value}
                    | {"low": found.low, "high": found.high}
                )
    if not plots:
        return None
    has_control = any(task.row(f"{board.reference} again") for task in board.decisive)
    control = f" Below it the control: {board.reference} under other seeds." if has_control else ""
    alt = (
        f"{board.claimed} less {board.reference} on every held-out domain, with 95 % intervals, a dot for "
        f"each seed; the better side is on the right of every panel.{control}"
    )
    return Figure(name="verdict", alt=alt, plots=tuple(plots), data=data)


def _forest(run: Run, board: Board, task: TaskBoard, row: Row) -> Forest:
    metric = metric_of(task.metric)
    cells = row.on("held_out")
    bars = [_of_domain(task, row, cell) for cell in cells if cell.difference]
    equal = row.at_equal.difference if row.at_equal and task.line and not task.line.lacks else None
    if row.difference is not None:
        label = f"all {len(cells)} of them" if len(cells) > 1 else cells[0].domain
        bars = [] if len(cells) == 1 else bars
        bars.append(_bar(task, row.label, label, row.difference, equal))
    again = task.row(f"{board.reference} again")
    if again is not None and again.difference is not None:
        bars.append(_bar(task, again.label, f"control: {again.name}", again.difference, None))
    claim = PlannedSuite.of(run).claim
    margin = metric.factor * claim.margin if claim else 0.0
    axis = Axis(
        label=f"{unit_of_difference(task.metric)}, less {board.reference}",
        better=metric.better,
        zero=(0.0, "no difference"),
        zone=(-margin, margin) if margin else None,
    )
    return Forest(
        title=f"{task.title}: {metric.measured}",
        axis=axis,
        bars=tuple(bars),
        main="raw score",
        second="at equal in-domain score",
    )


def _of_domain(task: TaskBoard, row: Row, cell: Cell) -> Bar:
    assert cell.difference is not None
    return _bar(task, row.label, cell.domain, cell.difference, cell.at_equal)


def _bar(task: TaskBoard, series: str, label: str, found: Difference, second: Difference | None) -> Bar:
    factor = metric_of(task.metric).factor
    counted = [
        "" if found.seeds is None else f"{found.seeds} seeds",
        "" if found.groups is None else f"{found.groups:,.0f} groups",
        "" if found.p is None else f"p = {found.p:.3f}",
        f"detectable {show(task.metric, found.detectable)}",
    ]
    return Bar(
        series=series,
        label=label,
        main=interval(found, factor),
        second=interval(second, factor),
        dots=tuple(factor * value for value in found.by_seed),
        text=show_estimate(task.metric, found, signed=True),
        told=", ".join(filter(None, counted)),
    )


def _found(run: Run, board: Board) -> Figure | None:
    """Returns the architectures that the claim's row trained, each beside the default of its space."""
    plots = []
    for task in board.decisive:
        row = task.row(*board.claim) if board.claim else None
        strips = _strips(run, board, task, row) if row is not None else []
        if strips:
            plots.append(Strips(title=task.title, strips=tuple(strips)))
    if not plots:
        return None
    alt = f"What {board.claimed} chose on each seed, and the default of the space: a brick for each layer."
    return Figure(name="found", alt=alt, plots=tuple(plots))


def _strips(run: Run, board: Board, task: TaskBoard, row: Row) -> list[Strip]:
    found = []
    default: list[Strip] = []
    name = task.trained_on or task.task
    reference = task.row(board.reference) or row
    for final in task.finals(run, row.key):
        result, chosen = run.result(final), chosen_by(run, final)
        if result is None or not result.architecture:
            continue
        is_known = name in files("task")
        if not default and is_known and chosen is not None and isinstance(chosen.spec, SearchSpec):
            space = matched_space(chosen.spec, load("task", name).signature)
            plain = space.default()
            text = f"{space.parameters(plain):,} parameters"
            default.append(
                strip(reference.label, space.to_json(plain), label=f"default of {space.name}", text=text)
            )
        label = f"seed {final.spec.select_seed}"
        text = f"{result.parameters:,} parameters"
        found.append(strip(row.label, result.architecture, label=label, text=text))
    return [*default, *found]


SECTION = Section(
    title="Verdict",
    order=10,
    summary="Made from the interval of one comparison that the suite fixed before any result.",
    render=render,
)
