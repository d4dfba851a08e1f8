"""What the scheduler asks of whoever performs units: a unit is a function of itself and its needs' files."""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from harness.identity.unit import AnyUnit

if TYPE_CHECKING:
    from harness.run.place import Place

    Perform = Callable[[AnyUnit, Mapping[str, AnyUnit], Place], str]
    """Does a unit's work, keeps its record, and returns its status; a module's function, as it is pickled."""


class Ended(NamedTuple):
    """A unit that a pool is done with, and the status of its record."""

    unit: AnyUnit
    status: str


class Pool(Protocol):
    """Performs units side by side, each once; their records lie in the run's folder when they end.

    Attributes:
        idle: places where a unit would begin at once.
        busy: units, or what does them, that did not end.
    """

    @property
    def idle(self) -> Collection[object]: ...
    @property
    def busy(self) -> Collection[object]: ...

    def submit(self, unit: AnyUnit, needs: Mapping[str, AnyUnit]) -> None:
        """Begins a unit whose needs, by plan key, have results, where a place is idle."""

    def grow(self) -> None:
        """Makes room for one more, where that is worth its while, as more units wait than have a place."""

    def finished(self) -> list[Ended]:
        """Waits for a moment, or until something happens, and returns the units that ended.

        Raises:
            HarnessError: nothing can be recorded any more.
        """

    def stop(self) -> None:
        """Ends all that it started, at once; a unit that did not end leaves no record."""


Start = Callable[[Mapping[str, AnyUnit]], Pool]
"""Starts a pool for units that wait, by plan key; what was submitted or ended is in the mapping no more."""
