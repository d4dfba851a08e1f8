"""Positions of values along an axis, in percent of its length, and where its ticks stand."""

import math
from collections.abc import Iterable

from harness.report.plot import Axis

MARGIN = 0.05
"""Share of the axis that stays free at each end."""
MOST_TICKS = 6


class Ruler:
    """An axis with the values that it shows."""

    def __init__(self, axis: Axis, values: Iterable[float], *, is_reversed: bool = False) -> None:
        """Takes in all values that are finite, and that a logarithm has where the axis wants one."""
        known = [value for value in values if math.isfinite(value) and not (axis.is_log and value <= 0)]
        if axis.zero is not None:
            known.append(axis.zero[0])
        self.is_log = axis.is_log
        self.is_reversed = is_reversed
        low = axis.low if axis.low is not None else min(known, default=1.0 if axis.is_log else 0.0)
        high = axis.high if axis.high is not None else max(known, default=1.0)
        low, high = self._on(low), self._on(high)
        if high - low < 1e-12 * max(1.0, abs(low)):
            low, high = low - 0.5, high + 0.5
        free = MARGIN * (high - low)
        self.low = low - free * (axis.low is None)
        self.high = high + free * (axis.high is None)

    def _on(self, value: float) -> float:
        return math.log10(value) if self.is_log else value

    def at(self, value: float) -> float:
        """Returns where a value stands, from 0 to 100; what lies beyond an end stands there."""
        if self.is_log and value <= 0:
            return 100.0 * self.is_reversed
        share = min(1.0, max(0.0, (self._on(value) - self.low) / (self.high - self.low)))
        return 100 * (1 - share if self.is_reversed else share)

    def is_beyond(self, value: float) -> bool:
        """Returns whether the axis ends before a value."""
        return (self.is_log and value <= 0) or not self.low <= self._on(value) <= self.high

    def ticks(self) -> list[tuple[float, str]]:
        """Returns round values within the axis with their texts."""
        return self._log_ticks() if self.is_log else self._linear_ticks()

    def _linear_ticks(self) -> list[tuple[float, str]]:
        raw = (self.high - self.low) / MOST_TICKS
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        decimals += round(step / 10.0 ** math.floor(math.log10(step) + 1e-9), 6) == 2.5
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(index * step, _text(index * step, decimals)) for index in range(first, last + 1)]

    def _log_ticks(self) -> list[tuple[float, str]]:
        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = [
                factor * 10.0**power
                for power in range(math.floor(self.low) - 1, math.ceil(self.high) + 1)
                for factor in factors
                if self.low - 1e-9 <= math.log10(factor * 10.0**power) <= self.high + 1e-9
            ]
            if len(found) <= MOST_TICKS:
                break
        return [(value, f"{value:g}") for value in found]


def _text(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")
