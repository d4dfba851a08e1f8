"""The values a board is made of; missing is None, never 0."""

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from harness.stats.aggregates import WorstGroup

State = Literal["ok", "failed", "skipped", "missing"]


Role = Literal["source", "held_out"]


FEW_GROUPS: Final = 30
"""Below this many resampled groups an interval is too narrow; measured coverage is .86 at 6."""


class Estimate(NamedTuple):
    """A value with its 95 % interval, in the metric's own unit."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """A paired difference: row minus reference, both scored on the same resamples.

    `p` is two-sided, from flips of whole groups, `standard_error` the spread of the replicates, and `by_seed`
    the difference of each pair of seed roles.
    """

    value: float
    low: float
    high: float
    p: float
    standard_error: float
    by_seed: tuple[float, ...]


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
        samples: test samples behind it.
        groups: groups that were resampled.
        limited: whether `--limit` touched it.
        worst: accuracy of the worst group with samples enough; None where no group has them.
        difference: to the reference row on this domain; None for that row itself.
    """

    domain: str
    role: Role
    state: State
    reason: str | None = None
    estimate: Estimate | None = None
    by_seed: tuple[float, ...] = ()
    samples: int | None = None
    groups: int | None = None
    limited: bool = False
    worst: WorstGroup | None = None
    difference: Difference | None = None


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
    """

    model: str
    kind: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int


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
