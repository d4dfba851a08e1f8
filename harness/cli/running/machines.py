"""What a plan takes on machines that are not here: hours, storage, what is read over a network, and money.

Counted: units, what they wait for, and multiply-accumulates of their networks. Measured: what a unit costs
beside its network, and bytes of records. Assumed: which share of a device's peak a training reaches.
"""

import re
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import Final, NamedTuple

from harness import catalog
from harness.board.table import Table
from harness.board.terminal import terminal_lines
from harness.cli.options import data_folder
from harness.errors import HarnessError
from harness.identity.unit import AnyUnit
from harness.run.order import Order
from harness.study.cost import MACS_PER_SECOND, Network
from harness.study.pace import ANSWER, OVERHEAD, Paced
from harness.study.plan import Plan
from harness.study.work.units import SearchingSpec, SourcesSpec

PEAKS: Final = {
    "T4": 3.25e13,
    "V100": 6.25e13,
    "A100": 1.56e14,
    "L40S": 1.81e14,
    "H100": 4.95e14,
    "H200": 4.95e14,
}
"""Device -> multiply-accumulates a second of dense products in half precision, by its maker's data sheet."""
SHARE: Final = MACS_PER_SECOND / PEAKS["A100"]
"""What a training reaches of the peak, as `MACS_PER_SECOND` takes it."""
LAUNCHES: Final = 0.015
"""Seconds of a training step below which a device waits for launches: one H200 and `benchmarks/device.py`."""
CPU: Final = "CPU"
"""A device that is one thread of a machine as this one."""
STARTING: Final = 4.0
"""Seconds that a device's process takes to import what it needs, once."""
RECORD_BYTES: Final = 3e4
"""Of a unit's folder beside weights: the mean of the quickstart, most of it samples of scores."""
MOST: Final = 10**6


class Machines(NamedTuple):
    """So many devices of a kind."""

    devices: int
    device: str

    def __str__(self) -> str:
        return f"{self.devices:,} x {self.device}"


def machines(text: str) -> Machines:
    """Returns the machines that a text such as 8xH100 names.

    Raises:
        HarnessError: it names none.
    """
    known = {name.lower(): name for name in (*PEAKS, CPU)}
    found = re.fullmatch(r"(\d{1,7})x(\w+)", text.strip(), re.IGNORECASE)
    if not found or found[2].lower() not in known or not 1 <= int(found[1]) <= MOST:
        raise HarnessError(
            f"--on {text!r} names no machines; give a count and one of {', '.join((*PEAKS, CPU))}, such as "
            "8xH100."
        )
    return Machines(int(found[1]), known[found[2].lower()])


def makespan(units: Iterable[AnyUnit], seconds: Mapping[str, float], count: int) -> float:
    """Returns when the last of the units ends, in seconds, where so many are done at once in plan order."""
    order = Order(units)
    running: list[tuple[float, int, AnyUnit]] = []
    now, number = 0.0, 0
    while order.waiting or running:
        while len(running) < count and (unit := order.next()) is not None:
            order.take(unit)
            number += 1
            heappush(running, (now + seconds[unit.hash], number, unit))
        now, _, ended = heappop(running)
        order.end(ended, "ok")
    return now


class _Paces(Paced):
    """Estimates of units on a device that is not here."""

    def __init__(self, units: Iterable[AnyUnit], device: str) -> None:
        super().__init__(units, data=data_folder(), is_measuring=False)
        self.device = device

    def rate(self, network: Network, spec: SourcesSpec, batch_size: int, method: str = "") -> float:
        """Returns the seconds of one multiply-accumulate; a small step waits for launches."""
        macs = self.mean(spec) if spec.space else self.alone(method, spec)
        least = LAUNCHES / (3 * macs * batch_size) if macs else 0.0  # a step is three passes
        return max(1 / (SHARE * PEAKS[self.device]), least)

    def weights(self, unit: AnyUnit) -> float:
        """Returns the bytes of the weights that a unit leaves, those of a network of its space."""
        spec = unit.spec
        if not unit.kind.trains or not isinstance(spec, SourcesSpec) or not spec.space:
            return 0.0
        space = self.space(spec)
        return 4.0 * space.parameters(space.extreme(largest=True))


@catalog.held()
def on_machines(plan: Plan, asked: Machines, *, price: float | None, width: int | None) -> str:
    """Returns what a plan takes on the machines that are asked about, beside one device, and very many.

    Args:
        plan: the units.
        asked: so many devices of a kind.
        price: of a device for an hour, in any currency; None where it is not given.
        width: characters of a line of the terminal; None for any.
    """
    here = asked.device == CPU
    paces = Paced(plan.units, data=data_folder()) if here else _Paces(plan.units, asked.device)
    weights = _Paces(plan.units, "A100").weights
    seconds = {unit.hash: paces.seconds(unit) for unit in plan.units}
    stored = {unit.hash: RECORD_BYTES + weights(unit) for unit in plan.units}
    read = sum(stored[need] for unit in plan.units for need in unit.needs)
    work = sum(seconds.values())
    rows = []
    for count in sorted({1, asked.devices, len(plan.units)}):
        hours = (makespan(plan.units, seconds, count) + STARTING) / 3600
        money = "" if price is None else f"{hours * count * price:,.0f}"
        rows.append((f"{count:,}", f"{hours:,.2f}", f"{100 * work / (3600 * hours * count):.0f}", money))
    notes = [
        f"{len(plan.units):,} units, {work / 3600:,.1f} device hours. More devices than {asked.devices:,} "
        f"help where the hours of {len(plan.units):,} are less: units are not divided, and some wait.",
        f"Storage {sum(stored.values()) / 1e9:,.2f} GB; {read / 1e9:,.2f} GB are read of other units' files. "
        "Data is prepared once on each machine, and is not counted.",
        _assumed(asked.device),
    ]
    if any(isinstance(unit.spec, SearchingSpec) and unit.spec.llm is not None for unit in plan.units):
        notes.append(f"An answer of the embedded model is taken as {ANSWER} s; an endpoint's is not counted.")
    head = ("Devices", "Hours", "Busy, %", *([] if price is None else ["Money"]))
    table = Table(
        caption=f"What {plan.name} takes on {asked}, by an estimate",
        columns=head,
        rows=tuple(row[: len(head)] for row in rows),
        labels=1,
        notes=tuple(notes),
    )
    return "\n".join(terminal_lines(table, width)).rstrip()


def _assumed(device: str) -> str:
    if device == CPU:
        return "A CPU is one thread of this machine, measured on a few steps of each kind of network."
    return (
        f"Assumed, not measured: one {device} does {SHARE * PEAKS[device]:.1e} multiply-accumulates a "
        f"second, {100 * SHARE:.1f} % of its peak, and is fed fast enough. A training step takes "
        f"{1000 * LAUNCHES:.0f} ms at least, as measured on one H200. A unit has {OVERHEAD} s beside."
    )
