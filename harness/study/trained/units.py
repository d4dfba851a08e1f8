"""Units of a study that trains: searches, trials, finals and scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness import catalog
from harness.identity.unit import R, Read, S, Spec, UnitKind
from harness.learn.baseline import FloorBaseline, ReadyBaseline
from harness.study.opening import OPEN
from harness.study.trained.results import Final, Score, Search, Tuned, ZeroShotScore
from harness.study.work.units import (
    ENDPOINT,
    INHERITED,
    PREPARE,
    PROXIES,
    SCRATCH,
    SUPERNET,
    SearchingSpec,
    TrainedSpec,
    scored_reads,
    space_reads,
    task_reads,
)
from harness.task.selection import CROSS_VALIDATION, ORACLE


@dataclass(frozen=True, kw_only=True)
class SearchSpec(TrainedSpec, SearchingSpec):
    """A search in a space, scored by slices of a supernet; see `SearchSettings`.

    Without a supernet it trains each candidate alone, at `learning_rate`; else this and `steps` are None.
    Where it is `halving` a candidate is stopped early that is not among the best of its rung.
    """

    seed: int
    learning_rate: float | None = None
    racing: bool = False
    halving: bool = False
    calibration_batches: int = 16


def method_reads(method: str, space: str | None, task: str) -> Iterator[Read]:
    """Yields what a row's method is made of, where it is a baseline and no search in a space chose it.

    The name of a baseline may name another that it tunes, as in tuned:FAMILY:MEMBER, or a space, as in
    default:SPACE:PRESET; one without a name in its own may be made of others.
    """
    words = method.split(":")
    if words[0] not in catalog.files("baseline"):
        return
    made_of = () if space else getattr(catalog.load("baseline", method), "of", ())
    words = list(dict.fromkeys([*words, *(word for one in made_of for word in one.split(":"))]))
    families = [word for word in words if word in catalog.files("baseline")]
    yield from (Read("space", word) for word in words if word in catalog.files("space"))
    yield from (Read("baseline", word) for word in families)
    if families and not space:
        baseline = catalog.load("baseline", method)
        yield Read("model", method, tuple(getattr(baseline, "files", ())))
        if isinstance(baseline, FloorBaseline):
            yield Read("floor", catalog.load("task", task).signature.kind)


@dataclass(frozen=True, kw_only=True)
class RowSpec(Spec):
    """Parameters of a unit of one row.

    Attributes:
        task: catalog name, or that of a zero-shot board.
        method: searcher or baseline.
        space: what was searched; None for a baseline.
        tuned_space: `SPACE:PRESET` that gives the target parameters; None where nothing follows them.
    """

    task: str
    method: str
    space: str | None
    tuned_space: str | None = None

    @property
    def trained_task(self) -> str:
        """The task that the network is trained on."""
        return self.task

    @property
    def is_known(self) -> bool:
        baseline = None if self.space else catalog.load("baseline", self.method)
        return not isinstance(baseline, ReadyBaseline) or bool(baseline.files)

    def reads(self) -> Iterator[Read]:
        yield from super().reads()
        yield from space_reads(self.space, self.tuned_space)
        yield from method_reads(self.method, self.space, self.trained_task)


@dataclass(frozen=True, kw_only=True)
class TuneSpec(RowSpec, TrainedSpec):
    """Trials that tune a fixed baseline.

    Attributes:
        seed: of drawn trials, weights and batches.
        evaluations: whole trainings that its trials take, those at the rates of the suite included.
        learning_rates: of the suite, which every other row tries.
        strategy: how trials share them; None for whole trainings alone.
    """

    seed: int
    evaluations: int
    learning_rates: tuple[float, ...]
    strategy: Literal["asha"] | None = None


Variant = Literal["", "again", "augmented", "half", "quarter", "eighth"]
SHORTER: Mapping[Variant, int] = {"half": 2, "quarter": 4, "eighth": 8}
"""Shorter trainings of the reference -> what their steps are divided by."""


@dataclass(frozen=True, kw_only=True)
class SelectedSpec(RowSpec):
    """Parameters of a unit of a row under a rule of selection.

    One seed is that of the search, the other that of weights and batches of the final. A variant is the
    reference once more: `again` under other seeds, `augmented`, or trained for a part of its steps.
    """

    select_seed: int
    report_seed: int
    selection: str
    variant: Variant = ""

    @property
    def key(self) -> tuple[str, str | None]:
        """The row: method, with its variant, and space."""
        return f"{self.method} {self.variant}".strip(), self.space


@dataclass(frozen=True, kw_only=True)
class FinalSpec(SelectedSpec, TrainedSpec):
    """A row's network, trained from scratch.

    Attributes:
        keeps_every_rate: whether the network of each rate is kept, for an oracle.
        learning_rates: that are tried; None where trials chose one, or nothing is trained.
    """

    keeps_every_rate: bool
    learning_rates: tuple[float, ...] | None = None

    def asked(self, inputs: Mapping[str, str]) -> tuple[str, ...]:
        """Of an architecture that a search chose, it is the same network whichever search that was."""
        return ("method", "select_seed", "variant") if SEARCH.name in inputs else ()

    @property
    def trainings(self) -> int:
        """How often it trains a network."""
        if self.steps is None or self.batch_size is None or self.selection == ORACLE:
            return 0
        rates = 1 if self.learning_rates is None else len(self.learning_rates)
        if self.selection == CROSS_VALIDATION:
            return 1 + (rates * len(self.sources) if rates > 1 else 0)
        return rates


Role = Literal["source", "held_out"]


@dataclass(frozen=True, kw_only=True)
class RowScoreSpec(SelectedSpec):
    """A row's network on a domain, which has a role to the row.

    `fold` holds the domains that were held out of the network, where each of the task is in turn.
    """

    domain: str
    role: Role
    fold: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The domain, and of a source the fold where it is one of several."""
        is_of_one = self.fold and self.role == "source"
        return f"{self.domain} without {', '.join(self.fold)}" if is_of_one else self.domain


