"""Several runs as one board where their protocols agree, and side by side, with the reason, where not."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.files import canonical_json
from harness.run.loaded import Run
from harness.run.record import Record
from harness.study.boards import AnyBoard, build_board
from harness.study.lookup.board import LookupBoard
from harness.study.trained.values import Board

ROWS = ("title", "extends", "claim", "spaces", "searchers", "baselines", "published", "llm")
"""Keys of a suite that say which rows there are; all others are protocol and must agree."""
LIMITS = "limits"
"""Key of a suite that ends what takes too much, and is nothing that a result depends on."""
ROW_KEYS = (
    "method",
    "space",
    "selection",
    "task",
    "domain",
    "feedback",
    "evaluations",
    "select_seed",
    "report_seed",
    "seeds",
)


@dataclass(frozen=True, kw_only=True)
class MergedBoards:
    """The boards of several runs.

    Attributes:
        boards: one per set of runs whose protocols agree, in an order that the runs' order does not change.
        reasons: one sentence for each board after the first: why it is not merged into the first.
    """

    boards: tuple[AnyBoard, ...]
    reasons: tuple[str, ...]


def merge(runs: Sequence[Run]) -> MergedBoards:
    """Returns the boards of `runs`, merged where the protocols agree; a folder counts once.

    Raises:
        HarnessError: the scores of a finished unit are gone or damaged.
    """
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
    return MergedBoards(boards=tuple(_board(kept) for kept in sets), reasons=tuple(reasons))


def protocol(run: Run) -> dict[str, Any]:
    """Returns, by what people call it, all that must agree before rows of two runs are comparable."""
    found: dict[str, Any] = {"limit": run.limit}
    for key, value in run.suite.items():
        if key == "tasks":
            found["tasks"] = sorted(task["name"] for task in value)
            for task in value:
                about = {name: one for name, one in task.items() if name != "name"}
                found |= {f"{_words(name)} of {task['name']}": one for name, one in about.items()}
        elif key == "search":
            settings = {name: one for name, one in value.items() if name not in ("variants", "options")}
            found |= {f"search {_words(name)}": one for name, one in settings.items()}
        elif key not in (*ROWS, LIMITS):
            found[_words(key)] = value
    for unit in run.units:
        if unit.kind == "prepare":
            place = f"prepared data of {unit.spec['task']}/{unit.spec['domain']}"
            found[place] = (run.result(unit) or {}).get("sha256")
        elif unit.kind == "table":
            found["table's sha256"] = unit.spec["sha256"]
    return dict(sorted(found.items()))


def _difference(kept: Sequence[Run], run: Run) -> str | None:
    """Returns why `run` does not belong to `kept`; None when it does."""
    if any("strategies" in one.suite for one in (*kept, run)):
        return "a run on rank quality orders its own architectures, which no other run shares"
    if ("tasks" in run.suite) != ("tasks" in kept[0].suite):
        return "one of them trains networks, the other looks scores up in a table"
    mine, other = protocol(run), protocol(kept[0])
    for name in sorted({*mine, *other}, key=lambda name: (name.startswith("prepared"), name)):
        if name not in mine or name not in other:
            return f"only one of them has {name}"
        if mine[name] != other[name]:
            return f"{name}: {_short(mine[name])} against {_short(other[name])}"
    codes = _code(run), _code(kept[0])
    for name in sorted(codes[0].keys() & codes[1].keys()):
        if codes[0][name] != codes[1][name]:
            return f"{name} was changed between the two"
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
        where = f"{unit.kind} units" + (" of other tasks" if "trained_on" in unit.spec else "")
        for label, digest in (record.code if record is not None else unit.code).items():
            if label == "engine":
                found[f"the code of {where}"] = digest
            elif label.startswith(("task ", "table ")):
                found[f"{label} as {where} see it"] = digest
    return found


def _clash(one: Run, other: Run) -> str | None:
    """Returns a row that two runs made differently: other units, or other scores of the same unit."""
    units = [
        {_place_of(unit.kind, unit.spec): unit for unit in run.units if unit.kind in ("score", "lookup")}
        for run in (one, other)
    ]
    for place in sorted(units[0].keys() & units[1].keys()):
        first, second = units[0][place], units[1][place]
        results = (one.result(first), other.result(second))
        pairs = ((one, first), (other, second))
        keys = [run.records[unit.hash].input_key for run, unit in pairs if run.result(unit) is not None]
        apart = len(keys) == 2 and keys[0] != keys[1]
        if first.name != second.name or apart or (None not in results and results[0] != results[1]):
            return str(first.spec["method"])
    return None


def _place_of(kind: str, spec: Mapping[str, Any]) -> str:
    return canonical_json([kind, [spec.get(key) for key in ROW_KEYS]])


def _board(runs: Sequence[Run]) -> AnyBoard:
    if len(runs) == 1:
        return build_board(runs[0])
    with _one_folder(runs) as folder:
        board = build_board(_merged(runs, folder))
    note = (
        f"Rows of {len(runs)} runs ({', '.join(run.name for run in runs)}), merged because tasks, prepared "
        "data, test samples, seeds and budget agree."
    )
    if isinstance(board, Board):
        return replace(board, tasks=tuple(replace(task, notes=(*task.notes, note)) for task in board.tasks))
    return replace(board, notes=(*board.notes, note)) if isinstance(board, LookupBoard) else board


def _merged(runs: Sequence[Run], folder: Path) -> Run:
    suite = dict(runs[0].suite)
    for key in ("spaces", "searchers", "baselines", "published"):
        if key in suite:
            every = [one for run in runs for one in run.suite[key]]
            suite[key] = [one for index, one in enumerate(every) if one not in every[:index]]
    claims = [run.suite.get("claim") for run in runs]
    if any(claim != claims[0] for claim in claims):  # nothing was fixed for the rows of all runs
        suite["claim"] = None if "tasks" in suite else suite["reference"]
    records: dict[str, Record] = {}
    for run in runs:
        for name, record in run.records.items():
            if name not in records or records[name].status != "ok":
                records[name] = record
    names, titles = (sorted({getattr(run, key) for run in runs}) for key in ("name", "title"))
    return replace(
        runs[0],
        folder=folder,
        name=" + ".join(names),
        title=" + ".join(titles),
        suite=suite,
        command=" && ".join(sorted({run.command for run in runs})),
        units=tuple({unit.hash: unit for run in runs for unit in run.units}.values()),
        records=records,
        timings={name: timing for run in reversed(runs) for name, timing in run.timings.items()},
        made={name: made for run in reversed(runs) for name, made in run.made.items()},
    )


@contextmanager
def _one_folder(runs: Sequence[Run]) -> Iterator[Path]:
    """Yields a folder of links to the units of all runs, as a board reads samples from one folder.

    Raises:
        HarnessError: the scores of a finished unit are gone.
    """
    with tempfile.TemporaryDirectory() as name:
        units = Path(name) / "units"
        units.mkdir()
        for run in runs:
            for unit in run.units:
                place = run.folder.resolve() / "units" / f"{unit.kind}-{unit.hash}"
                if run.result(unit) is None or (units / place.name).is_symlink():
                    continue
                if unit.kind == "score" and not (place / "samples.parquet").is_file():
                    raise HarnessError(f"{place} has lost its samples; delete it and run the command again.")
                (units / place.name).symlink_to(place, target_is_directory=True)
        yield Path(name)


def _content(run: Run) -> list[str]:
    """What orders two runs of one suite whatever their folders are called."""
    return sorted(f"{unit.hash} {getattr(run.records.get(unit.hash), 'status', '')}" for unit in run.units)


def _label(run: Run, runs: Sequence[Run]) -> str:
    same = [one for one in runs if one.name == run.name]
    return run.name if len(same) == 1 else f"{run.name} in {run.folder}"


def _words(key: str) -> str:
    return key.replace("_", " ")


def _short(value: Any) -> str:
    text = "none" if value is None else canonical_json(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
