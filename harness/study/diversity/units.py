"""The units of a study of diversity: one training of a pool, and one table of published results."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.identity.schema import Schema
from harness.identity.unit import Read, Spec, UnitKind
from harness.study.diversity.results import PoolFindings
from harness.study.work.units import TrainedSpec, ValidatedSpec, scored_reads, table_reads

FLOOR = "floor"
"""The baseline that a reference has to pass in domain."""


@dataclass(frozen=True, kw_only=True)
class CellSpec(TrainedSpec):
    """One training of a pool, scored at its checkpoints on every domain.

    Attributes:
        arm: whose it is.
        index: of the architecture in its arm.
        seed: of weights and batches.
        architecture: its JSON form.
        learning_rate: constant, until the decay of a checkpoint.
        checkpoints: shares of the steps, ascending.
        decay: share of a checkpoint's steps over which the rate falls to zero.
        held_out: domains that are scored.
        splits: of them.
        source_samples: images or documents of a source's test split, at most.
        samples: the same of a held-out domain.
        groups: of a held-out domain, at most; None for all.
        bytes: of documents of a held-out domain, at most; None where bytes are not predicted.
        checkpoint_bytes: the same at every checkpoint, the last one's being a part of `bytes`.
        scored_bytes: leading bytes of each document of a held-out domain that are scored.
        opens: `TASK/DOMAIN` of sealed domains among these.
        registration: hash of the plan that was registered before anything was trained; empty without one.
    """

    arm: str
    index: int
    seed: int
    architecture: Mapping[str, Any]
    learning_rate: float
    checkpoints: tuple[float, ...]
    decay: float
    held_out: tuple[str, ...]
    splits: tuple[str, ...]
    source_samples: int
    samples: int
    groups: int | None = None
    bytes: int | None = None
    checkpoint_bytes: int | None = None
    scored_bytes: int | None = None
    opens: tuple[str, ...] = ()
    registration: str = ""

    @property
    def words(self) -> list[str]:
        return [self.task, self.arm, str(self.index), f"seed {self.seed}"]

    @property
    def order(self) -> tuple[str, ...]:
        return (self.task, self.arm, f"{self.index:>6}", f"{self.seed:>6}")

    @property
    def row(self) -> tuple[str, ...]:
        return (self.task, self.arm, str(self.index))

    def reads(self) -> Iterator[Read]:
        yield from scored_reads(self.task)
        yield from super().reads()


@dataclass(frozen=True, kw_only=True)
class ShortScores(Schema):
    """What a training scores as the end of a short one.

    Attributes:
        steps: optimizer steps of that short training.
        validation: metric on source validation, each source with the same weight.
        in_domain: source -> metric on its test split.
        held_out: domain -> metric on what is read of it at every checkpoint.
    """

    steps: int
    validation: float
    in_domain: Mapping[str, float]
    held_out: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class PoolScores(Schema):
    """What one training of a pool gave.

    Attributes:
        metric: catalog name.
        parameters: of the network.
        macs: of one sample, or one full context.
        compute: multiply-accumulates of the training, its decays included.
        checkpoints: ascending in steps.
        whole: domain -> metric of the last checkpoint on all that is read of it.
        samples: domain -> samples that are.
    """

    metric: str
    parameters: int
    macs: int
    compute: int
    checkpoints: tuple[ShortScores, ...]
    whole: Mapping[str, float]
    samples: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class PoolFloorSpec(ValidatedSpec):
    """The floor of a task, fitted to the sources of its pools.

    Attributes:
        source_samples: images or documents of a source's test split, at most.
    """

    source_samples: int

    def reads(self) -> Iterator[Read]:
        yield from super().reads()
        yield Read("baseline", FLOOR)
        yield Read("floor", self.seen.signature.kind)


@dataclass(frozen=True, kw_only=True)
class PoolFloor(Schema):
    """What the floor scores: source -> metric on the test samples that pools are scored on."""

    in_domain: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class TablePoolSpec(Spec):
    """All architectures of a table of published results as a pool.

    Attributes:
        table: catalog name.
        sha256: of its file.
        budget: architectures that a search sees.
        margin: largest gain that does not matter, in standard deviations of a domain; 0 for none.
    """

    table: str
    sha256: str
    budget: int
    margin: float = 0.0

    def reads(self) -> Iterator[Read]:
        yield from table_reads(self.table)


@dataclass(frozen=True, kw_only=True)
class TablePool(Schema):
    """What is found of a table."""

    found: PoolFindings


CELL = UnitKind(
    name="cell",
    spec=CellSpec,
    result=PoolScores,
    work="harness.study.diversity.work.cell:cell",
    cost="harness.study.diversity.cost:cell",
    seconds=600.0,
    trains=True,
    is_shared=True,
)
TABLE_POOL = UnitKind(
    name="table_pool",
    spec=TablePoolSpec,
    result=TablePool,
    work="harness.study.diversity.work.table:table_pool",
    seconds=30.0,
)
POOL_FLOOR = UnitKind(
    name="pool_floor",
    spec=PoolFloorSpec,
    result=PoolFloor,
    work="harness.study.diversity.work.floor:pool_floor",
    seconds=30.0,
    is_shared=True,
)
