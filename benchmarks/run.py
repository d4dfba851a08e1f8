"""How fast the engine is, apart from what it trains: pairs of measurements of one run, each with its goal.

    python benchmarks/run.py [scheduler] [verbs] [worker] [table] [finished] [dry] [board]

Prints a row for each pair: what, CPU seconds, those that it is measured against, and their ratio. CPU seconds
are those of a process with all that it started, the least of a few tries, as a busy machine adds to them.
The suites are those of tests/toy and need no network.
"""

import argparse
import os
import resource
import shutil
import subprocess  # nosec B404 - it runs this interpreter by words of its own
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from types import SimpleNamespace
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
HARNESS = ("-c", "from harness.cli.start import main; main()")
TORCH = ("-c", "import torch")
TRIES = 3
SEEDS = ("seed", "select_seed", "report_seed", "index")
"""Members of specifications in which the records of a larger run differ from those they are copies of."""


class Row(NamedTuple):
    """CPU seconds of a thing and of what it is compared with, and what is aimed at."""

    what: str
    seconds: float
    against: str
    other: float
    goal: str

    def line(self) -> str:
        ratio = self.seconds / self.other
        other = f"{self.against} {self.other:.2f}"
        return f"| {self.what} | {self.seconds:.2f} | {other} | {ratio:.2f} | {self.goal} |"


