"""Changes the code at one place after another and counts how often the tests see it.

    pip install cosmic-ray coverage
    python benchmarks/mutants.py stats|protocol|identity [--sample N] [--seconds S] [--workers N]
    python benchmarks/mutants.py stats|protocol|identity --again [TEST ...] [--journal FILE]

A mutant comes from an operator of cosmic-ray; it is run against the tests that reach its line, the shortest
first, and is killed by the first that fails. Tests marked slow are left out. What changes nothing that runs,
such as annotations, is not mutated. The journal has a line a mutant, with what killed it, and the same
command goes on where it was stopped. `--sample` takes N mutants, from each file its share, by their hashes;
`--again` runs the survivors of the journal anew, against tests that were written since or in more seconds.

A mutant hangs where its own processor time is far above that of the tests unchanged, which a busy machine
does not lengthen. One that only waits is held against the same tests unchanged, run in the minute after it.
"""

import argparse
import ast
import contextlib
import gc
import hashlib
import importlib
import importlib.util
import json
import math
import os
import resource
import shutil
import signal
import subprocess  # nosec B404
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PARTS = {
    "stats": (
        ("harness/stats/*.py",),
        (
            "effect",
            "equal",
            "ranks",
            "fronts",
            "simulation",
            "stats_golden",
            "transfer",
            "lookup",
            "board",
            "compare",
        ),
    ),
    "protocol": (
        (
            "harness/board/comparison.py",
            "harness/board/values.py",
            "harness/study/*/compare.py",
            "harness/study/trained/boards/compare.py",
            "harness/study/trained/boards/scored.py",
            "harness/study/trained/boards/verdict.py",
        ),
        (
            "verdict",
            "board",
            "compare",
            "effect",
            "lookup",
            "arms",
            "ranks",
            "equal",
            "own_study",
            "report",
            "zero_shot",
        ),
    ),
    "identity": (
        ("harness/identity/*.py",),
        ("digests", "units", "identity", "standing", "own_entries", "user_task", "tuned", "catalog"),
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
PRELOADED = (
    *("pytest", "xdist.plugin", "pytest_timeout", "hypothesis.strategies", "torch", "pandas", "scipy.stats"),
    "anyio.pytest_plugin",
    *("pydantic", "typer.main", "rich.table", "yaml", "PIL.Image", "pyarrow"),
)
"""Imported once, before the process is forked for each mutant; nothing of the harness is among them."""
PYTEST = ("-n0", "-p", "no:cacheprovider")
REWRITTEN = "ignore::pytest.PytestAssertRewriteWarning"
SLOWER = 10.0
"""How many times the processor time of the tests unchanged is a hang."""


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
    parser.add_argument("--sample", type=int, default=0, help="mutants in all, drawn; 0 for every one")
    parser.add_argument("--workers", type=int, default=1, help="mutants at once")
    parser.add_argument("--journal", type=Path, default=Path("mutants.jsonl"), help="where results are kept")
    parser.add_argument("--seconds", type=float, default=60.0, help="that the tests of a mutant may take")
    parser.add_argument("--again", nargs="*", metavar="TEST", help="run what survived against these, or all")
    arguments = parser.parse_args()
    patterns, tests = PARTS[arguments.part]
    places = [file for pattern in patterns for file in sorted(ROOT.glob(pattern))]
    files = [str(file.relative_to(ROOT)) for file in places if file.name != "__init__.py"]
    known = outcomes(arguments.journal)
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # what is shared with every child is not gone through in each
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, f"tree {index}") for index in range(arguments.workers)]
        for folder in folders:
            shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        there = [mutant for file in files for mutant in mutants(file)]
        reaching = coverage_of(files, tests, folders[0], arguments.journal.with_suffix(".coverage"))
        chosen = drawn(there, arguments.sample) if arguments.sample else there
        if arguments.again is not None:
            chosen = [one for one in there if one.name in known]
        waiting = [one for one in chosen if known.get(one.name, "survived") == "survived"]
        if arguments.again is None:
            waiting = [one for one in waiting if one.name not in known]
        jobs = [(one, *reaching.tests(one, arguments.seconds, arguments.again)) for one in waiting]
        run_all(jobs, folders, arguments.journal)
        found = checked(folders[0], arguments.journal)
    report(chosen, found, len(there))
    return 0


