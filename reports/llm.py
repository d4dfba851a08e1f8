"""What the searches asked of a language model, and which model it was."""

from collections.abc import Mapping
from typing import Any

from harness.board import Board, Run, Table
from harness.report import Block, Section


def render(run: Run, board: Board) -> Block:
    """Returns who answered, a table of calls and tokens, and the searchers' own counters."""
    rows, counters, stand_ins = [], [], set()
    prices = run.suite.get("llm") or {}
    for task in board.tasks:
        for row in task.rows:
            if row.llm is None:
                continue
            if row.llm.kind == "embedded":
                stand_ins.add(row.llm.model)
            rows.append(
                (
                    task.task,
                    row.name,
                    row.llm.model,
                    row.llm.kind,
                    f"{row.llm.calls:,}",
                    f"{row.llm.prompt_tokens:,}",
                    f"{row.llm.completion_tokens:,}",
                    f"{row.llm.reasoning_tokens:,}",
                    _price(prices, row.llm.prompt_tokens, row.llm.completion_tokens),
                )
            )
    for search in run.planned("search"):
        report = (run.result(search) or {}).get("report", {})
        if report.get("llm"):
            found = report.get("counters") or {}
            text = ", ".join(f"{name.replace('_', ' ')} {found[name]}" for name in sorted(found))
            spec = search.spec
            where = (spec["task"], f"{spec['searcher']} in {spec['space']}", str(spec["seed"]))
            counters.append((*where, text or "none"))
    if not rows:
        return Block(paragraphs=("No finished search of this run asked a language model.",))
    paragraphs = [
        f"{model} is the embedded model: a stand-in that needs no key and no network, far smaller than the "
        "models the method was published with. Its row tells what the machinery does with it and is no "
        "measure of the published method."
        for model in sorted(stand_ins)
    ]
    accounting = Table(
        caption="Calls and tokens of each row, summed over its searches",
        columns=(
            "Task",
            "Row",
            "Model",
            "Kind",
            "Calls",
            "Prompt tokens",
            "Completion tokens",
            "of these reasoning",
            "Price",
        ),
        rows=tuple(rows),
        labels=4,
        heading=1,
    )
    details = Table(
        caption="What the searchers counted",
        columns=("Task", "Search", "Seed", "Counters"),
        rows=tuple(counters),
        labels=4,
        heading=1,
    )
    return Block(paragraphs=tuple(paragraphs), tables=(accounting, details))


def _price(prices: Mapping[str, Any], prompt: int, completion: int) -> str:
    rates = [prices.get(f"price_per_million_{kind}_tokens") or 0 for kind in ("prompt", "completion")]
    if not any(rates):
        return "—"
    return f"{(rates[0] * prompt + rates[1] * completion) / 1e6:.4f}"


SECTION = Section(
    title="Language model",
    order=90,
    summary="Which model answered, how often, and how many tokens it took.",
    render=render,
)
