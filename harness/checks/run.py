"""What `doctor RUN` says of a run: what is missing, failed, stale or damaged, and what a unit depends on."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import catalog
from harness.checks.finding import Finding
from harness.data.corruptions import domain_of
from harness.data.prepare import intact_card
from harness.errors import DamagedError, HarnessError, UnknownNameError
from harness.files import read_sealed
from harness.identity.code import combined
from harness.identity.content import code_of, parts_of
from harness.identity.unit import AnyUnit, apart, unit_folder
from harness.run.record import Record, input_of
from harness.run.score_cache import FOLDER, damaged_lines
from harness.run.stored import PROVENANCE, TIMING, check_files, planned_units, read_beside, unit_record
from harness.study.work.units import Preparation, PrepareSpec
from harness.task.task import Task

REMEDY = "run the same `harness eval` again"


def run_findings(run: Path, data: Path) -> list[Finding]:
    """Returns how every unit of a run stands, those first that do not hold."""
    try:
        units = planned_units(run)
    except DamagedError as error:
        return [Finding("plan of the run", False, str(error))]
    states: Counter[str] = Counter()
    findings: list[Finding] = []
    records: dict[str, Record] = {}
    by_hash = {unit.hash: unit for unit in units}
    for unit in units:
        folder = unit_folder(run, unit)
        try:
            record = unit_record(run, unit)
            if record is not None and record.status == "ok":
                check_files(folder, record)
                records[unit.hash] = record
            for name in (TIMING, PROVENANCE):
                if read_beside(folder, name, unit.name) is None and unit.hash in records:
                    raise DamagedError(f"{folder / name} is gone; no result depends on it.")
            state, reason = _state(unit, record, records, by_hash)
        except DamagedError as error:
            state, reason = "damaged", str(error)
        states[state] += 1
        if reason:
            findings.append(Finding(f"unit {unit.folder}", False, reason))
    text = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    whole = Finding("units of the run", set(states) <= {"ok"}, text or "no units")
    return [whole, *findings, *_products(units, records, data), *_others(run)]


def why(run: Path, name: str) -> list[str]:
    """Returns a line for each file, or part of one, that a unit's identity covers, and what changed since.

    Args:
        run: the run's folder.
        name: of a unit's folder, or the first digits of its key.
    """
    units = planned_units(run)
    chosen = [unit for unit in units if unit.folder == name or unit.hash.startswith(name)]
    if not chosen:
        raise UnknownNameError("unit", name, [unit.folder for unit in units])
    if len(chosen) > 1:
        raise HarnessError(f"{name!r} means {len(chosen)} units; give more digits, as in {chosen[0].folder}.")
    unit = chosen[0]
    lines = [f"unit {unit.folder} depends on"]
    for label, parts in parts_of(unit.kind, unit.spec).items():
        is_same = unit.code.get(label) == combined(parts)
        state = "as it was" if is_same else "changed since the plan was made"
        lines.append(f"{label}: {state}")
        lines += [f"  {digest}  {part}" for part, digest in sorted(parts.items())]
    by_hash = {one.hash: one for one in units}
    lines += [f"need: {by_hash[need].folder}" for need in unit.needs if need in by_hash]
    return lines


def _state(
    unit: AnyUnit, record: Record | None, records: Mapping[str, Record], units: Mapping[str, AnyUnit]
) -> tuple[str, str]:
    """Returns how a unit stands, in one word, and why."""
    if record is None:
        return "not run", ""
    if record.status != "ok":
        return record.status, record.reason or record.status
    try:
        changed = [*apart(unit.code, record.code), *apart(code_of(unit.kind, unit.spec), record.code)]
    except (HarnessError, LookupError, TypeError, ValueError) as error:
        return "stale", f"what it runs is not here any more: {type(error).__name__}: {error}"
    read = [need for need in unit.needs if need in records]
    for need in read:
        name, result = input_of(unit, units[need], records[need])
        changed += [] if record.inputs.get(name) == result else [f"the {units[need].kind} that it read"]
    if changed:
        return "stale", f"{' and '.join(dict.fromkeys(changed))} changed since it ran; {REMEDY}."
    return "ok", ""


def _products(units: list[AnyUnit], records: dict[str, Record], data: Path) -> Iterator[Finding]:
    """Yields what of the prepared data is not what the run read."""
    for unit in units:
        spec = unit.spec
        if not isinstance(spec, PrepareSpec) or unit.hash not in records:
            continue
        try:
            task: Task = catalog.load("task", spec.task)
            card = intact_card(spec.task, domain_of(task, spec.domain), data)
        except HarnessError as error:
            yield Finding(spec.data, False, str(error))
            continue
        kept = Preparation.from_json(records[unit.hash].result).sha256
        if card is None:
            yield Finding(spec.data, True, f"not whole in {data}; it is prepared again where a unit needs it")
        else:
            told = card.sha256[:16] if card.sha256 == kept else "not what the run read"
            yield Finding(spec.data, card.sha256 == kept, told)


def _others(run: Path) -> Iterator[Finding]:
    """Yields what of the other files is damaged: the board, and scores that a run in progress shares."""
    try:
        read_sealed(run / "board.json", f"{REMEDY}, which writes it again")
    except FileNotFoundError:
        pass
    except HarnessError as error:
        yield Finding("board of the run", False, str(error))
    for path in sorted((run / FOLDER).glob("*.jsonl")):
        count = damaged_lines(path)
        if count:
            text = f"{count} lines are damaged and are not believed; {REMEDY}."
            yield Finding(f"scores {path.name}", False, text)
