"""Which units of a plan wait, which of them can run, and which never can; no step looks at all of them."""

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Final

from harness.identity.unit import AnyUnit

LOST: Final = ("failed", "skipped")
"""Ends after which what needs the unit cannot run."""


class Queue:
    """Plan keys, first come first served, each once at a time."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys: deque[str] = deque()
        self._there: set[str] = set()
        self.extend(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def extend(self, keys: Iterable[str]) -> None:
        """Adds those that are not in it, in this order."""
        for key in keys:
            if key not in self._there:
                self._there.add(key)
                self._keys.append(key)

    def pop(self) -> str:
        """Takes the first."""
        key = self._keys.popleft()
        self._there.discard(key)
        return key


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

    def hold(self, unit: AnyUnit) -> None:
        """Leaves out the unit that `next` returns, which waits on, until it is released."""
        rank, key = heappop(self._able)
        assert key == unit.hash, rank

    def release(self, unit: AnyUnit) -> None:
        """Lets a unit that was held run, if it still can."""
        self._offer(unit.hash)

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


class Twins:
    """Units that would leave one result: while one of them runs, the others wait for it."""

    def __init__(self) -> None:
        self._running: dict[str, str] = {}  # plan key -> input key
        self._held: dict[str, list[AnyUnit]] = {}  # input key -> units that could run
        self._asked: dict[str, dict[str, None]] = {}  # input key -> plan keys of what it would settle

    def holds(self, unit: AnyUnit, key: str) -> bool:
        """Returns whether one with this input key runs now; then the unit waits for its end."""
        if not key or key not in self._running.values():
            return False
        self._held.setdefault(key, []).append(unit)
        return True

    def start(self, unit: AnyUnit, key: str) -> None:
        """Takes note that a unit runs; a key of nothing is no one's twin."""
        if key:
            self._running[unit.hash] = key

    def end(self, unit: AnyUnit) -> list[AnyUnit]:
        """Takes note that a unit runs no more, and returns those that waited for it."""
        return self._held.pop(self._running.pop(unit.hash, ""), [])

    def ask(self, unit: AnyUnit, key: str) -> None:
        """Takes note that a result of this input key would settle a unit."""
        self._asked.setdefault(key, {})[unit.hash] = None

    def settled_by(self, key: str) -> list[str]:
        """Returns the plan keys of those that a result settles, once."""
        return list(self._asked.pop(key, {}))
