"""How numbers are printed: in the unit and with the decimals of their metric, always with an interval."""

from collections.abc import Sequence

from harness.board.values import Cell, Difference, Estimate, LanguageModelUse
from harness.catalog import metric_of

MISSING = "—"
FAILED = "✗"
LIMITED = "‡"


def listed(parts: Sequence[str]) -> str:
    """Returns parts as a sentence lists them: one, two and three."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def metric_name(metric: str) -> str:
    """Returns the metric with its unit and direction."""
    entry = metric_of(metric)
    return f"{entry.measured}, {'higher' if entry.higher_is_better else 'lower'} is better"


def show(metric: str, value: float | None, *, signed: bool = False, unit: bool = False) -> str:
    """Returns the value as people read it; a missing one is a dash."""
    if value is None:
        return MISSING
    entry = metric_of(metric)
    text = f"{entry.factor * value:.{entry.decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    elif signed and value > 0:
        text = f"+{text}"
    text = text.replace("-", "−")
    if not unit:
        return text
    return f"{text} {unit_of_difference(metric) if signed else entry.unit}"


def unit_of_difference(metric: str) -> str:
    """Returns the unit that differences are printed in."""
    entry = metric_of(metric)
    return entry.difference or entry.unit


def show_estimate(
    metric: str, estimate: Estimate | Difference | None, *, signed: bool = False, mark: str = ""
) -> str:
    """Returns value, mark and interval."""
    if estimate is None:
        return MISSING
    low, high = (show(metric, bound, signed=signed) for bound in (estimate.low, estimate.high))
    return f"{show(metric, estimate.value, signed=signed)}{mark} [{low}, {high}]"


def show_difference(metric: str, difference: Difference) -> str:
    """Returns a difference with unit and interval, for a sentence."""
    low, high = (show(metric, bound, signed=True) for bound in (difference.low, difference.high))
    return f"{show(metric, difference.value, signed=True, unit=True)} (95 % interval {low} to {high})"


def show_correlation(value: float, *interval: float, signed: bool = False) -> str:
    """Returns a correlation, or a difference of two, with the ends of its interval where they are given."""
    texts = [f"{number:{'+' if signed else ''}.2f}".replace("-", "−") for number in (value, *interval)]
    return f"{texts[0]} [{', '.join(texts[1:])}]" if interval else texts[0]


def show_cell(metric: str, cell: Cell) -> str:
    """Returns a cell's value and interval, or the sign of what happened to it."""
    if cell.state == "ok":
        return show_estimate(metric, cell.estimate, mark=LIMITED if cell.limited else "")
    return FAILED if cell.state == "failed" else MISSING if cell.state == "missing" else f"{FAILED} skipped"


def with_model(method: str, llm: LanguageModelUse | None) -> str:
    """Returns a method with the language model that answered it; a note names one that stands in."""
    if llm is None:
        return method
    return f"{method} ({'stand-in' if llm.kind == 'embedded' else llm.model})"


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