@dataclass(frozen=True, kw_only=True)
class ScoreSpec(RowScoreSpec):
    """A row's network on a domain of its task.

    Attributes:
        splits: that samples are taken of.
        samples: images or documents, at most; None for all.
        groups: that they are taken of, at most; None for all.
        bytes: of documents, at most; None for all.
        document_bytes: leading ones of each document that are scored; None for all.
    """

    splits: tuple[str, ...]
    samples: int | None
    groups: int | None
    bytes: int | None
    document_bytes: int | None

    def reads(self) -> Iterator[Read]:
        yield from scored_reads(self.task)
        yield from super().reads()


@dataclass(frozen=True, kw_only=True)
class ZeroShotSpec(RowScoreSpec):
    """A row's network on questions, or a task of lm-eval, that nothing was trained for.

    Attributes:
        samples: questions or texts, at most; None for all.
        trained_on: the task that it was trained on.
        metric: of the board.
        folder: of lm-eval's YAML tasks; empty for ours.
        sha256: of that folder.
    """

    samples: int | None
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


def _kind(
    name: str, spec: type[S], result: type[R], work: str, *, seconds: float, **more: Any
) -> UnitKind[S, R]:
    return UnitKind(
        name=name,
        spec=spec,
        result=result,
        work=f"harness.study.trained.work.{work}",
        cost=f"harness.study.trained.cost:{name}",
        seconds=seconds,
        **more,
    )


SEARCH = _kind("search", SearchSpec, Search, "search:search", seconds=6.0)
TUNE = _kind("tune", TuneSpec, Tuned, "tune:tune", seconds=240.0, trains=True, is_shared=True)
FINAL = _kind(
    "final",
    FinalSpec,
    Final,
    "final:final",
    seconds=2.0,
    trains=True,
    is_shared=True,
    takes={SEARCH.name: ("architecture",)},
)
SCORE = _kind("score", ScoreSpec, Score, "score:score_unit", seconds=0.2, is_shared=True)
ZERO_SHOT = _kind(
    "zero_shot", ZeroShotSpec, ZeroShotScore, "zero_shot:zero_shot_score", seconds=10.0, is_shared=True
)
KINDS = (
    *(PREPARE, ENDPOINT, OPEN, SUPERNET, INHERITED, SCRATCH, PROXIES, SEARCH, TUNE),
    *(FINAL, SCORE, ZERO_SHOT),
)
