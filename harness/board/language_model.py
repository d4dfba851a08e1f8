"""What a search asked of language models, as boards tell it."""

from collections.abc import Iterable

from harness.board.values import LanguageModelUse
from harness.search.report import SearchReport


def language_model_use(reports: Iterable[SearchReport]) -> LanguageModelUse | None:
    """Returns calls and tokens summed over searches; None when none of them asked a model."""
    told = list(reports)
    uses = [report.llm for report in told if report.llm is not None]
    if not uses:
        return None
    return LanguageModelUse(
        model=", ".join(sorted({use.model for use in uses})),
        kind=uses[0].kind,
        calls=sum(use.calls for use in uses),
        prompt_tokens=sum(use.prompt_tokens for use in uses),
        completion_tokens=sum(use.completion_tokens for use in uses),
        reasoning_tokens=sum(use.reasoning_tokens for use in uses),
        uncounted=sum(report.counters.get("reply: no usage", 0) for report in told),
    )
