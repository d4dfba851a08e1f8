"""The values a board is made of; missing is None, never 0."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from harness import catalog
from harness.board.marks import CURRENT, OUTSIDE, Marks, with_marks
from harness.board.series import Part, Series, family_of
from harness.board.values import Cell, Difference, Estimate, LanguageModelUse, Pair, Role, Splits, row_name
from harness.board.wording import with_model
from harness.identity.unit import Unit
from harness.learn.baseline import DrawnBaseline
from harness.run.loaded import Run
from harness.study.published import Published
from harness.study.settings import CORRUPTED, SEEN
from harness.study.trained.results import Final, Score, Search, Tuned
from harness.study.trained.units import (
    FINAL,
    SCORE,
    SEARCH,
    TUNE,
    ZERO_SHOT,
    FinalSpec,
    RowScoreSpec,
    SearchSpec,
    TuneSpec,
    Variant,
)
from harness.study.work.units import SUPERNET, Supernet
from harness.task.selection import DEFAULT_SELECTION

Key = tuple[str, str | None]
"""A row: method, and the space that was searched."""
LONGEST_LABEL = 44
"""Characters of a row's name in a figure; a file's path may have hundreds."""


@dataclass(frozen=True, kw_only=True)
class AtEqual:
    """A row minus the reference at equal in-domain score.

    Attributes:
        difference: over held-out domains; `no verdict` where too many trainings lie beyond the line.
        beyond: share of the row's trainings whose in-domain score no training of the line has.
    """

    difference: Difference
    beyond: float


@dataclass(frozen=True, kw_only=True)
class InDomainLine:
    """What held-out score the reference has at an in-domain score.

    Attributes:
        rows: whose trainings it goes through.
        inside: in-domain score of each training.
        outside: its mean held-out score.
        slope: at the reference, change of the held-out score with the in-domain score.
        fit: share of the variance of held-out scores that it explains.
        lacks: why nothing is compared beside it; empty where it holds.
    """

    rows: tuple[str, ...]
    inside: tuple[float, ...]
    outside: tuple[float, ...]
    slope: float
    fit: float
    lacks: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method, with the space it searched.

    Attributes:
        method: catalog name of a searcher or baseline.
        space: what it searched; None for a fixed architecture.
        seeds: (selecting seed, reporting seed) pairs that the plan has.
        cells: one per domain, sources first.
        held_out: mean over held-out domains; None unless all of them have a score.
        in_domain: mean over the sources' test splits; None unless all of them have a score.
        gap: what the row loses off its sources; positive is a loss, whatever the metric.
        difference: to the reference row on held-out domains; None for that row and for incomplete ones.
        at_equal: the same at equal in-domain score; None where the board has no line that holds.
        rank: among complete rows; None for incomplete rows, the floor, what had outside data, and what was
            made of other data or by another protocol.
        rank_best: smallest rank that the paired tests allow.
        rank_worst: largest rank that the paired tests allow.
        unbeaten: no ranked row beats it significantly, where some row beats another.
        parameters: of the model of each seed role.
        macs: multiply-accumulates of one sample, of each seed role.
        evaluations: spent by each search, or trials of each tuning; None for a fixed architecture.
        steps: training steps of each final model.
        compute: multiply-accumulates to get to each final: its own trainings, what chose it, and the whole of
            the supernet that this read; None where a supernet came trained, or a unit left no result.
        llm: None when no language model was asked.
        outside: what else than the sources it was trained on; None where nothing was.
        marks: when and where it was made.
    """

    method: str
    space: str | None
    seeds: tuple[tuple[int, int], ...]
    cells: tuple[Cell, ...]
    held_out: Estimate | None
    in_domain: Estimate | None
    gap: Estimate | None
    difference: Difference | None
    rank: int | None
    rank_best: int | None
    rank_worst: int | None
    unbeaten: bool
    parameters: tuple[int, ...]
    macs: tuple[int, ...]
    evaluations: tuple[int, ...] | None
    steps: tuple[int, ...]
    compute: tuple[int, ...] | None
    llm: LanguageModelUse | None
    outside: str | None = None
    marks: Marks = CURRENT
    at_equal: AtEqual | None = None

    @property
    def is_variant(self) -> bool:
        """Whether it is the reference once more, to show what the rule says of it; unranked."""
        return " " in self.method and self.method.rpartition(" ")[2] in get_args(Variant)

    @property
    def is_floor(self) -> bool:
        """Whether no step trained it and nothing came from outside; no network, it is shown unranked."""
        return bool(self.parameters) and not any(self.parameters) and self.outside is None

    @property
    def is_complete(self) -> bool:
        """Whether every domain has a score."""
        return all(cell.state == "ok" for cell in self.cells)

    @property
    def key(self) -> Key:
        """Method and space."""
        return self.method, self.space

    @property
    def name(self) -> str:
        """Method and space, as people read them."""
        return row_name(self.method, self.space)

    @property
    def label(self) -> str:
        """The name in figures, cut where it is long, with its marks."""
        name = self.name
        if len(name) > LONGEST_LABEL:
            name = f"{name[: LONGEST_LABEL - 16]}…{name[-15:]}"
        return with_marks(f"{name} {OUTSIDE}" if self.outside else name, self.marks)

    def on(self, role: Role) -> tuple[Cell, ...]:
        """Returns the cells of the domains with this role."""
        return tuple(cell for cell in self.cells if cell.role == role)


