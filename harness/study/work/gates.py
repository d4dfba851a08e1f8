"""What a search's proposals must pass before they are evaluated."""

from typing import TypedDict

from harness.search.loop import Limit
from harness.study.work.units import SearchingSpec


class Gates(TypedDict):
    """What keeps an architecture from being the incumbent, and what ends a search early."""

    limit: Limit | None
    target: float | None


def gates_of(spec: SearchingSpec) -> Gates:
    """Returns the limit and the target that a unit's specification gives."""
    limit = Limit(cost="macs", value=spec.mac_limit) if spec.mac_limit else None
    return Gates(limit=limit, target=spec.target or None)
