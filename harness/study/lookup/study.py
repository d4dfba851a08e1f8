"""The study on a table of published results: searchers, by the regret of what they choose."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import catalog
from harness.errors import HarnessError, UnknownNameError
from harness.identity.unit import AnyUnit
from harness.run.loaded import Run
from harness.study.lookup.settings import LookupSuite, check_lookup
from harness.study.lookup.units import KINDS, LOOKUP, TABLE, LookupSpec
from harness.study.settings import Need
from harness.study.study import Study, words

if TYPE_CHECKING:
    from harness.board.comparison import RowComparison
    from harness.board.table import Table
    from harness.study.lookup.board import LookupBoard
    from harness.study.plan import Plan


class LookupStudy(Study[LookupSuite, "LookupBoard"]):
    """Searchers x domains x feedbacks x budgets x seeds."""

    summary = "runs searchers on a table of published results, many seeds in seconds"
    settings = LookupSuite
    planned = LookupSuite
    kinds = KINDS
    rows = (LOOKUP,)
    free = (*Study.free, "searchers", "published", "search")

    def check(self, settings: LookupSuite, need: Need) -> None:
        check_lookup(settings, need)

    def plan(
        self, name: str, settings: LookupSuite, *, limit: int | None, tables: tuple[Path, ...]
    ) -> "Plan":
        from harness.study.lookup.plan import plan_lookup

        return plan_lookup(name, settings, limit=limit, tables=tables)

    def names(self, settings: LookupSuite) -> list[str]:
        from harness.study.plan import resolve_searcher

        known = catalog.files("table")
        if settings.table not in known:
            raise UnknownNameError("table", settings.table, known)
        return [resolve_searcher(settings.search, name)[0] for name in settings.searchers]

    def board(self, run: Run) -> "LookupBoard":
        from harness.study.lookup.board import build_lookup_board

        return build_lookup_board(run)

    def verdict(self, board: "LookupBoard") -> str:
        from harness.study.lookup.tables import lookup_verdict

        return lookup_verdict(board)

    def tables(self, board: "LookupBoard") -> "list[Table]":
        from harness.study.lookup.tables import leaderboard_tables

        return leaderboard_tables(board)

    def lines(self, board: "LookupBoard") -> list[dict[str, Any]]:
        from harness.study.lookup.tables import csv_lines

        return csv_lines(board)

    def compare(self, run: Run, first: str, second: str, metric: str | None) -> "RowComparison":
        from harness.study.lookup.compare import compare_lookup

        if metric is not None:
            raise HarnessError(f"{run.name} looks scores up in a table, which has no other metric.")
        return compare_lookup(run, first, second)

    def protocol(self, run: Run) -> dict[str, Any]:
        found = super().protocol(run)
        free = ("variants", "options")
        search = asdict(LookupSuite.of(run).search)
        found |= {f"search {words(name)}": one for name, one in search.items() if name not in free}
        for unit in run.planned(TABLE):
            found["table's sha256"] = unit.spec.sha256
        return found

    def place(self, unit: AnyUnit) -> Sequence[Any]:
        spec = unit.spec
        assert isinstance(spec, LookupSpec)
        return [spec.method, spec.domain, spec.feedback, spec.evaluations, spec.seeds]

    def merged(self, runs: Sequence[Run]) -> LookupSuite:
        suites = [LookupSuite.of(run) for run in runs]
        published = [one for suite in suites for one in suite.published]
        claims = {suite.claim for suite in suites}
        return replace(
            suites[0],
            searchers=list(dict.fromkeys(one for suite in suites for one in suite.searchers)),
            published=[one for index, one in enumerate(published) if one not in published[:index]],
            # Nothing was fixed for the rows of all runs where claims differ.
            claim=suites[0].claim if len(claims) == 1 else suites[0].reference,
        )

    def noted(self, board: "LookupBoard", note: str) -> "LookupBoard":
        return replace(board, notes=(*board.notes, note))


STUDY = LookupStudy()
