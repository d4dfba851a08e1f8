"""The kinds of units and what does their work, by name, as naming it must not import it."""

from collections.abc import Mapping
from typing import Any, Final

WORK: Final[Mapping[str, str]] = {
    "prepare": "harness.study.work.prepare:prepare",
    "supernet": "harness.study.work.supernet:supernet",
    "proxies": "harness.study.work.proxies:proxies",
    "search": "harness.study.trained.search:search",
    "tune": "harness.study.trained.tune:tune",
    "final": "harness.study.trained.final:final",
    "score": "harness.study.trained.score:score_unit",
    "inherited": "harness.study.ranking.scores:inherited",
    "scratch": "harness.study.ranking.scores:scratch",
    "table": "harness.study.lookup.search:table",
    "lookup": "harness.study.lookup.search:lookup",
}
"""Kind -> MODULE:FUNCTION, called with unit, needs and folder."""
ELSEWHERE: Final = "harness.study.trained.zero_shot:zero_shot_score"
"""What scores networks on a task that they were not trained on."""


def work_of(kind: str, spec: Mapping[str, Any]) -> tuple[str, str]:
    """Returns module and function that do the work of a unit."""
    module, _, function = (ELSEWHERE if "trained_on" in spec else WORK[kind]).partition(":")
    return module, function
