"""What a suite says of a study on a table."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from harness.data.table.card import CostLimit
from harness.study.published import Published
from harness.study.settings import Count, SearcherSettings, SearchingSettings

Feedback = Literal["validation", "test"]
Repeats = Annotated[int, Ge(2)]


@dataclass(frozen=True, kw_only=True)
class LookupSettings(SearcherSettings):
    """Budgets of searches whose scores are looked up.

    Attributes:
        evaluations: budgets of a search; results are reported at each of them.
        cost_limit: keeps costly architectures from being chosen; with `share = 1.0` every one may be. Either
            way records then tell each evaluation, for boards of score and cost together.
    """

    evaluations: Annotated[list[Count], MinLen(1)]
    cost_limit: CostLimit = field(default_factory=CostLimit)


@dataclass(frozen=True, kw_only=True)
class PublishedSearch(Published):
    """A row of a paper beside searches.

    Attributes:
        feedback: which of the suite's feedbacks its protocol is nearest to.
    """

    feedback: Feedback = "test"


@dataclass(frozen=True, kw_only=True)
class LookupSuite(SearchingSettings):
    """Searchers x domains x feedbacks x budgets x seeds on one table of published results.

    Attributes:
        table: catalog name of the table.
        repeats: seeds 0, 1, ... of every searcher that asks no language model.
        searchers: catalog names, or names of `search.variants`.
        reference: the searcher that others are compared with.
        claim: the searcher of the verdict.
        search: budgets and options.
        llm_repeats: seeds of the searchers that ask a language model.
        domains: columns of the table; all of them when empty.
        held_out: domains that are reported and not searched on, `each` or a list; a search for one of them
            sees the mean over all other domains of their standardised scores. None are when empty.
        feedback: which score the searcher sees, `validation` or `test`.
        controls: variants of one searcher that are compared in a table of their own, the first with the rest.
        published: rows of papers.
    """

    table: str
    repeats: Repeats
    searchers: list[str]
    reference: str
    claim: str
    search: LookupSettings
    llm_repeats: Repeats = 20
    domains: list[str] = field(default_factory=list)
    held_out: Literal["", "each"] | list[str] = ""
    feedback: Annotated[list[Feedback], MinLen(1)] = field(default_factory=lambda: ["validation", "test"])
    controls: list[str] = field(default_factory=list)
    published: list[PublishedSearch] = field(default_factory=list)

    @property
    def reported(self) -> list[str]:
        """The domains of the board: those that are held out, or else all."""
        return list(self.held_out) or self.domains
