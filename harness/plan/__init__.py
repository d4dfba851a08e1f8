"""From a suite to the graph of units."""

from pathlib import Path

from harness.plan.lookup import plan_lookup
from harness.plan.quality import plan_quality
from harness.plan.trained import plan_trained
from harness.plan.unit import Plan, resolve_searcher
from harness.plan.zero_shot import refuse_code
from harness.suite import AnySuite, LookupSuite, QualitySuite

__all__ = ["Plan", "make_plan", "refuse_code", "resolve_searcher"]


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