def drawn(there: list[Mutant], size: int) -> list[Mutant]:
    """Returns `size` mutants, from each file its share; a larger sample holds every smaller one nearly."""
    by_file: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in there:
        by_file[mutant.file].append(mutant)
    chosen = []
    for own in by_file.values():
        own.sort(key=lambda one: hashlib.sha256(one.name.encode()).digest())
        chosen += own[: math.ceil(size * len(own) / len(there))]
    return chosen


def checked(folder: Path, journal: Path) -> dict[str, str]:
    """Returns mutant -> outcome; what a test killed that fails unchanged, too, is `unsure`."""
    found = outcomes(journal)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    killers = {one["by"] for one in lines if one["by"].startswith("tests/")}
    while killers:
        failed, wrong, _ = tested(folder, sorted(killers), 600.0)
        if not failed:
            break
        print(f"{wrong} fails when nothing is changed")
        found |= {one["mutant"]: "unsure" for one in lines if one["by"] == wrong}
        killers = killers - {wrong} if wrong in killers else set()
    return found


def outcomes(journal: Path) -> dict[str, str]:
    """Returns mutant -> outcome; the last line of a mutant holds."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    return {one["mutant"]: one["outcome"] for one in map(json.loads, lines)}


def mutants(file: str) -> Iterator[Mutant]:
    """Yields all mutants of a file, in an order that depends on its source alone."""
    import cosmic_ray.plugins
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code

    source = (ROOT / file).read_text()
    passed_over = unread(source)
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


def unread(source: str) -> set[tuple[int, int]]:
    """Returns (line, column) of what changes nothing that runs.

    Those are annotations, the stars of signatures, and what makes a dataclass frozen and its members named.
    """
    places: set[tuple[int, int]] = set()
    for node in ast.walk(ast.parse(source)):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(part, ast.expr):
                places |= within(part)
        if isinstance(node, ast.ClassDef):
            places |= {place for one in node.decorator_list for place in within(one)}
        if isinstance(node, ast.FunctionDef):
            head = {
                (line, column) for line in range(node.lineno, node.body[0].lineno) for column in range(200)
            }
            defaults = [one for one in (*node.args.defaults, *node.args.kw_defaults) if one is not None]
            places |= head - {place for one in defaults for place in within(one)}
    return places


def within(node: ast.expr) -> set[tuple[int, int]]:
    """Returns (line, column) of all that an expression spans."""
    last = node.end_lineno or node.lineno
    return {
        (line, column)
        for line in range(node.lineno, last + 1)
        for column in range(
            node.col_offset if line == node.lineno else 0, (node.end_col_offset or 0) if line == last else 200
        )
    }


class Reaching(NamedTuple):
    """Which tests run a line of a file, and how long each test takes."""

    lines: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def tests(self, mutant: Mutant, most: float, named: Sequence[str] | None) -> tuple[list[str], float]:
        """Returns the tests that run the mutant's line, the shortest first, and their seconds.

        Tests that are named take their place. One that would come after `most` seconds is not run.
        """
        if named:
            return list(named), most
        tests = sorted(set(self.lines[mutant.file].get(mutant.line, [])), key=lambda test: self.seconds[test])
        spent = list(accumulate(self.seconds[test] for test in tests))
        few = [test for test, until in zip(tests, spent, strict=True) if until <= most] or tests[:1]
        return few, spent[len(few) - 1] if few else 0.0


def coverage_of(files: list[str], tests: tuple[str, ...], folder: Path, kept: Path) -> Reaching:
    """Runs the tests once, all of which must pass, or reads what an earlier run found."""
    if not kept.exists():
        plugin = folder / "tests" / "conftest.py"
        before = plugin.read_text()
        plugin.write_text(before + TIMED)
        pattern = ",".join(str(folder / file) for file in files)
        command = [sys.executable, "-m", "coverage", "run", "--data-file=found", f"--include={pattern}"]
        command += ["-m", "pytest", *PYTEST]
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


Job = tuple[Mutant, Sequence[str], float]


def run_all(jobs: Sequence[Job], folders: list[Path], journal: Path) -> None:
    """Runs every mutant against its tests and writes the journal."""
    free: SimpleQueue[Path] = SimpleQueue()
    for folder in folders:
        free.put(folder)
    with ThreadPoolExecutor(len(folders)) as pool, journal.open("a") as file:
        for mutant, outcome, killer in pool.map(partial(run, free=free), jobs):
            line = {"file": mutant.file, "mutant": mutant.name, "outcome": outcome, "by": killer}
            file.write(json.dumps(line) + "\n")
            file.flush()


def run(job: Job, *, free: SimpleQueue[Path]) -> tuple[Mutant, str, str]:
    """Returns the mutant, `killed`, `survived` or `unreached`, and what killed it."""
    mutant, tests, usual = job
    if not tests:
        return mutant, "unreached", ""
    folder = free.get()
    try:
        change(folder, mutant, mutant.source)
        failed, killer, seconds = tested(folder, tests, usual)
        change(folder, mutant, (ROOT / mutant.file).read_text())
        if killer == "waits":
            _, _, unchanged = tested(folder, tests, usual)
            failed = seconds > SLOWER * unchanged
    finally:
        free.put(folder)
    return mutant, "killed" if failed else "survived", killer


def change(folder: Path, mutant: Mutant, source: str) -> None:
    """Writes the mutant's file at a moment of its own, so that no bytecode is taken for that of another."""
    file = folder / mutant.file
    file.write_text(source)
    moment = time.time_ns() // 10**9 * 10**9 + hash(mutant.name + source) % 10**6 * 10**9
    os.utime(file, ns=(moment, moment))


