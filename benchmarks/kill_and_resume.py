"""Kills a suite's run at random moments, continues it, and compares its bytes with an undisturbed run.

    python benchmarks/kill_and_resume.py quickstart --kills 10

Prints one line per kill and a last line that says whether every record, artifact and board is the same; exit
status 1 when one is not.
"""

import argparse
import os
import random
import signal
import subprocess  # it runs the harness by words of its own, to kill it  # nosec B404
import sys
import tempfile
import time
from pathlib import Path

NOT_COMPARED = {"timing.json", "provenance.json", ".lock", "report.html", "report.md"}


def results(run: Path) -> dict[str, bytes]:
    """Returns relative path -> bytes of all that must not depend on how the run went."""
    files = (file for file in run.rglob("*") if file.is_file() and file.name not in NOT_COMPARED)
    return {str(file.relative_to(run)): file.read_bytes() for file in files}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("suite")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    draw = random.Random(chosen.seed)
    os.environ["HARNESS_CACHE_GIB"] = "0"  # each run does its own work
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"

        def command(out: Path) -> list[str]:
            program = "from harness.cli.main import main; main()"
            return [sys.executable, "-c", program, "eval", chosen.suite, "--out", str(out)]

        started = time.perf_counter()
        subprocess.run(command(whole), check=True, capture_output=True)  # its own words  # nosec B603
        seconds = time.perf_counter() - started
        print(f"undisturbed: {seconds:.0f} s", flush=True)
        for number in range(chosen.kills):
            words, quiet = command(killed), subprocess.DEVNULL
            process = subprocess.Popen(words, stdout=quiet, stderr=quiet)  # its own words  # nosec B603
            lived = draw.uniform(0.2, 2 * seconds / chosen.kills)
            time.sleep(lived)
            process.send_signal(signal.SIGKILL)
            process.wait()
            done = len(list(killed.glob("units/*/record.json")))
            print(f"kill {number + 1} after {lived:.1f} s: {done} records", flush=True)
        subprocess.run(command(killed), check=True, capture_output=True)  # its own words  # nosec B603
        first, second = results(whole), results(killed)
        different = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    print(f"different: {', '.join(different)}" if different else f"all {len(first)} files are the same")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
