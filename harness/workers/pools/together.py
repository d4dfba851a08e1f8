"""This process and its peers, which share the batches of what trains."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from harness.identity.unit import AnyUnit
from harness.workers.pools.pool import Ended

if TYPE_CHECKING:
    from harness.run.place import Place
    from harness.workers.pools.pool import Perform


class Together:
    """This process, with its peers where a unit trains; the rest it does alone, and no limit is kept."""

    def __init__(self, place: "Place", perform: "Perform") -> None:
        self.place = place
        self.perform = perform
        self.idle = [self]
        self.busy: list[tuple[AnyUnit, Mapping[str, AnyUnit]]] = []

    def submit(self, unit: AnyUnit, needs: Mapping[str, AnyUnit]) -> None:
        """Takes `unit` as the next to do."""
        self.busy.append((unit, needs))
        self.idle.clear()

    def grow(self) -> None:
        """Starts nothing, as the peers are there from the beginning."""

    def finished(self) -> list[Ended]:
        """Does what was submitted."""
        from harness.learn.peers import told

        unit, needs = self.busy.pop()
        if unit.kind.trains:
            told((unit, needs))
        status = self.perform(unit, needs, self.place)
        self.idle.append(self)
        return [Ended(unit, status)]

    def stop(self) -> None:
        """Lets the peers go."""
        from harness.learn.peers import told

        told(None)


def follow(place: "Place") -> None:
    """Trains with the process that calls `execute` until that is done; it alone keeps records."""
    from harness.learn.peers import told
    from harness.workers.perform import perform

    while (task := told(None)) is not None:
        # What fails here fails there as well, and is recorded there.
        with suppress(Exception):
            perform(task[0], task[1], place)
