"""What is found of a pool, whether it was trained or published."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from harness.identity.schema import Schema

Asked = Literal["arms", "network", "search", "space", "behaviour"]
Outcome = Literal["matched", "raw"]
Answer = Literal["helps", "hurts", "better", "worse", "equivalent", "cannot tell", "no verdict"]
DIVERSITY: Final[tuple[Asked, ...]] = ("network", "space", "behaviour")
"""Questions about diversity, where a gain helps or hurts; a pool as it is does better or worse, and which
families it has may be why."""
MOST_OUTSIDE = 0.1
"""Share of an arm's trainings outside of the level of comparison above which there is no verdict."""


@dataclass(frozen=True, kw_only=True)
class Share(Schema):
    """A gain on one domain, above 0 where the more diverse side holds up better, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class PoolQuestion(Schema):
    """One question that is asked of a pool.

    Gains are in the unit of the metric, above 0 where more diversity is the better side.

    Attributes:
        asked: arms: a random architecture of each other arm against one of the reference; network: one family
            more in a network, beyond which families stand where; search: the best of a budget of another arm
            against that of the reference; space: one family more to choose from; behaviour: one more
            different behaviour to choose from, beyond which families there are.
        about: arm, or what a table's networks are made of.
        outcome: matched: at equal in-domain score; raw.
        stratum: kind of shift of the domains; empty for all.
        gain: mean over families of domains.
        low: of its 95 % interval.
        high: of its 95 % interval.
        p: two-sided; None for a tie.
        detectable: the true gain that is found four times in five.
        equivalence: p-value of a gain beyond the margin; None without a margin.
        freedom: degrees of freedom.
        architectures: of the smaller side; spaces, or families to choose from, where these are compared.
        domains: families of domains.
        flips: exact p-value over signs of families; None where there are too many.
        permuted: how often the same rule calls a gain where what is asked of is permuted; None where it was
            not asked.
        answer: by the rule of `answered`.
        reason: why there is no verdict.
        shares: domain -> its gain.
    """

    asked: Asked
    about: str
    outcome: Outcome
    stratum: str = ""
    gain: float
    low: float
    high: float
    p: float | None
    detectable: float
    equivalence: float | None = None
    freedom: float
    architectures: int
    domains: int
    flips: float | None = None
    permuted: float | None = None
    answer: Answer
    reason: str = ""
    shares: Mapping[str, Share]


@dataclass(frozen=True, kw_only=True)
class Control(Schema):
    """A comparison whose truth is known.

    Attributes:
        name: of the control.
        truth: what is known of it.
        gain: in the metric's unit.
        low: of its 95 % interval.
        high: of its 95 % interval.
        p: two-sided; None for a tie.
        outcome: matched or raw.
    """

    name: str
    truth: str
    gain: float
    low: float
    high: float
    p: float | None
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class ArmFound(Schema):
    """One pool, or all architectures of a table.

    Attributes:
        name: of the arm.
        architectures: that were trained.
        trainings: that are finished.
        planned: trainings of the plan.
        outside: share of the trainings that the level of comparison is outside of; None without a level.
        in_domain: mean in-domain score of whole trainings.
        held_out: mean score on held-out domains, families alike.
        parameters: least and most.
        architecture: standard deviation that is of the architecture, at equal in-domain score.
        interaction: the same of architecture and domain.
        seed: the same of one training on one domain.
        transfer: share of the variance of a mean over the domains that is of the architecture.
        gain: predicted of the best of the budget on another domain, from these components.
        regret: what the best in domain lacks to the best of the arm on each held-out domain, mean.
        gap: what the best of the arm lacks to the best of all arms on each held-out domain, mean.
        families: mean number of different families in a network.
        entropy: of the families of all layers, in bits.
        structural: effective number of different architectures (Vendi score, share of equal layers).
        functional: effective number of different behaviours (Vendi score of scores on domains).
    """

    name: str
    architectures: int
    trainings: int
    planned: int
    outside: float | None
    in_domain: float
    held_out: float
    parameters: tuple[int, int]
    architecture: float
    interaction: float
    seed: float
    transfer: float
    gain: float
    regret: float
    gap: float
    families: float
    entropy: float
    structural: float
    functional: float


@dataclass(frozen=True, kw_only=True)
class TrainingLine(Schema):
    """One training: in-domain score and mean held-out score, families alike, at each of its checkpoints."""

    arm: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class PoolFindings(Schema):
    """All that is said of the pools of one task, or of one table.

    Attributes:
        name: of the task or table.
        metric: catalog name, or `sd` where scores are standardised per domain.
        level: in-domain score of the comparison; None where a line over all architectures takes its place.
        is_level_fixed: whether it was fixed before.
        arms: pools, the reference first.
        questions: the first of each kind bears its verdict.
        controls: in the same unit.
        domains: domain -> its family.
        strata: domain -> its kind of shift.
        floor: in-domain score of the floor; None where there is none, or it is not known yet.
        lines: trainings, of each arm one after another.
        effects: family of layers -> gain of one more such layer in place of one of the others, at equal
            in-domain score, in the last arm.
        notes: on what was done.
    """

    name: str
    metric: str
    level: float | None
    is_level_fixed: bool
    arms: tuple[ArmFound, ...]
    questions: tuple[PoolQuestion, ...]
    controls: tuple[Control, ...]
    domains: Mapping[str, str]
    strata: Mapping[str, str]
    effects: Mapping[str, Share]
    floor: float | None = None
    lines: tuple[TrainingLine, ...] = ()
    notes: tuple[str, ...] = ()
