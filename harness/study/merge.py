"""Several runs as one board where their protocols agree, and side by side, with the reason, where not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.files import canonical_json
from harness.run.loaded import Run
from harness.run.record import Record
from harness.study.study import AnyBoard, build_board, load_study


@dataclass(frozen=True, kw_only=True)
class MergedBoards:
    """A board for each set of runs whose protocols agree, in an order that the runs' order does not change.

    `runs` has what each is of, `reasons` a sentence for each after the first: why it is not merged into that.
    """

    boards: tuple[AnyBoard, ...]
    runs: tuple[Run, ...]
    reasons: tuple[str, ...]


class Terms(NamedTuple):
    """What must agree before rows of two runs stand in one ranking.

    Attributes:
        study: catalog name.
        protocol: as `Study.protocol` tells it.
        code: what of the code every row shares -> its digest.
    """

    study: str
    protocol: Mapping[str, Any]
    code: Mapping[str, str]


def terms_of(run: Run) -> Terms:
    """Returns what a run has to agree in."""
    return Terms(run.suite.study, load_study(run.suite.study).protocol(run), _code(run))


def terms_apart(kept: Terms, new: Terms) -> str | None:
    """Returns why rows of `new` do not belong to those of `kept`; None when nothing speaks against it."""
    for name in (kept.study, new.study):
        if alone := load_study(name).stands_alone():
            return alone
    if kept.study != new.study:
        both = [f"{one}, which {load_study(one).summary}" for one in (kept.study, new.study)]
        return f"they are of two studies: {both[0]}; and {both[1]}"
    mine, other = new.protocol, kept.protocol
    for name in sorted({*mine, *other}, key=lambda name: (name.startswith("prepared"), name)):
        if name not in mine or name not in other:
            return f"only one of them has {name}"
        if mine[name] != other[name]:
            return f"{name}: {_short(mine[name])} against {_short(other[name])}"
    for name in sorted(new.code.keys() & kept.code.keys()):
        if new.code[name] != kept.code[name]:
            return f"{name} was changed between the two"
    return None


def merge(runs: Sequence[Run]) -> MergedBoards:
    """Returns the boards of `runs`, merged where the protocols agree; a folder counts once."""
    distinct = {run.folder.resolve(): run for run in runs}
    ordered = sorted(distinct.values(), key=lambda run: (run.name, canonical_json(_content(run))))
    sets: list[list[Run]] = []
    reasons: list[str] = []
    for run in ordered:
        against = [_difference(kept, run) for kept in sets]
        place = next((index for index, reason in enumerate(against) if reason is None), None)
        if place is not None:
            sets[place].append(run)
            continue
        if sets:
            names = f"{_label(run, ordered)} stands apart from {_label(sets[0][0], ordered)}"
            reasons.append(f"{names}: {against[0]}.")
        sets.append([run])
    joined = tuple(kept[0] if len(kept) == 1 else _merged(kept) for kept in sets)
    boards = tuple(_board(run, kept) for run, kept in zip(joined, sets, strict=True))
    return MergedBoards(boards=boards, runs=joined, reasons=tuple(reasons))


def _difference(kept: Sequence[Run], run: Run) -> str | None:
    """Returns why `run` does not belong to `kept`; None when it does."""
    reason = terms_apart(terms_of(kept[0]), terms_of(run))
    if reason is not None:
        return reason
    for one in kept:
        row = _clash(one, run)
        if row is not None:
            return f"both have the row {row}, made or scored in different ways"
    return None


def _code(run: Run) -> dict[str, str]:
    """Returns what of the code of finished units every row shares -> its digest: engine, tasks and table."""
    found: dict[str, str] = {}
    for unit in run.units:
        record = run.records.get(unit.hash)
        where = f"{unit.kind} units"
        for label, digest in (record.code if record is not None else unit.code).items():
            if label == "engine":
                found[f"the code of {where}"] = digest
            elif label.startswith(("task ", "table ")):
                found[f"{label} as {where} see it"] = digest
    return found


def _clash(one: Run, other: Run) -> str | None:
    """Returns a row that two runs made differently: other units, or other scores of the same unit."""
    study = load_study(one.suite.study)
    units = [
        {canonical_json([unit.kind.name, study.place(unit)]): unit for unit in run.planned(*study.rows)}
        for run in (one, other)
    ]
    for place in sorted(units[0].keys() & units[1].keys()):
        first, second = units[0][place], units[1][place]
        results = (one.result(first), other.result(second))
        pairs = ((one, first), (other, second))
        keys = [run.records[unit.hash].input_key for run, unit in pairs if run.result(unit) is not None]
        apart = len(keys) == 2 and keys[0] != keys[1]
        if first.name != second.name or apart or (None not in results and results[0] != results[1]):
            return str(study.place(first)[0])
    return None


def _board(joined: Run, runs: Sequence[Run]) -> AnyBoard:
    board = build_board(joined)
    if len(runs) == 1:
        return board
    note = (
        f"Rows of {len(runs)} runs ({', '.join(run.name for run in runs)}), merged because tasks, prepared "
        "data, test samples, seeds and budget agree."
    )
    noted: AnyBoard = load_study(board.study).noted(board, note)
    return noted


def _merged(runs: Sequence[Run]) -> Run:
    units = {unit.hash: unit for run in runs for unit in run.units}
    records: dict[str, Record] = {}
    folders: dict[str, Path] = {}
    for run in runs:
        for name, record in run.records.items():
            if name not in records or records[name].status != "ok":
                records[name], folders[name] = record, run.place(units[name])
    names, titles = (sorted({getattr(run, key) for run in runs}) for key in ("name", "title"))
    return replace(
        runs[0],
        name=" + ".join(names),
        title=" + ".join(titles),
        suite=load_study(runs[0].suite.study).merged(runs),
        command=" && ".join(sorted({run.command for run in runs})),
        units=tuple(units.values()),
        records=records,
        timings={name: timing for run in reversed(runs) for name, timing in run.timings.items()},
        made={name: made for run in reversed(runs) for name, made in run.made.items()},
        folders=folders,
        speeds=tuple(one for run in runs for one in run.speeds),
    )


def _content(run: Run) -> list[str]:
    """What orders two runs of one suite whatever their folders are called."""
    return sorted(f"{unit.hash} {getattr(run.records.get(unit.hash), 'status', '')}" for unit in run.units)


def _label(run: Run, runs: Sequence[Run]) -> str:
    same = [one for one in runs if one.name == run.name]
    return run.name if len(same) == 1 else f"{run.name} in {run.folder}"


def _short(value: Any) -> str:
    text = "none" if value is None else canonical_json(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
