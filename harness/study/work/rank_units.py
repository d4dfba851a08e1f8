"""Units that say how well slices rank architectures: scores of slices, and of training each one alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.identity.schema import Schema
from harness.identity.unit import UnitKind
from harness.study.work.units import TrainedSpec


@dataclass(frozen=True, kw_only=True)
class DrawnSpec(TrainedSpec):
    """Scores of drawn architectures, the same for every unit; `seed` is that of weights and batches."""

    architectures: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class InheritedSpec(DrawnSpec):
    """Every drawn architecture as a slice of one supernet, which a strategy of weight sharing trained."""

    strategy: str


@dataclass(frozen=True, kw_only=True)
class Inherited(Schema):
    """Scores of slices, higher being better, with sizes; all of shape (architectures,)."""

    scores: tuple[float, ...]
    parameters: tuple[int, ...]
    macs: tuple[int, ...]
    architectures: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class ScratchSpec(DrawnSpec):
    """One drawn architecture, by its index, trained alone at each learning rate."""

    index: int
    learning_rates: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Scratch(Schema):
    """What training alone gave at its best rate; a score on source validation, higher being better."""

    architecture: Mapping[str, Any]
    score: float
    learning_rate: float
    parameters: int


INHERITED = UnitKind(
    name="inherited",
    spec=InheritedSpec,
    result=Inherited,
    work="harness.study.work.ranked:inherited",
    cost="harness.study.cost:inherited",
    seconds=20.0,
)
SCRATCH = UnitKind(
    name="scratch",
    spec=ScratchSpec,
    result=Scratch,
    work="harness.study.work.ranked:scratch",
    cost="harness.study.cost:scratch",
    seconds=10.0,
    trains=True,
)
