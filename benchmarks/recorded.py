"""Records the small runs on which `harness check section` renders sections: one of every kind of study.

    python benchmarks/recorded.py [STUDY ...]

Runs toy suites anew, of these studies or of all, and packs of each what boards and sections read, and no
weights, into `harness/checks/recorded/STUDY.tar.xz`. Wanted where records of an earlier version cannot be
read any more.
"""

import os
import subprocess  # nosec B404 - runs this package's own command
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "harness" / "checks" / "recorded"
KEPT = (
    "plan.json",
    "record.json",
    "timing.json",
    "provenance.json",
    "samples.parquet",
    "sums.*",
    "trials.jsonl",
)
SUITES = {
    "trained": """\
extends = "toy"
title = "A recorded run"
searchers = ["local_search", "random_search"]
baselines = ["default", "longer", "tuned", "random", "floor"]
again = true
in_domain_line = true

[[tasks]]
name = "toy_patterns"
validation_samples = 40
test_samples = 60
[tasks.supernet]
strategy = "single_path"
steps = 4
batch_size = 8
[tasks.training]
steps = 4
batch_size = 8
learning_rates = [3e-3]

[[tasks]]
name = "toy_bytes"
validation_samples = 10
test_samples = 20
document_bytes = 64
[tasks.supernet]
strategy = "single_path"
steps = 4
batch_size = 4
[tasks.training]
steps = 4
batch_size = 4
learning_rates = [3e-3]
""",
    "lookup": 'extends = "toy_lookup"\ntitle = "A recorded run on a table"\n',
    "diversity": """\
extends = "toy_diversity"
title = "A recorded run of diversity"

[[arms]]
name = "attention"
space = "hybrid:micro-attention"
architectures = 6
seeds = [0]

[[arms]]
name = "hybrid"
space = "hybrid:micro"
architectures = 8
design = "balanced"
seeds = [0]

[task]
name = "toy_patterns"
sources = ["clean"]
held_out = ["grainy", "rough"]
validation_samples = 20
source_samples = 20
test_samples = 60
[task.training]
steps = 12
batch_size = 8
""",
    "ranking": 'extends = "toy_quality"\ntitle = "A recorded run of rank quality"\n',
}


def main() -> None:
    OUT.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HARNESS_CACHE_GIB": "0"}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "leaderboards").mkdir()
        environment |= {"HARNESS_CATALOG": os.pathsep.join([str(ROOT / "tests" / "toy"), folder])}
        environment |= {"HARNESS_DATA": str(place / "data")}
        for study in sys.argv[1:] or SUITES:
            text = SUITES[study]
            (place / "leaderboards" / f"recorded_{study}.toml").write_text(text)
            run = place / study
            words = ["-c", "from harness.cli.start import main; main()", "eval", f"recorded_{study}"]
            words += ["--out", str(run)]
            subprocess.run(  # nosec B603 - its own words
                [sys.executable, *words],
                check=True,
                env=environment,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            packed = OUT / f"{study}.tar.xz"
            pack(run, packed)
            print(f"{study}: {packed.stat().st_size:,} bytes")


def pack(run: Path, out: Path) -> None:
    """Writes what is kept of a run, the same bytes for the same files."""
    files = sorted({path for name in KEPT for path in run.rglob(name)}, key=lambda path: (path.name, path))
    with tarfile.open(out, "w:xz", preset=9) as archive:
        for path in files:
            data = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(run).as_posix())
            member.size = len(data)
            archive.addfile(member, BytesIO(data))


if __name__ == "__main__":
    main()
