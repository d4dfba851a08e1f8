"""Which units of a plan wait, which of them can run, and which never can; no step looks at all of them."""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Final

from harness.identity.unit import AnyUnit

LOST: Final = ("failed", "skipped")
"""Ends after which what needs the unit cannot run."""


class Order:
    """The units of a plan, by how they ended and by what they wait for.

    Attributes:
        units: plan key -> unit, needs before what needs them.
        status: plan key -> how the unit ended.
        waiting: plan key -> unit that did not end and was not taken.
        readers: plan key -> plan keys of what needs the unit, once for each need.
    """

    def __init__(self, units: Iterable[AnyUnit]) -> None:
        self.units = {unit.hash: unit for unit in units}
        self.status: dict[str, str] = {}
        self.waiting = dict(self.units)
        self.readers: dict[str, list[str]] = {}
        for unit in self.units.values():
            for need in unit.needs:
                self.readers.setdefault(need, []).append(unit.hash)
        self._rank = {key: index for index, key in enumerate(self.units)}
        self._first = 0
        self._lacking = {unit.hash: len(unit.needs) for unit in self.units.values()}
        # Units that could run when they were put here, first in the plan first.
        self._able = [(self._rank[key], key) for key, lacking in self._lacking.items() if not lacking]
        # Units with a need that is lost, or was.
        self._lost: dict[str, None] = {}

    def is_able(self, unit: AnyUnit) -> bool:
        """Returns whether all that the unit needs has a result."""
        return not self._lacking[unit.hash]

    def end(self, unit: AnyUnit, status: str) -> None:
        """Takes note that a unit ended; it waits no more."""
        self.waiting.pop(unit.hash, None)
        before = self.status.get(unit.hash)
        self.status[unit.hash] = status
        self._moved(unit, before, status)

    def wait(self, unit: AnyUnit, *, first: bool = False) -> None:
        """Lets a unit wait again, before all others if it is asked for."""
        if first:
            self._first -= 1
            self._rank[unit.hash] = self._first
        self.waiting[unit.hash] = unit
        self._moved(unit, self.status.pop(unit.hash, None), None)
        self._offer(unit.hash)
        self._lost[unit.hash] = None

    def next(self) -> AnyUnit | None:
        """Returns the first waiting unit that can run; None where none can."""
        while self._able:
            rank, key = self._able[0]
            if key in self.waiting and not self._lacking[key] and rank == self._rank[key]:
                return self.waiting[key]
            heappop(self._able)
        return None

    def take(self, unit: AnyUnit) -> None:
        """Takes a unit that will run."""
        del self.waiting[unit.hash]

    def blocked(self) -> list[AnyUnit]:
        """Returns the waiting units that can never run, in plan order."""
        waiting = (self.waiting[key] for key in self._lost if key in self.waiting)
        found = [unit for unit in waiting if any(self.status.get(need) in LOST for need in unit.needs)]
        found.sort(key=lambda unit: self._rank[unit.hash])
        self._lost = {unit.hash: None for unit in found}
        return found

    def _moved(self, unit: AnyUnit, before: str | None, now: str | None) -> None:
        """Tells the readers of a unit how it stands now."""
        change = (before == "ok") - (now == "ok")
        for reader in self.readers.get(unit.hash, ()):
            self._lacking[reader] += change
            if change < 0:
                self._offer(reader)
            if now in LOST:
                self._lost[reader] = None

    def _offer(self, key: str) -> None:
        if not self._lacking[key]:
            heappush(self._able, (self._rank[key], key))