def scores_of(run: Run, task: str, selection: str) -> list[Unit[RowScoreSpec, Score]]:
    """Returns the units of the scores of a task, or of a zero-shot board, under a rule of selection."""
    of_board = run.planned(SCORE, ZERO_SHOT)
    return [unit for unit in of_board if (unit.spec.task, unit.spec.selection) == (task, selection)]


def finals_of(run: Run, task: str, selection: str, key: Key) -> list[Unit[FinalSpec, Final]]:
    """Returns the finals of a row, METHOD and SPACE, that was trained on `task`."""
    wanted = (task, selection, key)
    return [
        unit for unit in run.planned(FINAL) if (unit.spec.task, unit.spec.selection, unit.spec.key) == wanted
    ]


def chosen_by(run: Run, final: Unit[FinalSpec, Final]) -> Unit[SearchSpec | TuneSpec, Search | Tuned] | None:
    """Returns the search, or the trials, that chose a final's network; None for a fixed architecture."""
    return run.needed(final, SEARCH) or run.needed(final, TUNE)


def is_drawn(key: Key) -> bool:
    """Returns whether a row is one of random architectures."""
    method, space = key
    known = space is not None and method in catalog.files("baseline")
    return known and isinstance(catalog.load("baseline", method), DrawnBaseline)


def compute_of(run: Run, final: Unit[FinalSpec, Final]) -> int | None:
    """Returns the multiply-accumulates that a final took, with all that chose it; None where unknown."""
    results: list[Final | Search | Tuned | Supernet | None] = [run.result(final)]
    if search := run.needed(final, SEARCH):
        results.append(run.result(search))
    if trials := run.needed(final, TUNE):
        results.append(run.result(trials))
    if supernet := run.needed(final, SUPERNET):
        results.append(run.result(supernet))
    known = [result.compute for result in results if result is not None and result.compute is not None]
    return sum(known) if len(known) == len(results) else None


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What a space gives without a search, or a search beside its space: one row minus another, held out.

    Attributes:
        of: `space` or `search`.
        row: the row.
        control: the row of random architectures that it is compared with.
        difference: over held-out domains.
    """

    of: Literal["space", "search"]
    row: str
    control: str
    difference: Difference


@dataclass(frozen=True, kw_only=True)
class RankQuality:
    """How well what searches in a space read ranks its architectures.

    Attributes:
        space: that is searched.
        tau: Kendall's tau-b of slices' scores with those of training alone, mean over supernets.
        low: of its 95 % interval.
        high: of its 95 % interval.
        architectures: random ones, that were trained alone.
        supernets: whose slices were scored.
        by_parameters: tau-b of the order by parameters; None where all have the same.
    """

    space: str
    tau: float
    low: float
    high: float
    architectures: int
    supernets: int
    by_parameters: float | None

    @property
    def is_shown(self) -> bool:
        """Whether the ranks are shown to be better than chance."""
        return self.low > 0


@dataclass(frozen=True, kw_only=True)
class TaskBoard:
    """The rows of one task: ranked ones first, then incomplete ones, then the floor.

    Attributes:
        task: catalog name.
        selection: the rule that chose the rows' learning rates.
        metric: of every score.
        chance: the metric of a blind guess; None where it is not known.
        sources: domains that search and training saw; none of a board for which nothing was trained.
        held_out: domains that only the final score saw.
        rows: all of them.
        notes: what a reader must know beside the numbers.
        trained_on: the task whose networks are scored; None where it is this one.
        stratum: the kind of shift that the held-out domains share; empty where the task tells none apart.
        folds: domains that are held out together, each in turn; empty where one list of them is.
        regime: the reference minus the best floor, in domain; None without the two.
        is_path_only: whether the suite says that its networks do not pass the floor.
        again: what the rule says of splits of the reference's own trainings; None without enough of them.
        line: of the reference's in-domain and held-out scores; None without shorter trainings of it.
        ranks: of what searches in each space read, where architectures of it were trained alone.
        gains: of spaces and of searches, where the suite has rows of random architectures.
        published: rows of papers, with scores of held-out domains.
        pairs: every ranked row minus every later one, held out; of the first rows alone where there are many.
    """

    task: str
    selection: str
    metric: str
    chance: float | None
    sources: tuple[str, ...]
    held_out: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    trained_on: str | None = None
    stratum: str = ""
    folds: tuple[tuple[str, ...], ...] = ()
    regime: Difference | None = None
    is_path_only: bool = False
    again: Splits | None = None
    gains: tuple[Gain, ...] = ()
    line: InDomainLine | None = None
    ranks: tuple[RankQuality, ...] = ()
    published: tuple[Published, ...] = ()
    pairs: tuple[Pair, ...] = ()

    def scores(self, run: Run) -> list[Unit[RowScoreSpec, Score]]:
        """Returns the units of this board's scores."""
        domains = {*self.sources, *self.held_out}
        return [unit for unit in scores_of(run, self.task, self.selection) if unit.spec.domain in domains]

    def finals(self, run: Run, key: Key) -> list[Unit[FinalSpec, Final]]:
        """Returns the finals of a row."""
        return finals_of(run, self.trained_on or self.task, self.selection, key)

    @property
    def title(self) -> str:
        """The task, its stratum, and the rule of selection where it is not the usual one."""
        rule = "" if self.selection == DEFAULT_SELECTION else self.selection
        return ", ".join(filter(None, (self.task, self.stratum, rule)))

    @property
    def is_seen(self) -> bool:
        """Whether the held-out domains are of families that sources are of, or are corruptions of sources."""
        return self.stratum.endswith((SEEN, CORRUPTED))

    @property
    def is_corrupted(self) -> bool:
        """Whether the held-out domains are corruptions of sources."""
        return self.stratum.endswith(CORRUPTED)

    @property
    def is_past_floor(self) -> bool | None:
        """Whether the reference is shown to be better than the best floor in domain; None without the two."""
        if self.regime is None:
            return None
        return (
            self.regime.low > 0 if catalog.metric_of(self.metric).higher_is_better else self.regime.high < 0
        )

    @property
    def slug(self) -> str:
        """The title as part of a file's name."""
        return self.title.replace(",", "").replace(" ", "-")

    def row(self, method: str, space: str | None = None) -> Row | None:
        """Returns the row of `method`, in `space` where one is given; None when there is none."""
        for row in self.rows:
            if row.method == method and space in (None, row.space):
                return row
        return None


