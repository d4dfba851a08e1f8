"""What a suite says of a study that trains."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from harness.study.published import Published
from harness.study.settings import (
    Amount,
    Augmentation,
    Count,
    PlannedTask,
    SearcherSettings,
    SearchingSettings,
    Seeds,
    Share,
    TaskSettings,
    ZeroShotSettings,
)
from harness.task.selection import DEFAULT_SELECTION, Selection


@dataclass(frozen=True, kw_only=True)
class SearchSettings(SearcherSettings):
    """The budget of every searcher, which is also that of tuned baselines.

    Attributes:
        evaluations: new, legal architectures; 0 where nothing is searched.
        trials: whole trainings of a tuned baseline; 0 for as many as supernet and search cost.
        tuning: how a tuned baseline spends them: `whole` trainings, or `asha`, successive halving of more of
            them that are paused and go on where they are among the best third.
        training: how candidates that are trained alone spend the steps of `supernet`: `whole`, or `asha`, by
            which one is stopped after a ninth or a third of them where it is not among the best third so far;
            what is taken is trained whole.
        parameter_tolerance: largest distance from the default's parameters, a share; 0 for any size.
        racing: drop a candidate on the samples that show it to be worse than the incumbent; without it
            every candidate is scored on all of them.
        calibration_batches: of 64 images, that re-estimate a candidate's BatchNorm statistics.
        rank_architectures: architectures of each space that are trained alone, so that the board says whether
            slices of the supernet rank them better than chance; 0 for none.
        shared_supernet: whether all searches of a space use one supernet, that of the first seed; the verdict
            then says so.
    """

    evaluations: Annotated[int, Ge(0)] = 0
    trials: Annotated[int, Ge(0)] = 0
    tuning: Literal["whole", "asha"] = "whole"
    training: Literal["whole", "asha"] = "whole"
    parameter_tolerance: Share = 0.05
    racing: bool = False
    calibration_batches: Count = 16
    rank_architectures: Annotated[int, Ge(0)] = 8
    shared_supernet: bool = False


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The row that the verdict speaks of, fixed before any result.

    Attributes:
        method: searcher or baseline.
        space: that was searched; empty for a baseline.
        margin: largest difference that does not matter, in the metric's own unit; 0 for none.
    """

    method: str
    space: str = ""
    margin: Amount = 0.0


@dataclass(frozen=True, kw_only=True)
class Suite(SearchingSettings):
    """Tasks x spaces x methods x seeds, with budgets and rules.

    Attributes:
        seeds: two or more; roles are crossed over consecutive pairs.
        baselines: catalog names.
        tuned_space: the space whose default gives the parameters of all rows, and whose random architectures
            those of other spaces are compared with; wanted where several spaces are searched or a baseline
            follows that size, and the only space's own default where it is absent.
        reference: the row that others are compared with.
        again: whether the reference stands once more on the board under other seeds, so that the board says
            how often its own rule tells a row from itself.
        in_domain_line: whether the reference is trained for half, a quarter and an eighth of its steps, too,
            so that rows are compared with it at equal in-domain score as well.
        control: augmentations that a third such row is trained with, an effect that is known to be there.
        claim: the row of the verdict.
        tasks: at least one.
        spaces: `SPACE:PRESET` that each searcher searches; none in a suite that compares baselines alone.
        searchers: catalog names.
        search: budget of a search.
        zero_shot: boards of what the same networks score elsewhere.
        selection: rules that choose each row's learning rate, a board each; the verdict is the first one's.
        opens: `TASK/DOMAIN` of sealed domains that it reads; each run that does is counted.
        published: rows of papers, whose scores are of `TASK/DOMAIN`, held out.
    """

    seeds: Seeds
    baselines: list[str]
    reference: str
    claim: Claim
    tasks: Annotated[list[TaskSettings], MinLen(1)]
    again: bool = True
    in_domain_line: bool = True
    control: list[Augmentation] = field(default_factory=list)
    tuned_space: str | None = None
    spaces: list[str] = field(default_factory=list)
    searchers: list[str] = field(default_factory=list)
    search: SearchSettings = field(default_factory=SearchSettings)
    zero_shot: list[ZeroShotSettings] = field(default_factory=list)
    selection: Annotated[list[Selection], MinLen(1)] = field(default_factory=lambda: [DEFAULT_SELECTION])
    opens: list[str] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PlannedBoard(ZeroShotSettings):
    """A board as `plan.json` keeps it; nothing was trained for it, and its scores say what chance is."""

    sources: list[str] = field(default_factory=list)
    chance: float | None = None
    strata: dict[str, str] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)
    folds: list[list[str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PlannedSuite(Suite):
    """A suite as `plan.json` keeps it: its tasks with their domains, then its zero-shot boards."""

    seeds: list[int]
    tasks: list[PlannedTask | PlannedBoard]  # type: ignore[assignment]
    claim: Claim | None  # type: ignore[assignment]

    def task(self, name: str) -> PlannedTask | PlannedBoard:
        """Returns the task or board of that name, which there is."""
        return next(task for task in self.tasks if task.name == name)
