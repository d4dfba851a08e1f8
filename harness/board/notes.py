"""What a board says beside its numbers: rules, few domains, and what was asked of language models."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.board.rows import LanguageModelUse
from harness.task import CROSS_VALIDATION, ORACLE

SELECTION_NOTES = {
    CROSS_VALIDATION: "Learning rates: chosen on each source by models that never saw it.",
    ORACLE: "Oracle: each score's learning rate was chosen on the validation split of the domain it is on, "
    "held-out ones included, which no real use allows.",
}


def too_few_domains(domains: int, methods: int) -> str:
    """Says so where no test over domains could tell any pair of methods apart; empty otherwise.

    The least p of a sign test over domains is 2^(1 - domains), times the number of pairs after Holm.
    """
    if 2.0 ** (1 - domains) * methods * (methods - 1) / 2 <= 0.05:
        return ""
    return f" {domains} domains are too few to rank significantly over domains that nobody drew."


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
