"""What the units of a study that trains leave."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.identity.schema import Schema
from harness.study.settings import RecipeSettings
from harness.task.split import Extent


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
        steps: that it was trained for, where it was stopped early.
    """

    architecture: Mapping[str, Any]
    score: float | None
    parameters: int | None
    macs: int | None
    iteration: int
    samples: int | None = None
    steps: int | None = None


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
        compute: multiply-accumulates of scoring all of them.
        rank_by_parameters: Spearman's correlation of score and parameters, in [-1, 1].
        report: the searcher's own counters and settings.
        racing: samples spent; None without races.
    """

    evaluations: int
    stopped: str | None
    history: tuple[Evaluated, ...]
    compute: int
    rank_by_parameters: float | None
    report: Mapping[str, Any]
    racing: Racing | None = None


@dataclass(frozen=True, kw_only=True)
class Trial(Schema):
    """One trial: what was tried, and its score on source validation, or the reason why it has none.

    Attributes:
        learning_rate: of the training.
        recipe: the rest of it.
        architecture: arguments of the baseline's `build`; None for the plain one.
        parameters: of the network.
        macs: of one sample.
        validation: the score.
        reason: why there is none.
        steps: that it was trained for by successive halving; None for a whole training.
    """

    learning_rate: float
    recipe: RecipeSettings
    architecture: Mapping[str, Any] | None
    parameters: int | None
    macs: int | None
    validation: float | None
    reason: str | None
    steps: int | None = None


@dataclass(frozen=True, kw_only=True)
class Tuned(Schema):
    """The best trial, whose architecture is None for the plain one, all of them, and their MACs together."""

    learning_rate: float
    recipe: RecipeSettings
    architecture: Mapping[str, Any] | None
    parameters: int | None
    validation: float | None
    evaluations: int
    trials: tuple[Trial, ...]
    compute: int


@dataclass(frozen=True, kw_only=True)
class Final(Schema):
    """What a final is and costs.

    Attributes:
        architecture: its JSON form; None for a baseline's own.
        parameters: of the network.
        macs: of one sample.
        learning_rate: that was chosen; None where an oracle chooses, or nothing was trained.
        steps: of training.
        compute: multiply-accumulates of all its trainings.
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
    compute: int
    validation: float | None
    rates: Mapping[str, float]
    outside: str | None = None
    strengths: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Score(Schema):
    """A score on one domain; its samples lie beside it.

    Attributes:
        metric: name.
        value: in the metric's unit.
        samples: that were scored.
        groups: groups of them.
        limited: whether `--limit` touched it.
        learning_rate: of the network; None where nothing was trained.
        bytes: of what was scored of a held-out domain.
        of: how much of that domain there is to score; None for others.
    """

    metric: str
    value: float
    samples: int
    groups: int
    limited: bool
    learning_rate: float | None
    bytes: int | None = None
    of: Extent | None = None


@dataclass(frozen=True, kw_only=True)
class ZeroShotScore(Score):
    """A score by lm-eval's own code, with its own figures; chance is None where it is not known."""

    measure: str | None
    chance: float | None
    aggregates: Mapping[str, Any]
    version: Any
