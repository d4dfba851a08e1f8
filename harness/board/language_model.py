"""What a search asked of language models, as boards tell it."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from harness.board.values import LanguageModelUse
from harness.llm.client import NO_USAGE
from harness.search.report import REPAIRED, REPAIRED_CHOICES, SearchReport

ENDS: Final = {
    "empty": "iteration after iteration proposed nothing new and legal",
    "iterations": "all iterations were used",
    "exhausted": "nothing new and legal was left",
}
"""What a searcher says of its end -> the same in words."""


def end_notes(name: str, use: LanguageModelUse | None) -> list[str]:
    """Says why searches of a row ended before their budget was spent."""
    return [
        f"{name}: {count} searches ended before their budget was spent, as {why}."
        for why, count in sorted(use.ended.items() if use else ())
    ]


def stand_in_notes(uses: Iterable[LanguageModelUse | None]) -> list[str]:
    """Says which embedded models answered in place of what methods are meant for."""
    models = sorted({use.model for use in uses if use is not None and use.kind == "embedded"})
    return [
        f"Stand-in: the embedded model {model} answered, and none that the method is meant for."
        for model in models
    ]


def language_model_use(reports: Iterable[SearchReport]) -> LanguageModelUse | None:
    """Returns calls and tokens summed over searches; None when none of them asked a model."""
    told = list(reports)
    uses = [report.llm for report in told if report.llm is not None]
    if not uses:
        return None
    counts: Counter[str] = Counter()
    for report in told:
        counts.update(report.counters)
    repaired = counts[REPAIRED]
    return LanguageModelUse(
        model=", ".join(sorted({use.model for use in uses})),
        kind=uses[0].kind,
        calls=sum(use.calls for use in uses),
        prompt_tokens=sum(use.prompt_tokens for use in uses),
        completion_tokens=sum(use.completion_tokens for use in uses),
        reasoning_tokens=sum(use.reasoning_tokens for use in uses),
        uncounted=counts[NO_USAGE],
        repaired=repaired / max(1, repaired + counts["legal"]),
        choices_changed=counts[REPAIRED_CHOICES] / max(1, repaired),
        ended=dict(Counter(ENDS.get(report.stopped, report.stopped) for report in told if report.stopped)),
    )
