"""A suite is one TOML file and the experiment's whole configuration; wrong ones say where and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import catalog
from harness.data.card import CostLimit
from harness.errors import HarnessError, UnknownNameError
from harness.keys import wrong_address
from harness.model import TunedBaseline
from harness.paths import path_part
from harness.settings import (
    STRATEGIES,
    Limits,
    Need,
    TaskSettings,
    ZeroShotSettings,
    check_limits,
    check_task,
    check_zero_shot,
)
from harness.task import DEFAULT_SELECTION, SELECTIONS
from harness.text import shown
from harness.toml import merged, parse, read_toml


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A searcher under another name, with options of its own."""

    searcher: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SearcherSettings:
    """What a suite says of its searchers.

    Attributes:
        options: searcher name -> its options.
        variants: a name of the suite's own -> a searcher with other options.
        mac_limit: multiply-accumulates that the incumbent may have; what is over is evaluated and told all
            the same. 0 for any number.
        target: score at which a search stops, higher being better; 0 for none.
    """

    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    mac_limit: int = 0
    target: float = 0.0

    def resolve(self, name: str) -> Variant:
        """Returns the searcher that `name` means, with the options that the suite gives it."""
        variant = self.variants.get(name, Variant(searcher=name))
        return Variant(
            searcher=variant.searcher, options=self.options.get(variant.searcher, {}) | variant.options
        )


@dataclass(frozen=True, kw_only=True)
class SearchSettings(SearcherSettings):
    """The budget every searcher and the tuned baseline have.

    Attributes:
        evaluations: new, legal architectures; 0 where nothing is searched.
        parameter_tolerance: largest distance from the default's parameters, a share; 0 for any size.
        racing: drop a candidate on the samples that show it to be worse than the incumbent; without it
            every candidate is scored on all of them.
        calibration_batches: of 64 images, that re-estimate a candidate's BatchNorm statistics.
    """

    evaluations: int = 0
    parameter_tolerance: float = 0.05
    racing: bool = False
    calibration_batches: int = 16


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The row that the verdict speaks of, fixed before any result; a baseline has no space."""

    method: str
    space: str = ""


@dataclass(frozen=True, kw_only=True)
class LanguageModelSettings:
    """The language model; an empty `base_url` means the embedded one, or `model_file` in its place."""

    base_url: str = ""
    model: str = ""
    model_file: str = ""
    timeout_seconds: float = 60.0
    max_tokens: int = 4096
    price_per_million_prompt_tokens: float = 0.0
    price_per_million_completion_tokens: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Tasks x spaces x methods x seeds, with budgets and rules.

    Attributes:
        title: shown above the board.
        seeds: two or more; roles are crossed over consecutive pairs.
        baselines: catalog names.
        tuned_space: the space of the tuned baseline, and the source of the parameter target.
        reference: the row that others are compared with.
        claim: the row of the verdict.
        tasks: at least one.
        spaces: `SPACE:PRESET` that each searcher searches; none in a suite that compares baselines alone.
        searchers: catalog names.
        search: budget of a search.
        zero_shot: boards of what the same networks score elsewhere.
        llm: the language model.
        selection: rules that choose each row's learning rate, a board each; the verdict is the first one's.
        limits: what a unit may take.
        extends: another suite whose keys hold where this one is silent.
    """

    title: str
    seeds: list[int]
    baselines: list[str]
    tuned_space: str
    reference: str
    claim: Claim
    tasks: list[TaskSettings]
    spaces: list[str] = field(default_factory=list)
    searchers: list[str] = field(default_factory=list)
    search: SearchSettings = field(default_factory=SearchSettings)
    zero_shot: list[ZeroShotSettings] = field(default_factory=list)
    llm: LanguageModelSettings = field(default_factory=LanguageModelSettings)
    selection: list[str] = field(default_factory=lambda: [DEFAULT_SELECTION])
    limits: Limits = field(default_factory=Limits)
    extends: str = ""


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


@dataclass(frozen=True, kw_only=True)
class QualitySuite:
    """How well the scores of a shared network rank architectures that are then trained alone.

    Attributes:
        title: shown above the board.
        task: recipes and sample counts; only its sources are read.
        space: `SPACE:PRESET` that the architectures are drawn from.
        strategies: of weight sharing, one supernet each for every seed.
        architectures: how many are drawn, and trained alone for every seed.
        seeds: two or more, so that training alone can be compared with itself.
        parameter_tolerance: largest distance from the default's parameters, a share; 0 for any size.
        limits: what a unit may take.
        extends: another suite whose keys hold where this one is silent.
    """

    title: str
    task: TaskSettings
    space: str
    strategies: list[str]
    architectures: int
    seeds: list[int]
    parameter_tolerance: float = 0.0
    limits: Limits = field(default_factory=Limits)
    extends: str = ""


AnySuite = Suite | LookupSuite | QualitySuite


