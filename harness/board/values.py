"""The values a board is made of; missing is None, never 0."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Self

from harness.stats.aggregates import WorstGroup
from harness.stats.effect import Call, Effect
from harness.task.split import Extent

State = Literal["ok", "failed", "skipped", "missing"]


Role = Literal["source", "held_out"]
Outcome = Literal["better", "worse", "same", "cannot tell", "no verdict"]
"""What is said of a row against another."""


class Estimate(NamedTuple):
    """A value with its 95 % interval, in the metric's own unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row minus another, with all that is decided of it.

    Attributes:
        value: the estimate, in the metric's own unit.
        low: of the 95 % interval, seeds and groups inside.
        high: of the 95 % interval.
        p: two-sided, of no difference; None where the rows are alike on every group of every seed.
        error: the standard error.
        detectable: the true difference that a run like this finds four times in five.
        call: the decision; `no verdict` where there are too few seeds or groups.
        by_seed: the difference in each seed; empty where the rows' seeds are not paired.
        seeds: the smaller number of seeds of the two rows; None where no seed changes either.
        groups: effective number of groups of the domain that has fewest; None where no samples were drawn.
        beyond: p of "the true difference is beyond the suite's margin"; None without one.
    """

    value: float
    low: float
    high: float
    p: float | None
    error: float
    detectable: float
    call: Call
    by_seed: tuple[float, ...]
    seeds: int | None
    groups: float | None
    beyond: float | None = None

    def outcome(self, *, higher_is_better: bool) -> Outcome:
        """Returns the decision in the words of a metric."""
        if self.call == "higher":
            return "better" if higher_is_better else "worse"
        if self.call == "lower":
            return "worse" if higher_is_better else "better"
        return self.call

    @classmethod
    def of(cls, found: Effect, *, is_proportion: bool = False, margin: float = 0.0) -> Self:
        """Returns what a board keeps of an effect; the interval of two shares ends at -1 and 1."""
        low, high = found.within(-1.0, 1.0) if is_proportion else found.interval
        return cls(
            value=found.value,
            low=low,
            high=high,
            p=found.p,
            error=found.error,
            detectable=found.detectable,
            call=found.call,
            by_seed=found.by_seed,
            seeds=found.seeds,
            groups=found.groups,
            beyond=found.equivalence(margin) if margin and found.is_judged else None,
        )


class Pair(NamedTuple):
    """One row minus another, by their names, with the 95 % interval, in the metric's own unit."""

    first: str
    second: str
    value: float
    low: float
    high: float


class Splits(NamedTuple):
    """How often the rule tells a row from itself: splits of its trainings in halves.

    Splits overlap, so this describes these trainings and is no rate of error.
    """

    called: int
    splits: int


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row on one domain.

    Attributes:
        domain: its name.
        role: source or held_out.
        state: ok, or why there is no value.
        reason: one sentence when the state is not ok.
        estimate: the score, averaged over seed roles.
        by_seed: the score of each pair of seed roles.
        samples: samples behind it.
        groups: how many have a sample that counts.
        bytes: of what was scored of a held-out domain.
        of: how much of that domain there is to score; None for others.
        limited: whether `--limit` touched it.
        worst: accuracy of the worst group with samples enough; None where no group has them.
        difference: to the reference row on this domain; None for that row itself.
        at_equal: the same at equal in-domain score, of the row of the claim where the reference has a line on
            this domain that holds; None elsewhere.
    """

    domain: str
    role: Role
    state: State
    reason: str | None = None
    estimate: Estimate | None = None
    by_seed: tuple[float, ...] = ()
    samples: int | None = None
    groups: int | None = None
    bytes: int | None = None
    of: Extent | None = None
    limited: bool = False
    worst: WorstGroup | None = None
    difference: Difference | None = None
    at_equal: Difference | None = None


@dataclass(frozen=True, kw_only=True)
class LanguageModelUse:
    """What a row's searches asked of a language model, summed over seeds.

    Attributes:
        model: its name.
        kind: `embedded` (a stand-in) or the kind of endpoint.
        calls: requests.
        prompt_tokens: tokens read.
        completion_tokens: tokens written, reasoning included.
        reasoning_tokens: of these, reasoning.
        uncounted: calls whose server told no tokens.
        repaired: share of the proposals that could be read and lay outside of the window, so that the nearest
            legal architecture took their place.
        choices_changed: mean number of choices in which these differ from what was proposed.
        ended: why searches ended before their budget was spent -> how many.
    """

    model: str
    kind: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    uncounted: int = 0
    repaired: float = 0.0
    choices_changed: float = 0.0
    ended: Mapping[str, int] = field(default_factory=dict)

    def told(self, tokens: int) -> str:
        """Returns a number of tokens as people read it: at least so many, or unknown, where some lack."""
        if not self.uncounted:
            return f"{tokens:,}"
        return f"at least {tokens:,}" if tokens else "unknown"


def row_name(method: str, space: str | None) -> str:
    """Returns method and space, as people read them."""
    return method if space is None else f"{method} in {space}"


def rounded(value: Any) -> Any:
    """Returns JSON values with floats at ten decimals, so that the last bits of a sum do not matter."""
    if isinstance(value, float):
        return round(value, 10)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value
