"""A pool of this process in a run's folder where others do their part, under leases."""

from collections.abc import Callable, Collection, Mapping
from time import monotonic, sleep
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import DamagedError, WaitingError
from harness.identity.unit import AnyUnit
from harness.run.stored import inputs_of, unit_record
from harness.workers.pools.local import Local
from harness.workers.pools.pool import Ended

if TYPE_CHECKING:
    from harness.workers.pools.leases import Leases

LOOK_SECONDS = 0.5
"""Between two looks at what others do."""
WAITING = 3
"""Exit status where units of this share wait for those of others."""


class _Away(NamedTuple):
    """A unit that is another process's, as far as this one knows."""

    unit: AnyUnit
    needs: Mapping[str, AnyUnit]


class Shared:
    """Performs those units that nobody else does, and waits for the records of the others.

    A unit is begun once its lease is held and no record of it lies there, so none that is finished is done
    again. What fails is left with that word, so that it is tried once by all processes together.
    """

    def __init__(
        self,
        pool: Local,
        leases: "Leases",
        waiting: Mapping[str, AnyUnit],
        is_mine: Callable[[AnyUnit], bool] = lambda unit: True,
    ) -> None:
        """Shares the folder that `pool` works in.

        Args:
            pool: what performs units here.
            leases: of this process.
            waiting: plan key -> unit that did not end and was not submitted, as it is at any time.
            is_mine: says which units may be done here; others are left to other processes.
        """
        self.pool = pool
        self.leases = leases
        self.waiting = waiting
        self.is_mine = is_mine
        self._own: dict[str, _Away] = {}
        self._away: dict[str, _Away] = {}
        self._ended: list[Ended] = []
        self._looked = 0.0

    @property
    def idle(self) -> Collection[object]:
        """Places of this process."""
        return self.pool.idle

    @property
    def busy(self) -> Collection[object]:
        """Units that began, here or elsewhere."""
        return [*self._own, *self._away, *self._ended]

    def submit(self, unit: AnyUnit, needs: Mapping[str, AnyUnit]) -> None:
        """Begins the unit, or finds that it is done, or leaves it to those who do it."""
        self._away[unit.hash] = _Away(unit, needs)
        self._try(self._away[unit.hash])

    def grow(self) -> None:
        """Starts one more process of this pool."""
        self.pool.grow()

    def finished(self) -> list[Ended]:
        """Waits for a moment, and returns the units that ended here, or were found to have."""
        for name in self.leases.lost():
            self._abandon(name)
        if not self._ended:
            if self.pool.busy:
                self._end_own()
            elif self._away:
                sleep(max(0.0, self._looked + LOOK_SECONDS - monotonic()))
        if monotonic() - self._looked >= LOOK_SECONDS:
            for away in list(self._away.values()):
                self._try(away)
            self._looked = monotonic()
            if not self._own and not self._ended:
                self._refuse_to_wait()
        ended, self._ended = self._ended, []
        return ended

    def stop(self) -> None:
        """Ends what runs here and gives its leases back."""
        self.pool.stop()
        for unit in [away.unit for away in self._own.values()]:
            self.leases.release(unit.folder)

    def _end_own(self) -> None:
        for ended in self.pool.finished():
            del self._own[ended.unit.hash]
            is_done = ended.status == "ok"
            self.leases.release(ended.unit.folder, "freed" if is_done else "failed", is_done=is_done)
            self._ended.append(ended)

    def _try(self, away: _Away) -> None:
        """Takes note of the end of a unit, or begins it where nobody does it."""
        unit = away.unit
        if self._is_done(away):
            self._end(unit, "ok")
            return
        if self.is_mine(unit) and self.pool.idle and self.leases.take(unit.folder):
            self._begin(away)
            return
        said = self.leases.state(unit.folder)
        if said == "failed" or (said == "freed" and not self.is_mine(unit) and self._has_failed(unit)):
            self._end(unit, "failed")

    def _begin(self, away: _Away) -> None:
        """Begins a unit whose lease is held, where nobody ended it since."""
        unit = away.unit
        if self._is_done(away):
            self.leases.release(unit.folder, is_done=True)
            self._end(unit, "ok")
            return
        del self._away[unit.hash]
        self._own[unit.hash] = away
        self.pool.submit(unit, away.needs)

    def _end(self, unit: AnyUnit, status: str) -> None:
        del self._away[unit.hash]
        self._ended.append(Ended(unit, status))

    def _is_done(self, away: _Away) -> bool:
        """Returns whether the unit has a result of these needs."""
        run = self.pool.place.run
        try:
            record = unit_record(run, away.unit)
            if record is None or record.status != "ok":
                return False
            return record.input_key == away.unit.input_key(inputs_of(run, away.unit, away.needs.values()))
        except DamagedError:
            return False

    def _has_failed(self, unit: AnyUnit) -> bool:
        try:
            record = unit_record(self.pool.place.run, unit)
        except DamagedError:
            return False
        return record is not None and record.status == "failed"

    def _abandon(self, name: str) -> None:
        """Ends a unit here whose lease another took."""
        away = next((one for one in self._own.values() if one.unit.folder == name), None)
        if away is not None:
            self.pool.abandon(away.unit)
            self.leases.release(name)
            del self._own[away.unit.hash]
            self._away[away.unit.hash] = away

    def _refuse_to_wait(self) -> None:
        """Ends where all that can be done next is left to others.

        Raises:
            WaitingError: nothing of this process's share is left, or nobody is there to do what it waits for.
        """
        if not self._away or any(self.is_mine(away.unit) for away in self._away.values()):
            return
        rest = sum(map(self.is_mine, self.waiting.values()))
        others = len(self._away) + len(self.waiting) - rest
        if not rest:
            raise WaitingError(
                f"this share is finished, and {others} units of other shares are left; who finishes the last "
                "one writes the board, and so does the same command once more.",
                status=0,
            )
        if self.leases.is_alone():
            raise WaitingError(
                f"{rest} units of this share wait for units of others, which nobody does now; run the other "
                "shares in this folder, or copy their units into it, and then the same command again.",
                status=WAITING,
            )
