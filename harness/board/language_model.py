"""What a search asked of language models, as boards tell it."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.board.values import LanguageModelUse


def language_model_use(searches: Sequence[Mapping[str, Any]]) -> LanguageModelUse | None:
    """Returns calls and tokens summed over `searches`; None when none of them asked a model."""
    uses = [search["report"]["llm"] for search in searches if search.get("report", {}).get("llm")]
    if not uses:
        return None
    sums = {
        key: sum(int(use.get(key) or 0) for use in uses)
        for key in ("calls", "prompt_tokens", "completion_tokens", "reasoning_tokens")
    }
    names = sorted({str(use["model"]) for use in uses})
    return LanguageModelUse(model=", ".join(names), kind=str(uses[0]["kind"]), **sums)