def load_suite(name: str) -> tuple[str, AnySuite]:
    """Returns the name and the suite called `name` in the catalog, or in the file at that path.

    Raises:
        UnknownNameError: there is neither.
        HarnessError: the file has a wrong key, type or value.
    """
    if name.endswith(".toml") or "/" in name:
        path = Path(name)
        if not path.is_file():
            raise HarnessError(f"There is no suite file {name}; `harness list suites` shows the names.")
    else:
        known = catalog.files("suite")
        if name not in known:
            raise UnknownNameError("suite", name, known)
        path = known[name]
    stem = path_part("suite", path.stem)
    table = _read(path)
    if "table" in table:
        lookup = parse(LookupSuite, table, path)
        check_limits(lookup.limits, Need(path))
        _check_lookup(lookup, path)
        return stem, lookup
    if "strategies" in table:
        quality = parse(QualitySuite, table, path)
        check_limits(quality.limits, Need(path))
        _check_quality(quality, path)
        return stem, quality
    suite = parse(Suite, table, path)
    check_limits(suite.limits, Need(path))
    _check(suite, path)
    return stem, suite


def _read(path: Path, children: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Returns the file's table with that of its parents below it; folders are seen from their own file."""
    table = read_toml(path)
    boards = table.get("zero_shot", [])
    for board in boards if isinstance(boards, list) else []:
        if isinstance(board, dict) and isinstance(board.get("lm_eval_tasks"), str):
            board["lm_eval_tasks"] = str(path.parent / board["lm_eval_tasks"])
    parent = table.get("extends")
    if not parent:
        return table
    known = catalog.files("suite")
    if not isinstance(parent, str) or known.get(parent, path) in (path, *children):
        raise HarnessError(f"{path}: `extends` names {shown(parent)}; suites are: {', '.join(known)}.")
    return merged(_read(known[parent], (path, *children)), table)


def _check_llm(llm: LanguageModelSettings, need: Need) -> None:
    wrong = wrong_address(llm.base_url) if llm.base_url else ""
    need(not wrong, f"llm.base_url {wrong}")


def _check_lookup(suite: LookupSuite, path: Path) -> None:
    need = Need(path)
    _check_llm(suite.llm, need)
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


def _check_quality(suite: QualitySuite, path: Path) -> None:
    need = Need(path)
    need(len(suite.seeds) >= 2, "seeds needs at least two, so that training alone is compared with itself")
    need(len(set(suite.seeds)) == len(suite.seeds), "seeds has a seed twice")
    need(suite.architectures >= 4, "architectures must be at least 4")
    need(bool(suite.strategies), "there is no strategy")
    need(0 <= suite.parameter_tolerance < 1, "parameter_tolerance must be in [0, 1)")
    check_task(suite.task, need)
    for strategy in suite.strategies:
        if strategy not in STRATEGIES:
            raise UnknownNameError("strategy", strategy, STRATEGIES)


def _check(suite: Suite, path: Path) -> None:
    need = Need(path)
    _check_llm(suite.llm, need)
    need(len(suite.seeds) >= 2, "seeds needs at least two, as one selects and another reports")
    need(len(set(suite.seeds)) == len(suite.seeds), "seeds has a seed twice")
    need(bool(suite.tasks), "there is no task")
    searches = bool(suite.searchers) or any(map(_is_tuned, suite.baselines))
    need(bool(suite.searchers) == bool(suite.spaces), "searchers and spaces belong together")
    need(suite.search.evaluations >= 1 or not searches, "search.evaluations must be at least 1")
    need(0 <= suite.search.parameter_tolerance < 1, "search.parameter_tolerance must be in [0, 1)")
    need(suite.search.calibration_batches >= 1, "search.calibration_batches must be at least 1")
    need(bool(suite.selection), "selection needs at least one rule")
    need(len(set(suite.selection)) == len(suite.selection), "selection has a rule twice")
    for rule in suite.selection:
        if rule not in SELECTIONS:
            raise UnknownNameError("selection rule", rule, SELECTIONS)
    names = [task.name for task in suite.tasks]
    need(len(set(names)) == len(names), "a task stands twice")
    for task in suite.tasks:
        check_task(task, need, searches=searches)
    for one in suite.zero_shot:
        check_zero_shot(one, names, need)
    boards = [*names, *(one.name for one in suite.zero_shot)]
    need(len(set(boards)) == len(boards), "a zero_shot board has the name of another board")
    rows = {*suite.baselines, *suite.searchers}
    need(suite.reference in rows, f"reference {suite.reference!r} is not among its methods")
    claim = suite.claim
    need(
        (claim.method in suite.searchers and claim.space in suite.spaces)
        or (claim.method in suite.baselines and not claim.space),
        "claim must name one of its searchers and one of its spaces, or one of its baselines alone",
    )


def _is_tuned(name: str) -> bool:
    """Whether a baseline is searched for; one that is not there is told by the plan."""
    return name in catalog.files("baseline") and isinstance(catalog.load("baseline", name), TunedBaseline)


def with_models(suite: AnySuite, models: Sequence[str]) -> AnySuite:
    """Returns the suite with more baselines, each by its name or as PATH.py:FUNCTION.

    Raises:
        HarnessError: the suite trains nothing.
    """
    if not isinstance(suite, Suite):
        raise HarnessError("--model joins suites that train; this one has no rows that a model could join.")
    known = catalog.files("baseline")
    named = []
    for one in models:
        is_own = one.partition(":")[0] not in known
        if is_own and ":" not in one:
            raise HarnessError(
                f"{one!r} is no baseline; there are {', '.join(known)}, and PATH.py:FUNCTION of your own."
            )
        named.append(f"file:{one}" if is_own else one)
    return replace(suite, baselines=[*suite.baselines, *(one for one in named if one not in suite.baselines)])