def cpu(*words: str, environment: Mapping[str, str] | None = None, tries: int = TRIES) -> float:
    """Returns the CPU seconds of Python with these words, and all that it starts; the least of some tries."""
    found = []
    for _ in range(tries):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(  # nosec B603 - its own words
            [sys.executable, *words],
            check=True,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def toy(folder: Path) -> dict[str, str]:
    """Returns the environment in which the toy suites are found, with data of their own."""
    return {"HARNESS_CATALOG": str(ROOT / "tests" / "toy"), "HARNESS_DATA": str(folder / "data")}


def evaluated(folder: Path, suite: str) -> tuple[Path, tuple[str, ...], float]:
    """Runs a toy suite from nothing; returns its folder, its command and the CPU seconds."""
    (folder / "data").mkdir(exist_ok=True)
    run = folder / suite
    words = (*HARNESS, "eval", suite, "--out", str(run))
    return run, words, cpu(*words, environment=toy(folder), tries=1)


def scheduler(folder: Path) -> Iterator[Row]:
    small, large = (scheduled(folder / str(count), count) for count in (2_000, 20_000))
    yield Row("scheduler, 20,000 empty units", large, "2,000 units:", small, "ratio 10: linear; < 2 s")


def scheduled(run: Path, count: int) -> float:
    """Returns the CPU seconds of `execute` for units that are done at once, their writing left out."""
    from harness.files import content_hash
    from harness.identity.schema import Schema
    from harness.identity.unit import Spec, Unit, UnitKind, unit_folder
    from harness.run.stored import write_record
    from harness.workers.execute import execute
    from harness.workers.pools.pool import Ended

    @dataclass(frozen=True, kw_only=True)
    class Index(Spec):
        index: int

    @dataclass(frozen=True, kw_only=True)
    class Value(Schema):
        value: int

    kind = UnitKind(name="empty", spec=Index, result=Value, work="harness.errors:none", seconds=1.0)
    units: list[Unit[Index, Value]] = []
    for index in range(count):  # a root that all read, and pairs of which the second reads the first
        needs = [units[0].hash, *([units[-1].hash] if index % 2 == 0 else [])] if index else []
        units.append(Unit(kind=kind, spec=Index(index=index), needs=tuple(needs)))
    by_hash = {unit.hash: unit for unit in units}
    result = content_hash([{"value": 1}, {}])
    aside = run / "aside"
    with unsynced():
        for unit in units:
            inputs = {by_hash[need].name: result for need in unit.needs}
            write_record(aside, unit, "ok", result=Value(value=1), inputs=inputs)
    (run / "units").mkdir()
    apart = 0.0

    class Done:
        """A pool whose workers are done with what they are given; the record is put where it belongs."""

        def __init__(self, waiting: Any) -> None:
            self.idle, self.busy = [1, 2], []  # type: ignore[var-annotated]

        def submit(self, unit: Any, needs: Any) -> None:
            nonlocal apart
            began = process_time()
            os.rename(unit_folder(aside, unit), unit_folder(run, unit))
            self.busy.append(unit)
            self.idle.pop()
            apart += process_time() - began

        def finished(self) -> list[Ended]:
            ended, self.busy, self.idle = [Ended(unit, "ok") for unit in self.busy], [], [1, 2]
            return ended

        def grow(self) -> None: ...

        def stop(self) -> None: ...

    plan: Any = SimpleNamespace(units=units, suite=SimpleNamespace(limits=None))
    place: Any = SimpleNamespace(run=run, keys=None)
    began = process_time()
    execute(plan, place, Done, on_event=lambda *_: None)
    return process_time() - began - apart


class unsynced:
    """Spares the disk while records are made that nobody needs to outlive a crash."""

    def __enter__(self) -> None:
        self.before, os.fsync = os.fsync, lambda file: None

    def __exit__(self, *_: object) -> None:
        os.fsync = self.before


def verbs(folder: Path) -> Iterator[Row]:
    torch = cpu(*TORCH)
    for words, goal in (("--help", "< .3 s"), ("list", "< .3 s"), ("describe task digits", "< .5 s")):
        yield Row(f"harness {words}", cpu(*HARNESS, *words.split()), "import torch:", torch, goal)
    run, _, _ = evaluated(folder, "toy_lookup")
    for verb in ("leaderboard", "compare"):
        rows = ["random_search", "local_search"] if verb == "compare" else []
        taken = cpu(*HARNESS, verb, str(run), *rows, environment=toy(folder))
        yield Row(f"harness {verb} of a table suite", taken, "import torch:", torch, "< .5 s")


def worker(folder: Path) -> Iterator[Row]:
    imports = "import harness.workers.pools.local, harness.workers.perform; "
    imports += "from harness.identity.unit import called; from harness.study.trained.units import FINAL; "
    yield Row(
        "what a worker imports before it trains",
        cpu("-c", f"{imports}called(FINAL.work); import torch"),
        "import torch:",
        cpu(*TORCH),
        "ratio <= 1.3",
    )


def table(folder: Path) -> Iterator[Row]:
    _, _, taken = evaluated(folder, "toy_lookup")
    yield Row("a table suite of 21 units, from nothing", taken, "import torch:", cpu(*TORCH), "ratio <= 1.5")


def finished(folder: Path) -> Iterator[Row]:
    _, words, _ = evaluated(folder, "toy_lookup")
    taken = cpu(*words, environment=toy(folder))
    yield Row("a finished table suite, same command", taken, "import torch:", cpu(*TORCH), "< 2 s")


def dry(folder: Path) -> Iterator[Row]:
    (folder / "data").mkdir()
    words, place = (*HARNESS, "eval", "quickstart", "--dry-run"), {"HARNESS_DATA": str(folder / "data")}
    first = cpu(*words, environment=place, tries=1)
    yield Row(
        "--dry-run of quickstart, again", cpu(*words, environment=place), "the first:", first, "< 1.5 s"
    )


def board(folder: Path) -> Iterator[Row]:
    run, _, _ = evaluated(folder, "toy")
    os.environ.update(toy(folder))
    small, large = (multiplied(run, "toy", count, folder / str(count)) for count in (10, 530))
    found = []
    for place, count in (small, large):
        # What getrusage says of a process counts the one that started it.
        code = "import sys; from harness.cli.start import main\ntry: main()\nfinally: open(sys.argv[2] + "
        code += "'/peak', 'w').write(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
        found.append(
            (cpu("-c", code, "report", str(place), tries=1), count, int((place / "peak").read_text()))
        )
    (first, fewer, _), (second, more, peak) = found
    size = (large[0] / "report.html").stat().st_size / 1e6
    goal = f"ratio {more / fewer:.1f}: linear; < 5 s, < 400 MB, < 3 MB"
    goal += f" (these: {peak / 1024:.0f} MB, {size:.1f} MB)"
    yield Row(f"board and report of {more:,} records", second, f"{fewer:,} records:", first, goal)


def multiplied(run: Path, suite: str, seeds: int, out: Path) -> tuple[Path, int]:
    """Writes a run of a suite with more seeds out of copies of the records of one; returns how many."""
    from harness.cli.language_model import with_environment
    from harness.files import canonical_json, write_atomically
    from harness.identity.unit import unit_folder, unit_name
    from harness.run.record import Record, read_record
    from harness.run.stored import PROVENANCE, RECORD, TIMING, read_beside, write_beside
    from harness.study.study import make_plan
    from harness.study.suite import load_suite

    def alike(kind: str, spec: Mapping[str, Any]) -> str:
        return canonical_json([kind, {key: value for key, value in spec.items() if key not in SEEDS}])

    known: dict[str, list[tuple[Path, Record]]] = {}
    for folder in sorted((run / "units").iterdir()):
        if (record := read_record(folder / RECORD)) is not None:
            known.setdefault(alike(record.kind, record.spec), []).append((folder, record))
    name, settings = load_suite(suite)
    settings = with_environment(replace(settings, seeds=list(range(seeds))), {})  # type: ignore[call-arg]
    plan, results, count = make_plan(name, settings), {}, 0
    by_hash = {unit.hash: unit for unit in plan.units}
    with unsynced():
        for unit in plan.units:
            copies = known[alike(unit.kind.name, unit.spec.to_json())]
            folder, record = copies[count % len(copies)]
            count += 1
            shutil.copytree(folder, unit_folder(out, unit))
            for beside in (TIMING, PROVENANCE):
                if said := read_beside(folder, beside, unit_name(record.kind, record.spec)):
                    write_beside(out, unit, beside, said)
            inputs = {by_hash[need].name: results[need] for need in unit.needs}
            made = replace(record, hash=unit.hash, spec=unit.spec.to_json(), code=unit.code, inputs=inputs)
            write_atomically(unit_folder(out, unit) / RECORD, made.to_json())
            results[unit.hash] = made.result_hash
        write_atomically(out / "plan.json", plan.to_json())
    return out, count


ROWS: dict[str, Callable[[Path], Iterable[Row]]] = {
    one.__name__: one for one in (scheduler, verbs, worker, table, finished, dry, board)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="all where none is given")
    chosen = parser.parse_args().rows or list(ROWS)
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    print("| what | CPU s | against, CPU s | ratio | goal |\n|---|---:|---|---:|---|", flush=True)
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            for row in ROWS[name](Path(folder)):
                print(row.line(), flush=True)


if __name__ == "__main__":
    main()
