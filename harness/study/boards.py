"""The board of a run of any kind, and its verdict."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from harness import catalog
from harness.errors import HarnessError
from harness.run.loaded import Run
from harness.study.lookup.board import LookupBoard, build_lookup_board
from harness.study.lookup.plan import plan_lookup
from harness.study.lookup.settings import LookupSuite
from harness.study.lookup.tables import lookup_verdict
from harness.study.plan import Plan
from harness.study.ranking.board import QualityBoard, build_quality_board, quality_verdict
from harness.study.ranking.plan import plan_quality
from harness.study.ranking.settings import QualitySuite
from harness.study.suite import AnySuite
from harness.study.trained.board import build_trained_board
from harness.study.trained.plan import plan_trained
from harness.study.trained.settings import Suite
from harness.study.trained.values import Board
from harness.study.trained.verdict import trained_verdict

AnyBoard: TypeAlias = Board | LookupBoard | QualityBoard


def build_board(run: Run) -> AnyBoard:
    """Returns the board of `run`, complete or not.

    Raises:
        HarnessError: the scores of a finished unit are gone or damaged.
    """
    if "table" in run.suite:
        return build_lookup_board(run)
    return build_quality_board(run) if "strategies" in run.suite else build_trained_board(run)


def verdict(board: AnyBoard) -> str:
    """Returns what the run says of the claim that its suite fixed in advance."""
    if isinstance(board, LookupBoard):
        return lookup_verdict(board)
    return quality_verdict(board) if isinstance(board, QualityBoard) else trained_verdict(board)


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


def make_plan(name: str, suite: AnySuite, *, limit: int | None = None, tables: tuple[Path, ...] = ()) -> Plan:
    """Returns the plan of `suite`.

    Args:
        name: of the suite.
        suite: what to plan.
        limit: largest number of samples of each split, or of seeds of a look-up; None for all.
        tables: folders where tables of published results lie.

    Raises:
        UnknownNameError: a task, domain, table, space, preset, searcher or baseline does not exist.
        HarnessError: a domain is source and held out at once, or an option is wrong.
    """
    if isinstance(suite, LookupSuite):
        return plan_lookup(name, suite, limit=limit, tables=tables)
    if isinstance(suite, QualitySuite):
        return plan_quality(name, suite, limit=limit)
    return plan_trained(name, suite, limit=limit)
