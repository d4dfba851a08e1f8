"""What is read of a searcher's report: counters, settings, and what was asked of a language model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from harness.identity.schema import Schema

LLM: Final = "llm"
"""Where a report tells what was asked of a language model."""


REPAIRED: Final = "repaired"
"""How a report counts proposals outside of a window, for which the nearest legal one was taken."""
REPAIRED_CHOICES: Final = "choices changed by repairs"


@dataclass(frozen=True, kw_only=True)
class ModelUse(Schema):
    """What one search asked.

    Attributes:
        model: its name.
        kind: `embedded` (a stand-in) or the kind of endpoint.
        calls: requests.
        prompt_tokens: tokens read.
        completion_tokens: tokens written, reasoning included.
        reasoning_tokens: of these, reasoning.
        price: money, where the suite gives prices.
    """

    model: str
    kind: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    price: float | None = None


@dataclass(frozen=True, kw_only=True)
class SearchReport(Schema):
    """What is read of a report; a searcher may say more.

    Attributes:
        counters: name -> how often it happened.
        iterations: the funnel of proposals of each iteration.
        settings: of the searcher, all of them.
        prompt_hash: of the prompts.
        stopped: why the search ended; empty where it did not say.
        llm: None where no language model was asked.
    """

    counters: Mapping[str, int] = field(default_factory=dict)
    iterations: tuple[Mapping[str, int], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    prompt_hash: str = ""
    stopped: str = ""
    llm: ModelUse | None = None

    @classmethod
    def of(cls, report: Mapping[str, Any] | None) -> Self:
        """Returns what is read of a report, which may be None."""
        told = report or {}
        return cls.from_json({one.name: told[one.name] for one in fields(cls) if told.get(one.name)})


def priced(report: Mapping[str, Any], price: float) -> Mapping[str, Any]:
    """Returns a report with the price of what was asked."""
    return {**report, LLM: {**report[LLM], "price": price}}