@dataclass(frozen=True, kw_only=True)
class Board:
    """All tasks of a run; holds no timing, so that equal runs have equal boards.

    Attributes:
        name: the suite's name.
        title: the suite's title.
        limit: largest number of samples of each split; None for all.
        reference: method that differences refer to.
        shared_supernet: whether all searches of a space used one supernet.
        claim: the (method, space) of the verdict, fixed in the suite before any result, its space None for a
            baseline; None without one.
        tasks: one board for each task and rule of selection.
    """

    study: ClassVar[str] = "trained"
    name: str
    title: str
    limit: int | None
    reference: str
    shared_supernet: bool
    claim: tuple[str, str | None] | None
    tasks: tuple[TaskBoard, ...]

    @property
    def claimed(self) -> str:
        """The row of the claim, as people read it; empty without one."""
        return row_name(*self.claim) if self.claim else ""

    @property
    def series(self) -> tuple[Series, ...]:
        """Its rows as figures draw them, by the names that they have there."""
        return tuple(Series(row.label, *self._drawn_as(row)) for task in self.tasks for row in task.rows)

    def _drawn_as(self, row: Row) -> tuple[str, Part]:
        """Returns a row's kind of method, and what it is to the question."""
        if row.is_floor:
            return "floor", "floor"
        family = "language model" if row.llm else family_of(row.method)
        if row.method == self.reference:
            return family, "reference"
        return family, "claim" if row.key == self.claim else ""

    @property
    def first_rule(self) -> tuple[TaskBoard, ...]:
        """The tasks under the suite's first rule of selection."""
        return tuple(task for task in self.tasks if task.selection == self.tasks[0].selection)

    @property
    def decisive(self) -> tuple[TaskBoard, ...]:
        """Those of which the verdict speaks: whose networks saw no domain of the families.

        Where a suite has none, those of corruptions of what its networks were trained on, and these alone.
        """
        unseen = tuple(task for task in self.first_rule if not task.is_seen)
        return unseen or tuple(task for task in self.first_rule if task.is_corrupted)


def show_method(row: Row) -> str:
    """Returns the method with its marks, and the language model that stood in for the paper's beside it."""
    return with_marks(with_model(row.method, row.llm), row.marks)
