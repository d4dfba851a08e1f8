"""What a suite says of a study of diversity."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

from harness.study.diversity.registration import Registration
from harness.study.settings import (
    Amount,
    Augmentation,
    Count,
    PlannedTask,
    Rate,
    Settings,
    Share,
    TaskSettings,
)

Design = Literal["drawn", "balanced", "pure"]
"""How the architectures of an arm are taken."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A pool of architectures that are trained alone.

    Attributes:
        name: of the arm.
        space: `SPACE:PRESET` that they are of.
        architectures: how many.
        design: drawn: at random, different ones within the tolerance; balanced: the default's shape, with
            families chosen so that each stands as often in each place, and in networks of one, two and more
            families alike; pure: one of each family, the same in every layer.
        learning_rates: peaks; architecture i is trained at the rate i modulo their number. Where there are
            none, it is that of the network's families in the suite's `rates`.
        seeds: of weights and batches of each architecture.
    """

    name: str
    space: str
    architectures: Annotated[int, Ge(2)]
    seeds: Annotated[list[int], MinLen(1)]
    design: Design = "drawn"
    learning_rates: list[Rate] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PoolTask(TaskSettings):
    """A task whose networks make up the pools.

    Attributes:
        source_samples: images or documents of each source's test split that are scored at every checkpoint.
        checkpoint_bytes: of documents whose bytes are predicted, those of each domain that are read at every
            checkpoint; at the last one `test_bytes` are. 0 for as many.
        level: in-domain score at which arms are compared, fixed by a pilot; None for the highest one that all
            trainings reach, which is chosen by the result, and said to be.
    """

    source_samples: Count = 200
    checkpoint_bytes: Annotated[int, Ge(0)] = 0
    level: float | None = None


@dataclass(frozen=True, kw_only=True)
class DiversitySuite(Settings):
    """Arms x architectures x seeds on one task; or tables of published results.

    Attributes:
        task: that networks are trained on; None where only tables are read.
        arms: pools of architectures; the first is the reference.
        families: key of an architecture's JSON form that lists the family of each layer.
        rates: family -> its learning rate, of a pilot; a network's is the geometric mean of its families'.
        checkpoints: shares of the steps after which a training is scored, as the end of a short one: the rate
            is constant, and every checkpoint has a decay of its own.
        decay: share of a checkpoint's steps over which its rate falls to zero.
        parameter_tolerance: largest distance from the parameters of the reference's default, a share.
        tables: catalog names of tables of published results.
        budget: architectures that a search sees, of which it takes the best in domain.
        margin: largest effect that does not matter, in the metric's own unit.
        control: augmentation that architectures of the reference are trained with once more, an effect that
            is known to be there.
        control_source: a source more for the same, where samples are not augmented.
        control_architectures: how many of the reference are trained so.
        opens: `TASK/DOMAIN` of sealed domains that it reads.
        registered: whether nothing is trained before the plan is registered.
    """

    task: PoolTask | None = None
    arms: list[Arm] = field(default_factory=list)
    families: str = ""
    rates: dict[str, Rate] = field(default_factory=dict)
    checkpoints: Annotated[list[Annotated[float, Gt(0), Le(1)]], MinLen(1)] = field(
        default_factory=lambda: [0.125, 0.25, 0.5, 1.0]
    )
    decay: Annotated[float, Gt(0), Lt(1)] = 0.2
    parameter_tolerance: Share = 0.03
    tables: list[str] = field(default_factory=list)
    budget: Count = 20
    margin: Amount = 0.0
    control: list[Augmentation] = field(default_factory=list)
    control_source: str = ""
    control_architectures: Annotated[int, Ge(0)] = 0
    opens: list[str] = field(default_factory=list)
    registered: bool = False


@dataclass(frozen=True, kw_only=True)
class PlannedPoolTask(PlannedTask, PoolTask):
    """The task as `plan.json` keeps it."""


@dataclass(frozen=True, kw_only=True)
class PlannedDiversity(DiversitySuite):
    """A suite as `plan.json` keeps it, with its registration; None where there is none."""

    task: PlannedPoolTask | None = None
    registration: Registration | None = None
