"""What a suite says of a study that trains."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from harness import catalog
from harness.errors import HarnessError, UnknownNameError
from harness.learn.baseline import TunedBaseline
from harness.run.loaded import Run
from harness.study.settings import (
    LanguageModelSettings,
    Limits,
    Need,
    PlannedTask,
    SearcherSettings,
    TaskSettings,
    ZeroShotSettings,
    check_language_model,
    check_task,
    check_zero_shot,
)
from harness.task.selection import DEFAULT_SELECTION, SELECTIONS


@dataclass(frozen=True, kw_only=True)
class SearchSettings(SearcherSettings):
    """The budget every searcher and the tuned baseline have.

    Attributes:
        evaluations: new, legal architectures; 0 where nothing is searched.
        parameter_tolerance: largest distance from the default's parameters, a share; 0 for any size.
        racing: drop a candidate on the samples that show it to be worse than the incumbent; without it
            every candidate is scored on all of them.
        calibration_batches: of 64 images, that re-estimate a candidate's BatchNorm statistics.
    """

    evaluations: int = 0
    parameter_tolerance: float = 0.05
    racing: bool = False
    calibration_batches: int = 16


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The row that the verdict speaks of, fixed before any result; a baseline has no space."""

    method: str
    space: str = ""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Tasks x spaces x methods x seeds, with budgets and rules.

    Attributes:
        title: shown above the board.
        study: `trained`.
        seeds: two or more; roles are crossed over consecutive pairs.
        baselines: catalog names.
        tuned_space: the space of the tuned baseline, and the source of the parameter target.
        reference: the row that others are compared with.
        claim: the row of the verdict.
        tasks: at least one.
        spaces: `SPACE:PRESET` that each searcher searches; none in a suite that compares baselines alone.
        searchers: catalog names.
        search: budget of a search.
        zero_shot: boards of what the same networks score elsewhere.
        llm: the language model.
        selection: rules that choose each row's learning rate, a board each; the verdict is the first one's.
        limits: what a unit may take.
        extends: another suite whose keys hold where this one is silent.
    """

    title: str
    study: str
    seeds: list[int]
    baselines: list[str]
    tuned_space: str
    reference: str
    claim: Claim
    tasks: list[TaskSettings]
    spaces: list[str] = field(default_factory=list)
    searchers: list[str] = field(default_factory=list)
    search: SearchSettings = field(default_factory=SearchSettings)
    zero_shot: list[ZeroShotSettings] = field(default_factory=list)
    llm: LanguageModelSettings = field(default_factory=LanguageModelSettings)
    selection: list[str] = field(default_factory=lambda: [DEFAULT_SELECTION])
    limits: Limits = field(default_factory=Limits)
    extends: str = ""


@dataclass(frozen=True, kw_only=True)
class PlannedBoard(ZeroShotSettings):
    """A board of what a task's networks score elsewhere, as `plan.json` keeps it.

    Attributes:
        sources: none, as nothing was trained for it.
        chance: None, as its scores say what chance is.
    """

    sources: list[str] = field(default_factory=list)
    chance: float | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedSuite(Suite):
    """A suite as `plan.json` keeps it: its tasks with their domains, then its zero-shot boards."""

    tasks: list[PlannedTask | PlannedBoard]  # type: ignore[assignment]
    claim: Claim | None  # type: ignore[assignment]

    @staticmethod
    def of(run: Run) -> "PlannedSuite":
        """Returns the suite of a run of this study."""
        assert isinstance(run.suite, PlannedSuite)
        return run.suite

    def task(self, name: str) -> PlannedTask | PlannedBoard:
        """Returns the task or board of that name, which there is."""
        return next(task for task in self.tasks if task.name == name)


def check_trained(suite: Suite, need: Need) -> None:
    """Raises the first thing that is wrong with a suite."""
    check_language_model(suite.llm, need)
    need(len(suite.seeds) >= 2, "seeds needs at least two, as one selects and another reports")
    need(len(set(suite.seeds)) == len(suite.seeds), "seeds has a seed twice")
    need(bool(suite.tasks), "there is no task")
    searches = bool(suite.searchers) or any(map(_is_tuned, suite.baselines))
    need(bool(suite.searchers) == bool(suite.spaces), "searchers and spaces belong together")
    need(suite.search.evaluations >= 1 or not searches, "search.evaluations must be at least 1")
    need(0 <= suite.search.parameter_tolerance < 1, "search.parameter_tolerance must be in [0, 1)")
    need(suite.search.calibration_batches >= 1, "search.calibration_batches must be at least 1")
    need(bool(suite.selection), "selection needs at least one rule")
    need(len(set(suite.selection)) == len(suite.selection), "selection has a rule twice")
    for rule in suite.selection:
        if rule not in SELECTIONS:
            raise UnknownNameError("selection rule", rule, SELECTIONS)
    names = [task.name for task in suite.tasks]
    need(len(set(names)) == len(names), "a task stands twice")
    for task in suite.tasks:
        check_task(task, need, searches=searches)
    for one in suite.zero_shot:
        check_zero_shot(one, names, need)
    boards = [*names, *(one.name for one in suite.zero_shot)]
    need(len(set(boards)) == len(boards), "a zero_shot board has the name of another board")
    rows = {*suite.baselines, *suite.searchers}
    need(suite.reference in rows, f"reference {suite.reference!r} is not among its methods")
    claim = suite.claim
    need(
        (claim.method in suite.searchers and claim.space in suite.spaces)
        or (claim.method in suite.baselines and not claim.space),
        "claim must name one of its searchers and one of its spaces, or one of its baselines alone",
    )


def _is_tuned(name: str) -> bool:
    """Whether a baseline is searched for; one that is not there is told by the plan."""
    return name in catalog.files("baseline") and isinstance(catalog.load("baseline", name), TunedBaseline)


def with_models(suite: Suite, models: Sequence[str]) -> Suite:
    """Returns the suite with more baselines, each by its name or as PATH.py:FUNCTION.

    Raises:
        HarnessError: one is no baseline.
    """
    known = catalog.files("baseline")
    named = []
    for one in models:
        is_own = one.partition(":")[0] not in known
        if is_own and ":" not in one:
            raise HarnessError(
                f"{one!r} is no baseline; there are {', '.join(known)}, and PATH.py:FUNCTION of your own."
            )
        named.append(f"file:{one}" if is_own else one)
    return replace(suite, baselines=[*suite.baselines, *(one for one in named if one not in suite.baselines)])
