"""Rows that are given up: where two units of a row failed alike, the others would too, after hours."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from harness.identity.unit import AnyUnit

ALIKE: Final = 2
"""Failures for one reason after which no more are waited for."""
DOMAIN: Final = "domain"
"""Member of specifications of units that are about one domain."""
_OWN: Final = re.compile(r" \(see [^)]*\)|\d+")
"""What of a reason is a unit's own: its traceback, and numbers such as steps and seconds."""


class _Failure(NamedTuple):
    """A kind of unit, its row, and the reason without what is a unit's own."""

    kind: str
    row: tuple[str, ...]
    reason: str


class Rows:
    """What failed in a run so far, and what need not be tried after it.

    Units that failed on one domain alone end the row on that domain; where a second domain fails alike, all
    of it ends.
    """

    def __init__(self, planned: Iterable[AnyUnit]) -> None:
        self._planned = planned
        self._units: dict[tuple[str, tuple[str, ...]], list[AnyUnit]] | None = None  # once a row ended
        self._failed: dict[_Failure, list[AnyUnit]] = {}
        self._ended: dict[tuple[str, tuple[str, ...], str | None], str] = {}

    def failed(self, unit: AnyUnit, reason: str) -> str:
        """Takes note of a failure; returns why the rest of its row is given up, nothing where it is not."""
        row = unit.spec.row
        alike = self._failed.setdefault(_Failure(unit.kind.name, row, _OWN.sub("", reason)), [])
        alike.append(unit)
        if not row or len(alike) < ALIKE:
            return ""
        domains = {_domain(one) for one in alike}
        where = _domain(unit) if len(domains) == 1 else None
        why = f"{len(alike)} units of this row failed alike: {reason}"
        self._ended.setdefault((unit.kind.name, row, where), why)
        return why

    def why(self, unit: AnyUnit) -> str:
        """Returns why a unit need not be tried; nothing where it must be."""
        if not self._ended:
            return ""
        place = (unit.kind.name, unit.spec.row)
        return self._ended.get((*place, None)) or self._ended.get((*place, _domain(unit)), "")

    def given_up(self, unit: AnyUnit, waiting: Mapping[str, AnyUnit]) -> list[AnyUnit]:
        """Returns those of the waiting units, by plan key, that need not be tried as `unit` was not."""
        if self._units is None:
            self._units = {}
            for one in self._planned:
                self._units.setdefault((one.kind.name, one.spec.row), []).append(one)
        alike = self._units.get((unit.kind.name, unit.spec.row), ())
        return [one for one in alike if one.hash in waiting and self.why(one)]


def _domain(unit: AnyUnit) -> str | None:
    """Returns the domain that a unit is about; None where it is about none, or about all."""
    return getattr(unit.spec, DOMAIN, None)
