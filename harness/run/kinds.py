"""The kinds of units and what does their work, by name, as naming it must not import it."""

from collections.abc import Mapping
from typing import Any, Final

WORK: Final[Mapping[str, str]] = {
    "prepare": "harness.units.prepare:prepare",
    "supernet": "harness.units.supernet:supernet",
    "proxies": "harness.units.search:proxies",
    "search": "harness.units.search:search",
    "tune": "harness.units.tuning:tune",
    "final": "harness.units.trained:final",
    "score": "harness.units.trained:score_unit",
    "inherited": "harness.units.quality:inherited",
    "scratch": "harness.units.quality:scratch",
    "table": "harness.units.lookup:table",
    "lookup": "harness.units.lookup:lookup",
}
"""Kind -> MODULE:FUNCTION, called with unit, needs and folder."""
ELSEWHERE: Final = "harness.units.zero_shot:zero_shot_score"
"""What scores networks on a task that they were not trained on."""


def work_of(kind: str, spec: Mapping[str, Any]) -> tuple[str, str]:
    """Returns module and function that do the work of a unit."""
    module, _, function = (ELSEWHERE if "trained_on" in spec else WORK[kind]).partition(":")
    return module, function