class Killer:
    """Keeps the first test that fails."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.place.exists():
            self.place.write_text(report.nodeid)


def tested(folder: Path, tests: Sequence[str], usual: float) -> tuple[bool, str, float]:
    """Runs tests in a child; returns whether they failed, the test or the limit that did, and seconds."""
    place = folder / "killer"
    place.unlink(missing_ok=True)
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        os._exit(inside(folder, tests, usual, place))
    until = begun + 120 + 2 * SLOWER * usual
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended or time.monotonic() > until:
            break
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    if not ended:
        os.waitpid(child, 0)
        return True, "waits", time.monotonic() - begun
    code = os.waitstatus_to_exitcode(status)
    killer = place.read_text() if place.exists() else f"exit {code}" if code else ""
    return code != 0, killer, time.monotonic() - begun


def inside(folder: Path, tests: Sequence[str], usual: float, place: Path) -> int:
    """Runs tests in this process, of which nothing is left afterwards; returns pytest's exit status."""
    import pytest

    os.setsid()
    most = int(20 + SLOWER * usual)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 5))
    os.chdir(folder)
    os.environ.update(environment(folder))
    sys.path[:] = [
        str(folder),
        *(one for one in sys.path if one not in (str(ROOT), str(Path(__file__).parent))),
    ]
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    found = importlib.util.find_spec("harness")
    if found is None or not str(found.origin).startswith(str(folder)):
        return 0  # another copy would be tested, and nothing is killed by that
    return int(pytest.main([*PYTEST, "-m", "", "-x", "-W", REWRITTEN, *tests], [Killer(place)]))


def environment(folder: Path) -> dict[str, str]:
    """Returns an environment in which this copy is the harness, and one thread is all."""
    return {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


def report(chosen: list[Mutant], known: dict[str, str], there: int) -> None:
    """Prints a line a file, the survivors, and the sum; of a sample, the Wilson interval, too."""
    by_file: dict[str, list[str]] = defaultdict(list)
    for mutant in chosen:
        by_file[mutant.file].append(known[mutant.name])
    for file, found in [*by_file.items(), ("all", [known[one.name] for one in chosen])]:
        killed = found.count("killed")
        share = f"{100 * killed / max(len(found), 1):6.1f} %"
        print(f"{file:48} {len(found):5} mutants {killed:5} killed {share}")
    for mutant in chosen:
        if known[mutant.name] != "killed":
            print(f"{known[mutant.name]:10} {mutant.name}")
    if len(chosen) < there:
        from scipy.stats import binomtest

        low, high = binomtest(killed, len(chosen)).proportion_ci(method="wilson")
        print(
            f"{len(chosen)} of {there} mutants were drawn: {100 * low:.1f} to {100 * high:.1f} % are killed"
        )


if __name__ == "__main__":
    raise SystemExit(main())
