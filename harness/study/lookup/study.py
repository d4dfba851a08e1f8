"""The study on a table of published results: searchers, by the regret of what they choose."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from harness import catalog
from harness.identity.unit import AnyUnit
from harness.run.loaded import Run
from harness.study.lookup.settings import LookupSuite
from harness.study.lookup.units import KINDS, LOOKUP, TABLE, LookupSpec
from harness.study.plan import stand_ins
from harness.study.published import check_published, each_once
from harness.study.settings import Need, check_language_model
from harness.study.study import Study, joint, rules_of

if TYPE_CHECKING:
    from harness.board.series import Series
    from harness.study.lookup.board import LookupBoard


class LookupStudy(Study[LookupSuite, "LookupBoard"]):
    """Searchers x domains x feedbacks x budgets x seeds."""

    summary = "runs searchers on a table of published results, many seeds in seconds"
    settings = LookupSuite
    planned = LookupSuite
    kinds = KINDS
    rows = (LOOKUP,)
    free = (*Study.free, "searchers", "published", "search")

    parts: ClassVar = {
        "plan": "harness.study.lookup.plan:plan_lookup",
        "board": "harness.study.lookup.board:build_lookup_board",
        "verdict": "harness.study.lookup.tables:lookup_verdict",
        "tables": "harness.study.lookup.tables:leaderboard_tables",
        "lines": "harness.study.lookup.tables:csv_lines",
        "compare": "harness.study.lookup.compare:compare_lookup",
        "values": "harness.study.lookup.board:LookupBoard",
        "leaderboards": "harness.study.lookup.leaderboards:lookup_leaderboards",
        "history": "harness.study.lookup.history:lookup_history",
    }

    def check(self, settings: LookupSuite, need: Need) -> None:
        check_language_model(settings.llm, need)
        limit = settings.search.cost_limit
        need(not (limit.cost and settings.search.mac_limit), "search has both a cost_limit and a mac_limit")
        need(not limit.wrong(), f"search.cost_limit {limit.wrong()}")
        need.once(settings.searchers, "searchers has a name twice")
        named = settings.held_out if isinstance(settings.held_out, list) else []
        right = settings.held_out in ("", "each", named) and all(isinstance(one, str) for one in named)
        need(right, f"held_out must be 'each' or a list of domains, not {settings.held_out!r}")
        need.once(settings.domains, "domains has a name twice")
        for role, name in (("reference", settings.reference), ("claim", settings.claim)):
            need.among("searchers", role, name, settings.searchers)
        for name in settings.controls:
            need(name in settings.searchers, f"controls names {name!r}, which is not among its searchers")
        check_published(settings.published, need)

    def names(self, settings: LookupSuite) -> list[str]:
        from harness.study.plan import resolve_searcher

        Need.known("table", [settings.table], catalog.files("table"))
        return [resolve_searcher(settings.search, name)[0] for name in settings.searchers]

    def seeded(self, settings: LookupSuite, count: int) -> list[str]:
        return [f"repeats={count}", f"llm_repeats={min(count, settings.llm_repeats)}"]

    def series(self, board: "LookupBoard") -> "Sequence[Series]":
        return board.series

    def stood_in(self, settings: LookupSuite) -> LookupSuite:
        names = stand_ins(settings.searchers)
        return replace(
            settings,
            searchers=[names.get(one, one) for one in settings.searchers],
            controls=[names.get(one, one) for one in settings.controls],
            reference=names.get(settings.reference, settings.reference),
            claim=names.get(settings.claim, settings.claim),
            search=settings.search.with_names(names),
        )

    def protocol(self, run: Run) -> dict[str, Any]:
        found = super().protocol(run) | rules_of(LookupSuite.of(run).search)
        for unit in run.planned(TABLE):
            found["table's sha256"] = unit.spec.sha256
        return found

    def place(self, unit: AnyUnit) -> Sequence[Any]:
        spec = unit.spec
        assert isinstance(spec, LookupSpec)
        return [spec.method, spec.domain, spec.feedback, spec.evaluations, spec.seeds]

    def merged(self, runs: Sequence[Run]) -> LookupSuite:
        suites = [LookupSuite.of(run) for run in runs]
        first, searchers = suites[0], joint(suites, "searchers")
        published = each_once(one for suite in suites for one in suite.published)
        # Nothing was fixed for the rows of all runs where claims differ.
        claim = first.claim if all(suite.claim == first.claim for suite in suites) else first.reference
        return replace(first, searchers=searchers, published=published, claim=claim)

    def noted(self, board: "LookupBoard", note: str) -> "LookupBoard":
        return replace(board, notes=(*board.notes, note))


STUDY = LookupStudy()
