"""Changes the code at one place after another and counts how often the tests see it.

    pip install cosmic-ray coverage
    python benchmarks/mutants.py stats|protocol|identity [--workers N] [--journal FILE]

A mutant comes from an operator of cosmic-ray; it is
run against the tests that reach its line, the shortest first, and is killed by the first that fails or hangs.
Annotations are not mutated, as they change nothing that runs. The journal has a line a mutant, and the same
command goes on where it was stopped.
"""

import argparse
import ast
import contextlib
import json
import os
import shutil
import signal
import subprocess  # nosec B404
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PARTS = {
    "stats": (
        ("harness/stats/*.py",),
        ("effect", "fronts", "simulation", "stats_golden", "transfer", "lookup", "board", "compare"),
    ),
    "protocol": (
        (
            "harness/board/comparison.py",
            "harness/board/values.py",
            "harness/study/*/compare.py",
            "harness/study/*/verdict.py",
            "harness/study/trained/boards/compare.py",
            "harness/study/trained/boards/scored.py",
            "harness/study/trained/boards/verdict.py",
        ),
        ("board", "compare", "effect", "lookup", "quality", "own_study", "report", "zero_shot"),
    ),
    "identity": (
        ("harness/identity/*.py",),
        ("identity", "standing", "own_entries", "user_task", "score_cache", "tuned"),
    ),
}
"""Part -> patterns of its files, and the tests that reach it."""
BINARY = {
    "Add": "Sub",
    "Sub": "Add",
    "Mul": "Div",
    "Div": "Mul",
    "FloorDiv": "Mul",
    "Mod": "Add",
    "Pow": "Mul",
}
COMPARED = {"Eq": ["NotEq"], "NotEq": ["Eq"], "Lt": ["LtE", "GtE"], "LtE": ["Lt", "Gt"]} | {
    "Gt": ["GtE", "LtE"],
    "GtE": ["Gt", "Lt"],
    "Is": ["IsNot"],
    "IsNot": ["Is"],
}
OPERATORS = (
    *(f"ReplaceBinaryOperator_{one}_{other}" for one, other in BINARY.items()),
    *(f"ReplaceComparisonOperator_{one}_{other}" for one, others in COMPARED.items() for other in others),
    *("ReplaceBinaryOperator_BitOr_BitAnd", "ReplaceBinaryOperator_BitAnd_BitOr", "AddNot", "NumberReplacer"),
    *("ReplaceUnaryOperator_USub_UAdd", "ReplaceUnaryOperator_Delete_Not", "ZeroIterationForLoop"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer"),
)
"""cosmic-ray has more; of a kind, these are the changes nearest to what is written."""
LEFT_OUT = shutil.ignore_patterns(".git", "runs", "__pycache__", ".*_cache", ".hypothesis")
MOST_SECONDS = 90.0
"""How long the tests of a mutant may take when nothing is changed; what would come after them is not run."""


class Mutant(NamedTuple):
    """One change of one file, its first line, and the whole mutated source."""

    file: str
    operator: str
    occurrence: int
    line: int
    source: str

    @property
    def name(self) -> str:
        """What tells it from all other mutants of the same sources."""
        return f"{self.file}:{self.line} {self.operator} #{self.occurrence}"


def main() -> int:
    """Prints a line a file and every survivor."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=PARTS, help="what is changed")
    parser.add_argument("--workers", type=int, default=1, help="mutants at once")
    parser.add_argument("--journal", type=Path, default=Path("mutants.jsonl"), help="where results are kept")
    arguments = parser.parse_args()
    patterns, tests = PARTS[arguments.part]
    places = [file for pattern in patterns for file in sorted(ROOT.glob(pattern))]
    files = [str(file.relative_to(ROOT)) for file in places if file.name != "__init__.py"]
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, f"tree {index}") for index in range(arguments.workers)]
        for folder in folders:
            shutil.copytree(
                ROOT, folder, ignore=shutil.ignore_patterns(".git", "runs", "__pycache__", ".*_cache")
            )
        reaching = coverage_of(files, tests, folders[0], arguments.journal.with_suffix(".coverage"))
        results = run_all(files, folders, reaching, arguments.journal)
    report(results)
    return 0


def mutants(file: str) -> Iterator[Mutant]:
    """Yields all mutants of a file, in an order that depends on its source alone."""
    import cosmic_ray.plugins
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code

    source = (ROOT / file).read_text()
    passed_over = annotated(source)
    tree = get_ast(source)
    for name in OPERATORS:
        operator = cosmic_ray.plugins.get_operator(f"core/{name}")()
        places = [span for node in ast_nodes(tree) for span in operator.mutation_positions(node)]
        for occurrence, (start, _) in enumerate(places):
            if start in passed_over:
                continue
            changed = mutate_code(source, operator, occurrence)
            if changed is not None and changed != source:
                yield Mutant(file, name, occurrence, start[0], changed)


def annotated(source: str) -> set[tuple[int, int]]:
    """Returns (line, column) of everything inside of annotations, which change nothing that runs."""
    places = set()
    for node in ast.walk(ast.parse(source)):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(part, ast.expr):
                for line in range(part.lineno, (part.end_lineno or part.lineno) + 1):
                    first = part.col_offset if line == part.lineno else 0
                    last = part.end_col_offset or 0 if line == part.end_lineno else 1000
                    places |= {(line, column) for column in range(first, last)}
    return places


class Reaching(NamedTuple):
    """Which tests run a line of a file, and how long each test takes."""

    lines: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def tests(self, mutant: Mutant) -> list[str]:
        """Returns the tests that run the mutant's line, the shortest first."""
        tests = sorted(set(self.lines[mutant.file].get(mutant.line, [])), key=lambda test: self.seconds[test])
        spent = accumulate(self.seconds[test] for test in tests)
        return [test for test, until in zip(tests, spent, strict=True) if until <= MOST_SECONDS]


def coverage_of(files: list[str], tests: tuple[str, ...], folder: Path, kept: Path) -> Reaching:
    """Runs the tests once, all of which must pass, or reads what an earlier run found."""
    if not kept.exists():
        plugin = folder / "tests" / "conftest.py"
        before = plugin.read_text()
        plugin.write_text(before + TIMED)
        pattern = ",".join(str(folder / file) for file in files)
        command = [sys.executable, "-m", "coverage", "run", "--data-file=found", f"--include={pattern}"]
        command += ["-m", "pytest", "-n0", "-m", "", "-p", "no:cacheprovider"]
        command += [f"tests/test_{name}.py" for name in tests]
        subprocess.run(command, cwd=folder, env=environment(folder), check=True)  # nosec B603 - our own list
        plugin.write_text(before)
        from coverage import CoverageData

        data = CoverageData(str(folder / "found"))
        data.read()
        lines = {file: data.contexts_by_lineno(str(folder / file)) for file in files}
        seconds = json.loads((folder / "seconds.json").read_text())
        kept.write_text(json.dumps({"lines": lines, "seconds": seconds}))
    found = json.loads(kept.read_text())
    seconds = found["seconds"]
    lines = {
        file: {int(line): [test for test in tests if test in seconds] for line, tests in by_line.items()}
        for file, by_line in found["lines"].items()
    }
    everything = sorted({test for by_line in lines.values() for tests in by_line.values() for test in tests})
    for by_line in lines.values():
        own = sorted({test for tests in by_line.values() for test in tests}) or everything
        for line, tests in by_line.items():
            by_line[line] = tests or own
    return Reaching(lines, seconds)


TIMED = """

import coverage as _coverage
import json as _json

_seconds = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    current = _coverage.Coverage.current()
    if current is not None:
        current.switch_context(item.nodeid)
    return (yield)


def pytest_runtest_logreport(report):
    _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration


def pytest_sessionfinish(session):
    with open("seconds.json", "w") as file:
        _json.dump(_seconds, file)
"""
"""Names the test that runs a line, and keeps how long it took."""


def run_all(
    files: list[str], folders: list[Path], reaching: Reaching, journal: Path
) -> dict[str, dict[str, str]]:
    """Runs every mutant that the journal does not hold; returns file -> mutant -> outcome."""
    results: dict[str, dict[str, str]] = defaultdict(dict)
    if journal.exists():
        for line in journal.read_text().splitlines():
            known = json.loads(line)
            results[known["file"]][known["mutant"]] = known["outcome"]
    idle: SimpleQueue[Path] = SimpleQueue()
    for folder in folders:
        idle.put(folder)

    def one(mutant: Mutant) -> None:
        folder = idle.get()
        try:
            outcome = run(mutant, folder, reaching.tests(mutant))
        finally:
            (folder / mutant.file).write_text((ROOT / mutant.file).read_text())
            idle.put(folder)
        results[mutant.file][mutant.name] = outcome
        with journal.open("a") as file:
            file.write(json.dumps({"file": mutant.file, "mutant": mutant.name, "outcome": outcome}) + "\n")

    with ThreadPoolExecutor(len(folders)) as pool:
        for file in files:
            waiting = [mutant for mutant in mutants(file) if mutant.name not in results[file]]
            list(pool.map(one, waiting))
            print(summary(file, results[file]), flush=True)
    return {file: results[file] for file in files}


def run(mutant: Mutant, folder: Path, tests: list[str]) -> str:
    """Returns `killed`, `survived` or `unreached`."""
    if not tests:
        return "unreached"
    file = folder / mutant.file
    file.write_text(mutant.source)
    moment = time.time_ns() // 10**9 * 10**9 + hash(mutant.name) % 10**6 * 10**9
    os.utime(file, ns=(moment, moment))
    command = [sys.executable, "-m", "pytest", "-n0", "-m", "", "-x", "-p", "no:cacheprovider", *tests]
    process = subprocess.Popen(  # nosec B603 - our own list
        command,
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return "survived" if process.wait(60 + 5 * MOST_SECONDS) == 0 else "killed"
    except subprocess.TimeoutExpired:
        return "killed"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def environment(folder: Path) -> dict[str, str]:
    """Returns an environment in which this copy is the harness, and one thread is all."""
    return {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


def summary(file: str, outcomes: dict[str, str]) -> str:
    """Returns a line: mutants, killed, share."""
    killed = sum(outcome == "killed" for outcome in outcomes.values())
    share = 100 * killed / len(outcomes) if outcomes else 100.0
    return f"{file:48} {len(outcomes):5} mutants {killed:5} killed {share:6.1f} %"


def report(results: dict[str, dict[str, str]]) -> None:
    """Prints the survivors and the sum."""
    for outcomes in results.values():
        for name, outcome in outcomes.items():
            if outcome != "killed":
                print(f"{outcome:10} {name}")
    print(summary("all", {name: outcome for one in results.values() for name, outcome in one.items()}))


if __name__ == "__main__":
    raise SystemExit(main())
