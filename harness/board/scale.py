"""The scale of a table's scores, and how they are printed on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.board.values import Difference, Estimate
from harness.board.wording import MISSING


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How a domain's scores are told.

    Attributes:
        unit: percent, share or raw.
        higher_is_better: false for scores that records hold negated and boards with their own sign.
        decimals: places that tell the scores of the table's rows apart.
    """

    unit: str = "percent"
    higher_is_better: bool = True
    decimals: int = 2

    @property
    def sign(self) -> int:
        """What a record's score is multiplied by to have its own sign."""
        return 1 if self.higher_is_better else -1


def percent(value: float, *, signed: bool = False, digits: int = 2) -> str:
    """Returns a share in percent."""
    text = f"{100 * value:.{digits}f}"
    if float(text) == 0:
        return text.lstrip("-")
    return (f"+{text}" if signed and value > 0 else text).replace("-", "−")


def with_interval(
    estimate: Estimate | Difference | None, *, signed: bool = False, scale: Scale | None = None
) -> str:
    """Returns value and 95 % interval in percent, or as the scale of a domain says."""
    if estimate is None:
        return MISSING
    value, low, high = (
        in_unit(number, scale or Scale(), signed=signed)
        for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} [{low}, {high}]"


def in_unit(value: float, scale: Scale, *, signed: bool = False) -> str:
    """Returns a score in percent, or a raw one with the decimals of its domain."""
    factor = 0.01 if scale.unit == "raw" else 1.0
    return percent(factor * value, signed=signed, digits=scale.decimals)


def ends(
    found: Sequence[Estimate], floors: Sequence[Estimate], factor: float
) -> tuple[float | None, float | None]:
    """Returns where an axis of scores, each times `factor`, ends; None for where the scores themselves do.

    A floor so far off that it would squeeze all others is left beyond.
    """
    if not found or not floors:
        return None, None
    low, high = min(one.low for one in found), max(one.high for one in found)
    room = high - low
    return (
        factor * (low - 0.3 * room) if min(one.low for one in floors) < low - room else None,
        factor * (high + 0.3 * room) if max(one.high for one in floors) > high + room else None,
    )
