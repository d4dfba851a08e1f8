"""Where a plan stands in a run folder: what may be believed, what is stale, and what is done again."""

import os
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

from harness.errors import DamagedError, HarnessError
from harness.identity.unit import AnyUnit, apart, unit_folder
from harness.run.kept import SUPERSEDED, Hold, Kept, aside, fault, forget_parts, time_told
from harness.run.order import LOST, Order, Queue, Twins
from harness.run.record import Record, input_of, read_record
from harness.run.store import Store, linked, renamed
from harness.run.stored import PROVENANCE, RECORD, check_files, read_beside, unit_record, write_record

MOST_REMADE: Final = 2
"""How often a result that is damaged as soon as it is made is made again in one run."""
MOST_READ: Final = 256
"""Records of needs that are kept in memory, since what reads them runs soon after."""


@dataclass(frozen=True, kw_only=True)
class Belief:
    """What a user asks of results that were made before something changed.

    Attributes:
        keep_stale: keep what was made before code or data changed; its rows are marked.
        provenance: of this machine, where what was made on another one is made again; None where it is kept.
    """

    keep_stale: bool = False
    provenance: Mapping[str, Any] | None = None


class Standing:
    """The units of a plan, each believed only by its content and the results it read.

    A unit settles when all that it needs has a result: a record of the same content and the same inputs is
    believed wherever it lies, so that a need that was made again with the same bytes makes nothing else
    stale.
    """

    def __init__(
        self,
        run: Path,
        units: Iterable[AnyUnit],
        *,
        belief: Belief | None = None,
        is_intact: Callable[[AnyUnit, Record], bool] = lambda unit, record: True,
        store: Store | None = None,
        hold: Hold | None = None,
    ) -> None:
        """Reads every record of the run's folder; units come after what they need.

        `is_intact` says whether what a unit left outside of the folder is as its record says, and `store`
        has what other runs made. Where other processes write the folder, too, `hold` keeps them from a unit.
        """
        self.run = run
        self.order = Order(units)
        self.units, self.status = self.order.units, self.order.status
        self.results: dict[str, str] = {}
        self.reused: set[str] = set()
        self.damaged: list[str] = []
        self._remade: Counter[str] = Counter()
        self._belief = belief or Belief()
        self._is_intact = is_intact
        self._store = store
        self._hold = hold or (lambda unit: nullcontext(True))
        self._taken: dict[tuple[str, str], tuple[str, str]] = {}
        self._twins = Twins()
        self._by_input: dict[str, Kept] = {}
        self._by_name: dict[str, Kept] = {}
        self._by_folder: dict[Path, list[Kept]] = {}
        self._read: dict[str, tuple[tuple[int, ...], Record]] = {}
        self._unsettled = Queue(self.units)
        self._scan()
        self._before = {unit.hash: self._found(unit) for unit in self.units.values()}

    def settle(self) -> list[AnyUnit]:
        """Returns the waiting units that need not run, now that what they need has results."""
        found = []
        while self._unsettled:
            unit = self.waiting.get(self._unsettled.pop())
            if unit is not None and self.order.is_able(unit) and self._believed(unit):
                self.reused.add(unit.hash)
                self._unsettled.extend(self.order.readers.get(unit.hash, ()))
                found.append(unit)
        return found

    @property
    def waiting(self) -> Mapping[str, AnyUnit]:
        """Plan key -> unit that did not end and does not run."""
        return self.order.waiting

    def ready(self) -> AnyUnit | None:
        """Takes a unit that can run; where what it needs is damaged, that waits to be made again."""
        key = ""
        while (unit := self.order.next()) is not None:
            key = unit.input_key(self.inputs(unit)) if unit.kind.takes else ""
            if not self._twins.holds(unit, key):
                break
            self.order.hold(unit)
        if unit is None or not self._has_intact_needs(unit):
            return None
        self.order.take(unit)
        self._twins.start(unit, key)
        return unit

    def blocked(self) -> list[AnyUnit]:
        """Returns the waiting units that can never run, in plan order."""
        return self.order.blocked()

    def skip(self, unit: AnyUnit, why: str = "") -> None:
        """Records that a unit was not run: something that it needs failed, or `why` says what else."""
        with self._hold(unit) as is_held:
            # Where others write the folder, one may have done meanwhile what is given up here.
            if is_held and not (self.order.is_able(unit) and self._there(unit)):
                write_record(self.run, unit, "skipped", reason=why or self._lost(unit))
        self.order.end(unit, "skipped")
        self._release(unit)

    def _release(self, unit: AnyUnit) -> None:
        """Lets what waited for a unit's end run, if that left nothing for it."""
        for twin in self._twins.end(unit):
            self.order.release(twin)

    def _lost(self, unit: AnyUnit) -> str:
        """Returns which need of a unit failed, and why."""
        lost = next(need for need in unit.needs if self.status.get(need) in LOST)
        cause = unit_record(self.run, self.units[lost])
        told = cause.reason if cause and cause.reason else "it has no record."
        if cause is None or cause.status == "failed":
            name = f"{self.units[lost].kind} {self.units[lost].spec.of}".strip()
            told = f"needs {name}, which failed: {told}"
        return told

    def finished(self, unit: AnyUnit, status: str) -> None:
        """Takes note of a unit that ran; where it left another result, what read the old one waits again."""
        self.order.end(unit, status)
        self._release(unit)
        if status != "ok":
            return
        folder = unit_folder(self.run, unit)
        record = self._record(unit, folder)
        if record is None:
            raise HarnessError(f"{folder} vanished; run the same command again.")
        self._know(folder, record)
        self._unsettled.extend(self._twins.settled_by(record.input_key))
        if self._store:
            self._store.keep(folder, record, unit)
        self._unsettled.extend(self.order.readers.get(unit.hash, ()))
        old = self.results.get(unit.hash)
        self._settled(unit, record)
        if old not in (None, record.result_hash):
            self._unsettle(unit.hash)

    def inputs(self, unit: AnyUnit) -> dict[str, str]:
        """Returns name of each needed unit -> hash of what is read of its result."""
        part = unit.kind.name
        whole = {need: (self.units[need].name, self.results[need]) for need in unit.needs}
        return dict(self._taken.get((need, part), whole[need]) for need in unit.needs)

    def told(self) -> list[str]:
        """Returns what makes units run again, and what they cost when they ran, a sentence each."""
        lines = [f"{text} It is made again." for text in self.damaged]
        before = [unit for unit in self.units.values() if self._before[unit.hash] is not None]
        again = [unit for unit in before if unit.hash not in self.status]
        causes = sorted({label for unit in again for label in self._causes(unit)})
        if causes:
            # What only read what changed may stay, where that comes out alike.
            spared = sum(not self._changed(unit) for unit in again)
            but = f", but for up to {spared} whose inputs may come out the same" if spared else ""
            seconds = sum(found.seconds for unit in again if (found := self._before[unit.hash]))
            lines.append(
                f"{' and '.join(causes)} changed since {len(again)} of {len(before)} units ran: they run "
                f"again{but} ({time_told(seconds)} when they ran)."
            )
        kept = [changed for unit in before if unit.hash in self.reused and (changed := self._changed(unit))]
        if kept:
            what = " and ".join(sorted(set(chain(*kept))))
            lines.append(
                f"{what} changed since {len(kept)} of {len(before)} units ran: they are kept, marked †."
            )
        return lines

    def tidy(self) -> None:
        """Puts what is of no unit of this plan aside, so that the folder is as a fresh run leaves it.

        What a process that was ended left half-written is deleted.
        """
        units = self.run / "units"
        forget_parts(units)
        wanted = {unit.folder for unit in self.units.values()}
        for name in sorted(os.listdir(units)) if units.is_dir() else []:
            if name not in wanted:
                aside(self.run, units / name)

    def _scan(self) -> None:
        for parent in (self.run / SUPERSEDED, self.run / "units"):
            for name in sorted(os.listdir(parent)) if parent.is_dir() else []:
                folder = parent / name
                try:
                    record = read_record(folder / RECORD)
                except DamagedError as error:
                    if parent.name != SUPERSEDED:
                        self.damaged.append(fault(error))
                    (folder / RECORD).unlink(missing_ok=True)
                    continue
                if record is not None and record.status == "ok":
                    self._know(folder, record)

    def _found(self, unit: AnyUnit) -> Kept | None:
        """Returns what lies in the unit's place, or else what it left when its code was another."""
        here = self._by_folder.get(unit_folder(self.run, unit), [None])
        return here[-1] or self._by_name.get(unit.name)

    def _know(self, folder: Path, record: Record) -> Kept:
        found = Kept(folder, record)
        self._by_input[record.input_key] = self._by_name[found.name] = found
        self._by_folder.setdefault(folder, []).append(found)
        return found

    def _settled(self, unit: AnyUnit, record: Record) -> None:
        """Keeps what others read of a unit's result: all of it, or for some kinds a part."""
        self.results[unit.hash] = record.result_hash
        for reader in map(self.units.__getitem__, self.order.readers.get(unit.hash, ())):
            if unit.kind.name in reader.kind.takes:
                self._taken[unit.hash, reader.kind.name] = input_of(reader, unit, record)

    def _believed(self, unit: AnyUnit) -> bool:
        """Returns whether there is a result of the unit, and brings it to where the unit's is read."""
        if not (self._by_input or self._store or unit.kind.takes):
            return False
        key = unit.input_key(self.inputs(unit))
        found = self._sound(self._by_input.get(key)) or self._kept(unit, key)
        if found is None and self._belief.keep_stale:
            found = self._sound(self._by_name.get(unit.name))
        if found is None and unit.kind.takes:
            self._twins.ask(unit, key)
        if found is None:
            return False
        place, told = unit_folder(self.run, unit), found.record
        if found.folder != place or told.hash != unit.hash:
            with self._hold(unit) as is_held:
                found = self._there(unit) or found
                if not is_held or (found.folder != place and not self._brought(found, unit, place)):
                    return False
                told = renamed(place, found.record, unit)
        self._know(place, told)
        self.order.end(unit, "ok")
        self._settled(unit, told)
        return True

    def _sound(self, found: Kept | None) -> Kept | None:
        return found if found and self._is_whole(found) and not self._is_elsewhere(found) else None

    def _there(self, unit: AnyUnit) -> Kept | None:
        """Returns what lies in the unit's place and is of these inputs, whoever made it."""
        place = unit_folder(self.run, unit)
        with suppress(DamagedError):
            record = self._record(unit, place)
            if record and record.status == "ok" and record.input_key == unit.input_key(self.inputs(unit)):
                return self._sound(Kept(place, record))
        return None

    def _kept(self, unit: AnyUnit, key: str) -> Kept | None:
        """Returns what another run made of a unit."""
        try:
            entry = self._store.find(unit, key) if self._store else None
        except DamagedError as error:
            self.damaged.append(fault(error))
            return None
        return entry and Kept(*entry)

    def _brought(self, found: Kept, unit: AnyUnit, place: Path) -> bool:
        """Brings a folder to where a unit's is read; what is another unit's, or other runs', stays there."""
        if place.exists():
            aside(self.run, place)
        place.parent.mkdir(parents=True, exist_ok=True)
        is_others = found.record.hash != unit.hash and found.record.hash in self.units
        if not is_others and found.folder.is_relative_to(self.run):
            found.folder.rename(place)
            return True
        try:
            linked(found.folder, found.record, place)
        except OSError:  # another command took it away just now, or the disk is full
            shutil.rmtree(place, ignore_errors=True)
            return False
        return True

    def _is_whole(self, found: Kept) -> bool:
        try:
            check_files(found.folder, found.record)
        except DamagedError as error:
            self.damaged.append(fault(error))
            (found.folder / RECORD).unlink(missing_ok=True)
            self._forget(found.folder)
            return False
        return True

    def _is_elsewhere(self, found: Kept) -> bool:
        """Returns whether the result was made on another kind of machine than is asked for."""
        wanted = self._belief.provenance
        if wanted is None:
            return False
        with suppress(DamagedError):
            made = read_beside(found.folder, PROVENANCE, found.name) or {}
            return any(made.get(key) != value for key, value in wanted.items())
        return True

    def _has_intact_needs(self, unit: AnyUnit) -> bool:
        """Returns whether all that the unit reads is as it was written; what is not waits again."""
        again = []
        for need in unit.needs:
            other = self.units[need]
            try:
                folder = unit_folder(self.run, other)
                record = self._record(other, folder)
                if record is None:
                    raise DamagedError(f"{folder / RECORD} is gone.")
                check_files(folder, record)
                if not self._is_intact(other, record):
                    raise DamagedError(f"What {other.kind} made is gone.")
            except DamagedError as error:
                self.damaged.append(fault(error))
                again.append(other)
        for other in again:
            self._remade[other.hash] += 1
            if self._remade[other.hash] > MOST_REMADE:
                raise HarnessError(
                    f"{self.damaged[-1]} It was made again {MOST_REMADE} times; check the disk."
                )
            (unit_folder(self.run, other) / RECORD).unlink(missing_ok=True)
            self.order.wait(other, first=True)
            self.reused.discard(other.hash)
            self._forget(unit_folder(self.run, other))
        return not again

    def _record(self, unit: AnyUnit, folder: Path) -> Record | None:
        """Returns what `unit_record` does; what others need is read once as long as it does not change."""
        try:
            state = os.stat(f"{folder}/{RECORD}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        mark = (state.st_ino, state.st_size, state.st_mtime_ns)
        known = self._read.get(unit.hash)
        if known is not None and known[0] == mark:
            return known[1]
        record = unit_record(self.run, unit)
        if record is not None and unit.hash in self.order.readers:
            if len(self._read) == MOST_READ:
                self._read.clear()
            self._read[unit.hash] = (mark, record)
        return record

    def _forget(self, folder: Path) -> None:
        for found in self._by_folder.pop(folder, ()):
            for known, key in ((self._by_input, found.record.input_key), (self._by_name, found.name)):
                if (there := known.get(key)) is not None and there.folder == folder:
                    del known[key]

    def _unsettle(self, changed: str) -> None:
        """Lets every unit wait again that read the result of `changed`, directly or not."""
        touched, reached = deque([changed]), {changed}
        while touched:
            for reader in self.order.readers.get(touched.popleft(), ()):
                if reader in reached:
                    continue
                reached.add(reader)
                touched.append(reader)
                if reader in self.status:
                    self._wait_again(self.units[reader])

    def _wait_again(self, unit: AnyUnit) -> None:
        self.reused.discard(unit.hash)
        self.order.wait(unit)
        self._unsettled.extend([unit.hash])
        record = unit_record(self.run, unit)
        if record is not None and record.status == "ok":
            self._know(unit_folder(self.run, unit), record)

    def _changed(self, unit: AnyUnit) -> list[str]:
        """Returns what changed of a unit's own code since it ran."""
        before = self._before[unit.hash]
        return apart(unit.code, before.record.code if before is not None else {})

    def _causes(self, unit: AnyUnit) -> tuple[str, ...]:
        """Returns what changed since a unit ran: of its own code, or else of what it needs."""
        if self._before[unit.hash] is None:
            return (unit.told,)
        waiting = [self.units[need] for need in unit.needs if need not in self.status]
        inherited = (label for need in waiting for label in self._causes(need))
        return tuple(self._changed(unit) or dict.fromkeys(inherited))
