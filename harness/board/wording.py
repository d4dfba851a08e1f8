"""How numbers are printed: percent for accuracies, three decimals for bits per byte, always an interval."""

from collections.abc import Sequence

from harness.board.values import Cell, Difference, Estimate, LanguageModelUse
from harness.task.task import Metric

MISSING = "—"
FAILED = "✗"
LIMITED = "‡"


def metric_name(metric: Metric) -> str:
    """Returns the metric with its unit."""
    if metric == "bits_per_byte":
        return "bits per byte, lower is better"
    return f"{metric.replace('_', ' ')} in %, higher is better"


def show(metric: Metric, value: float | None, *, signed: bool = False, unit: bool = False) -> str:
    """Returns the value as people read it; a missing one is a dash."""
    if value is None:
        return MISSING
    is_bits = metric == "bits_per_byte"
    text = f"{value:.3f}" if is_bits else f"{100 * value:.1f}"
    if float(text) == 0:
        text = text.lstrip("-")
    elif signed and value > 0:
        text = f"+{text}"
    text = text.replace("-", "−")
    if not unit:
        return text
    return f"{text} {'bits per byte' if is_bits else 'points' if signed else '%'}"


def show_estimate(
    metric: Metric, estimate: Estimate | Difference | None, *, signed: bool = False, mark: str = ""
) -> str:
    """Returns value, mark and interval."""
    if estimate is None:
        return MISSING
    low, high = (show(metric, bound, signed=signed) for bound in (estimate.low, estimate.high))
    return f"{show(metric, estimate.value, signed=signed)}{mark} [{low}, {high}]"


def show_difference(metric: Metric, difference: Difference) -> str:
    """Returns a difference with unit and interval, for a sentence."""
    low, high = (show(metric, bound, signed=True) for bound in (difference.low, difference.high))
    return f"{show(metric, difference.value, signed=True, unit=True)} (95 % interval {low} to {high})"


def show_cell(metric: Metric, cell: Cell) -> str:
    """Returns a cell's value and interval, or the sign of what happened to it."""
    if cell.state == "ok":
        return show_estimate(metric, cell.estimate, mark=LIMITED if cell.limited else "")
    return FAILED if cell.state == "failed" else MISSING if cell.state == "missing" else f"{FAILED} skipped"


def with_model(method: str, llm: LanguageModelUse | None) -> str:
    """Returns a method with the language model that answered it."""
    if llm is None:
        return method
    return f"{method} ({'stand-in model: ' if llm.kind == 'embedded' else ''}{llm.model})"


def show_counts(values: Sequence[int] | None) -> str:
    """Returns one number, or the range over seeds, with thousands apart."""
    if not values:
        return MISSING
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def show_seconds(seconds: float | None) -> str:
    """Returns seconds with a sensible number of digits."""
    if seconds is None:
        return MISSING
    return f"{seconds:,.1f}" if seconds < 100 else f"{seconds:,.0f}"
