"""What a suite says of a study on a table."""

from dataclasses import dataclass, field

from harness.data.table.card import CostLimit
from harness.run.loaded import Run
from harness.study.settings import LanguageModelSettings, Limits, Need, SearcherSettings, check_language_model


@dataclass(frozen=True, kw_only=True)
class LookupSettings(SearcherSettings):
    """Budgets of searches whose scores are looked up.

    Attributes:
        budgets: evaluations; results are reported at each of them.
        cost_limit: keeps costly architectures from being chosen; with `share = 1.0` every one may be. Either
            way records then tell each evaluation, for boards of score and cost together.
    """

    budgets: list[int]
    cost_limit: CostLimit = field(default_factory=CostLimit)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A row of a paper, printed as it stands there and never ranked.

    Attributes:
        name: the method.
        scores: domain -> score in the table's unit.
        source: where it was published.
        feedback: which of the suite's feedbacks its protocol is nearest to.
    """

    name: str
    scores: dict[str, float]
    source: str
    feedback: str = "test"


@dataclass(frozen=True, kw_only=True)
class LookupSuite:
    """Searchers x domains x feedbacks x budgets x seeds on one table of published results.

    Attributes:
        title: shown above the board.
        study: `lookup`.
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
        llm: the language model.
        limits: what a unit may take.
        extends: another suite whose keys hold where this one is silent.
    """

    title: str
    study: str
    table: str
    repeats: int
    searchers: list[str]
    reference: str
    claim: str
    search: LookupSettings
    llm_repeats: int = 20
    domains: list[str] = field(default_factory=list)
    held_out: str | list[str] = ""
    feedback: list[str] = field(default_factory=lambda: ["validation", "test"])
    controls: list[str] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    llm: LanguageModelSettings = field(default_factory=LanguageModelSettings)
    limits: Limits = field(default_factory=Limits)
    extends: str = ""

    @staticmethod
    def of(run: Run) -> "LookupSuite":
        """Returns the suite of a run of this study."""
        assert isinstance(run.suite, LookupSuite)
        return run.suite

    @property
    def reported(self) -> list[str]:
        """The domains of the board: those that are held out, or else all."""
        return list(self.held_out) or self.domains


def check_lookup(suite: LookupSuite, need: Need) -> None:
    """Raises the first thing that is wrong with a suite."""
    check_language_model(suite.llm, need)
    need(min(suite.repeats, suite.llm_repeats) >= 2, "repeats and llm_repeats must be at least 2")
    need(bool(suite.search.budgets), "search.budgets needs at least one budget")
    need(min(suite.search.budgets, default=1) >= 1, "search.budgets must be at least 1")
    limit = suite.search.cost_limit
    need(not (limit.cost and suite.search.mac_limit), "search has both a cost_limit and a mac_limit")
    need(not limit.wrong(), f"search.cost_limit {limit.wrong()}")
    unknown = sorted(set(suite.feedback) - {"validation", "test"})
    need(bool(suite.feedback) and not unknown, "feedback must be validation, test or both")
    need(len(set(suite.searchers)) == len(suite.searchers), "searchers has a name twice")
    listed = suite.held_out if isinstance(suite.held_out, list) else None
    named = suite.held_out in ("", "each") if listed is None else all(isinstance(one, str) for one in listed)
    need(named, f"held_out must be 'each' or a list of domains, not {suite.held_out!r}")
    need(len(set(suite.domains)) == len(suite.domains), "domains has a name twice")
    for role, name in (("reference", suite.reference), ("claim", suite.claim)):
        need(name in suite.searchers, f"{role} {name!r} is not among its searchers")
    for name in suite.controls:
        need(name in suite.searchers, f"controls names {name!r}, which is not among its searchers")
    for row in suite.published:
        need(row.feedback in ("validation", "test"), f"published {row.name!r} has no such feedback")
