"""What `--dry-run` says of suites against what they take, in CPU seconds of all processes.

    python benchmarks/estimates.py [NAME ...]

Each is a shipped suite, cut so that it takes a minute or two; what a unit takes beside its network was set by
those of FITTED, which have no part in the comparison. Data is prepared beforehand, in `HARNESS_DATA`, and no
results of other runs are taken.
"""

import argparse
import os
import resource
import subprocess  # nosec B404 - it runs this interpreter by words of its own
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
WORKERS = 2
COMMAND = (sys.executable, "-m", "harness", "eval")


class Cut(NamedTuple):
    """A suite, and what of it is changed."""

    suite: str
    changes: Sequence[str]
    limit: int | None = None


CLAIM = 'claim.method="random_search"'
FITTED = {
    "quickstart_smoke": Cut("quickstart_smoke", ()),
    "quickstart": Cut("quickstart", ("seeds=[0]",)),
}
CUTS = {
    name: Cut(name, ("seeds=[0, 1]", "search.evaluations=8", 'searchers=["random_search"]', CLAIM), limit=5)
    for name in ("newsgroups_shift", "icon_styles", "emoji_styles", "typefaces_digits", "language_spaces")
}


def estimated(cut: Cut, data: Path) -> float:
    """Returns the CPU seconds by the estimate."""
    from harness.identity import memory
    from harness.study.pace import Paced
    from harness.study.study import make_plan
    from harness.study.suite import load_suite

    memory.remember_in(data)
    name, suite = load_suite(cut.suite, cut.changes)
    plan = make_plan(name, suite, limit=cut.limit)
    paced = Paced(plan.units, data=data)
    found = paced.started(WORKERS) + sum(map(paced.seconds, plan.units))
    memory.save()
    return found


def measured(cut: Cut) -> float:
    """Returns the CPU seconds of the command, with those of all processes that it starts."""
    words = [word for change in cut.changes for word in ("--set", change)]
    words += ["--limit", str(cut.limit)] if cut.limit else []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # nosec B603 - its own words
            [
                sys.executable,
                "-m",
                "harness",
                "eval",
                cut.suite,
                "--offline",
                "--out",
                f"{folder}/run",
                *words,
            ],
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HARNESS_CACHE_GIB": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "names", nargs="*", choices=[*CUTS, *FITTED, []], help="all of CUTS where none is given"
    )
    cuts = FITTED | CUTS
    chosen = parser.parse_args().names or list(CUTS)
    data = Path(os.environ["HARNESS_DATA"])
    print(
        "| suite | changed | estimated, CPU s | measured, CPU s | ratio |\n|---|---|---:|---:|---:|",
        flush=True,
    )
    for name in chosen:
        cut = cuts[name]
        told = ", ".join([f"`{change}`" for change in cut.changes] + [f"limit {cut.limit}"] * bool(cut.limit))
        first, second = estimated(cut, data), measured(cut)
        print(f"| {cut.suite} | {told} | {first:.0f} | {second:.0f} | {first / second:.2f} |", flush=True)


if __name__ == "__main__":
    main()
