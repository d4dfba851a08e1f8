"""Units of a study that trains: searches, trials, finals and scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness import catalog
from harness.identity.schema import Schema
from harness.identity.unit import Read, Spec, UnitKind
from harness.learn.baseline import FloorBaseline
from harness.study.work.units import (
    PREPARE,
    PROXIES,
    SUPERNET,
    SearchingSpec,
    TrainingSpec,
    scored_reads,
    space_reads,
    task_reads,
)


@dataclass(frozen=True, kw_only=True)
class SearchSpec(SearchingSpec):
    """A search in a space, scored by slices of a supernet.

    Attributes:
        task: catalog name.
        sources: domains whose validation splits score candidates.
        space: `SPACE:PRESET`.
        seed: of the search.
        parameter_tolerance: share of the target parameters; 0 for any size.
        tuned_space: `SPACE:PRESET` that gives the target.
        validation_samples: of each source.
        document_bytes: leading bytes of a document that are scored.
        racing: whether candidates leave on the samples that show them to be worse.
        calibration_batches: that re-estimate a candidate's BatchNorm statistics.
    """

    task: str
    sources: tuple[str, ...]
    space: str
    seed: int
    parameter_tolerance: float
    tuned_space: str
    validation_samples: int
    document_bytes: int
    racing: bool = False
    calibration_batches: int = 16

    def reads(self) -> Iterator[Read]:
        yield from scored_reads(self.task)
        yield from space_reads(self.space, self.tuned_space)
        yield from super().reads()


@dataclass(frozen=True, kw_only=True)
class Evaluated(Schema):
    """An architecture that a search evaluated.

    Attributes:
        architecture: its JSON form.
        score: higher being better; None where it could not be scored.
        parameters: of its network.
        macs: of one sample.
        iteration: of the searcher.
        samples: that it was scored on, where it lost a race.
    """

    architecture: Mapping[str, Any]
    score: float | None
    parameters: int | None
    macs: int | None
    iteration: int
    samples: int | None = None


@dataclass(frozen=True, kw_only=True)
class Racing(Schema):
    """Validation samples that a race spent, of those without it."""

    samples: int
    of: int


@dataclass(frozen=True, kw_only=True)
class Search(Evaluated):
    """What a search found: its best architecture, and how.

    Attributes:
        evaluations: spent.
        stopped: why it ended before its budget was spent; None where it was.
        history: every evaluation.
        rank_by_parameters: Spearman's correlation of score and parameters, in [-1, 1].
        report: the searcher's own counters and settings.
        racing: samples spent; None without races.
    """

    evaluations: int
    stopped: str | None
    history: tuple[Evaluated, ...]
    rank_by_parameters: float | None
    report: Mapping[str, Any]
    racing: Racing | None = None


def method_reads(method: str, space: str | None, task: str) -> Iterator[Read]:
    """Yields what a row's method is made of, where it is a baseline and no search in a space chose it.

    The name of a baseline may name another that it tunes, as in tuned:FAMILY:MEMBER, or a space, as in
    default:SPACE:PRESET.
    """
    words = () if space else method.split(":")
    families = [word for word in words if word in catalog.files("baseline")]
    yield from (Read("space", word) for word in words if word in catalog.files("space"))
    yield from (Read("baseline", word) for word in families)
    if families:
        baseline = catalog.load("baseline", method)
        yield Read("model", method, tuple(getattr(baseline, "files", ())))
        if isinstance(baseline, FloorBaseline):
            yield Read("floor", catalog.load("task", task).signature.kind)


@dataclass(frozen=True, kw_only=True)
class TuneSpec(TrainingSpec):
    """Trials that tune a fixed baseline.

    Attributes:
        task: catalog name.
        sources: domains that train and score a trial.
        method: the baseline.
        space: None, as no space is searched.
        tuned_space: `SPACE:PRESET` that gives the target parameters.
        seed: of weights, batches and draws.
        evaluations: trials.
        validation_samples: of each source.
        document_bytes: leading bytes of a document that are scored.
        learning_rate: around which trials lie.
    """

    task: str
    sources: tuple[str, ...]
    method: str
    space: str | None
    tuned_space: str
    seed: int
    evaluations: int
    validation_samples: int
    document_bytes: int
    learning_rate: float

    @property
    def parameter_tolerance(self) -> None:
        """No space is searched."""
        return None

    def reads(self) -> Iterator[Read]:
        yield from scored_reads(self.task)
        yield from space_reads(self.tuned_space)
        yield from method_reads(self.method, self.space, self.task)


@dataclass(frozen=True, kw_only=True)
class Trial(Schema):
    """One trial: what was tried, and its score on source validation, or the reason why it has none."""

    learning_rate: float
    architecture: Mapping[str, Any] | None
    parameters: int | None
    validation: float | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Tuned(Schema):
    """The best trial, and all of them.

    Attributes:
        learning_rate: of the best.
        architecture: of the best; None for the plain one.
        parameters: of the best.
        validation: of the best.
        evaluations: trials.
        trials: all of them.
    """

    learning_rate: float
    architecture: Mapping[str, Any] | None
    parameters: int | None
    validation: float | None
    evaluations: int
    trials: tuple[Trial, ...]


@dataclass(frozen=True, kw_only=True)
class FinalSpec(TrainingSpec):
    """A row's network, trained from scratch.

    Attributes:
        task: catalog name.
        sources: domains that it is trained on.
        method: searcher or baseline.
        space: what was searched; None for a baseline.
        tuned_space: `SPACE:PRESET` that gives the target parameters.
        parameter_tolerance: share of them; 0 for any size.
        select_seed: of the search.
        report_seed: of weights and batches.
        validation_samples: of each source.
        document_bytes: leading bytes of a document that are scored.
        selection: rule that chooses the learning rate.
        keeps_every_rate: whether the network of each rate is kept, for an oracle.
        learning_rates: that are tried; None where trials chose one, or nothing is trained.
    """

    task: str
    sources: tuple[str, ...]
    method: str
    space: str | None
    tuned_space: str
    parameter_tolerance: float
    select_seed: int
    report_seed: int
    validation_samples: int
    document_bytes: int
    selection: str
    keeps_every_rate: bool
    learning_rates: tuple[float, ...] | None = None

    def reads(self) -> Iterator[Read]:
        yield from scored_reads(self.task)
        yield from space_reads(self.space, self.tuned_space)
        yield from method_reads(self.method, self.space, self.task)


@dataclass(frozen=True, kw_only=True)
class Final(Schema):
    """What a final is and costs.

    Attributes:
        architecture: its JSON form; None for a baseline's own.
        parameters: of the network.
        macs: of one sample.
        learning_rate: that was chosen; None where an oracle chooses, or nothing was trained.
        steps: of training.
        validation: on source validation; None where none was made.
        rates: learning rate, as Python writes it -> source validation.
        outside: what else than the sources it was trained on; None where nothing was.
        strengths: penalty of a head on frozen features -> source validation.
    """

    architecture: Mapping[str, Any] | None
    parameters: int
    macs: int
    learning_rate: float | None
    steps: int
    validation: float | None
    rates: Mapping[str, float]
    outside: str | None = None
    strengths: Mapping[str, float] | None = None


Role = Literal["source", "held_out"]


@dataclass(frozen=True, kw_only=True)
class RowScoreSpec(Spec):
    """A row's network on one domain.

    Attributes:
        task: name of the board.
        method: of the row.
        space: of the row.
        tuned_space: `SPACE:PRESET` that gave the target parameters.
        select_seed: of the search.
        report_seed: of the final.
        selection: rule that chose the learning rate.
        domain: that is scored.
        role: what it is to the row.
        samples: of its test split.
    """

    task: str
    method: str
    space: str | None
    tuned_space: str
    select_seed: int
    report_seed: int
    selection: str
    domain: str
    role: Role
    samples: int

    @property
    def key(self) -> tuple[str, str | None]:
        """The row: method and space."""
        return self.method, self.space

    @property
    def trained_task(self) -> str:
        """The task that the network was trained on."""
        return self.task

    def reads(self) -> Iterator[Read]:
        yield from space_reads(self.space, self.tuned_space)
        yield from method_reads(self.method, self.space, self.trained_task)


@dataclass(frozen=True, kw_only=True)
class ScoreSpec(RowScoreSpec):
    """A row's network on a domain of the task that it was trained on.

    Attributes:
        document_bytes: leading bytes of a document that are scored.
    """

    document_bytes: int

    def reads(self) -> Iterator[Read]:
        yield from scored_reads(self.task)
        yield from super().reads()


@dataclass(frozen=True, kw_only=True)
class Score(Schema):
    """A score on one domain; its samples lie beside it.

    Attributes:
        metric: name.
        value: in the metric's unit.
        samples: test samples.
        groups: groups of them.
        limited: whether `--limit` touched it.
        learning_rate: of the network; None where nothing was trained.
    """

    metric: str
    value: float
    samples: int
    groups: int
    limited: bool
    learning_rate: float | None


@dataclass(frozen=True, kw_only=True)
class ZeroShotSpec(RowScoreSpec):
    """A row's network on questions, or a task of lm-eval, that nothing was trained for.

    Attributes:
        trained_on: the task that it was trained on.
        metric: of the board.
        folder: of lm-eval's YAML tasks; empty for ours.
        sha256: of that folder.
    """

    trained_on: str
    metric: str
    folder: str = ""
    sha256: str = ""

    @property
    def trained_task(self) -> str:
        return self.trained_on

    def reads(self) -> Iterator[Read]:
        yield from task_reads(self.trained_on, self.metric)
        owner = self.domain.rpartition("/")[0]  # of our own questions
        yield from scored_reads(owner) if owner else ()
        yield from super().reads()


@dataclass(frozen=True, kw_only=True)
class ZeroShotScore(Score):
    """A score by lm-eval's own code.

    Attributes:
        measure: lm-eval's name of the metric.
        chance: of a blind guess; None where it is not known.
        aggregates: lm-eval's own figures.
        version: of lm-eval's task.
    """

    measure: str | None
    chance: float | None
    aggregates: Mapping[str, Any]
    version: Any


SEARCH = UnitKind(
    name="search",
    spec=SearchSpec,
    result=Search,
    work="harness.study.trained.search:search",
    cost="harness.study.trained.cost:search",
    seconds=6.0,
)
TUNE = UnitKind(
    name="tune",
    spec=TuneSpec,
    result=Tuned,
    work="harness.study.trained.tune:tune",
    cost="harness.study.trained.cost:tune",
    seconds=240.0,
    trains=True,
)
FINAL = UnitKind(
    name="final",
    spec=FinalSpec,
    result=Final,
    work="harness.study.trained.final:final",
    cost="harness.study.trained.cost:final",
    seconds=10.0,
    trains=True,
)
SCORE = UnitKind(
    name="score",
    spec=ScoreSpec,
    result=Score,
    work="harness.study.trained.score:score_unit",
    cost="harness.study.trained.cost:score",
    seconds=1.5,
)
ZERO_SHOT = UnitKind(
    name="zero_shot",
    spec=ZeroShotSpec,
    result=ZeroShotScore,
    work="harness.study.trained.zero_shot:zero_shot_score",
    cost="harness.study.trained.cost:zero_shot",
    seconds=10.0,
)
KINDS = (PREPARE, SUPERNET, PROXIES, SEARCH, TUNE, FINAL, SCORE, ZERO_SHOT)
