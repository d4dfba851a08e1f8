"""How often the rule tells one network from itself: many retrainings of it, split in halves of five.

    python benchmarks/same.py --out FOLDER [--seeds 20] [--splits 1000] [--workers 2]

Trains `vit` on digits and `gpt` on bytes under so many seeds by the quickstart's recipe, as `harness eval`
does, so that the same command goes on after it was ended. Then draws pairs of five trainings without a common
one and asks the board's own code whether the first five differ from the second. `refused` counts pairs with
too few groups for a decision. Splits overlap, so the share called has more noise than so many coins.

The samples of all trainings are left in FOLDER/*.npz for `benchmarks/verdicts.py --pool`.
"""

import argparse
import subprocess  # nosec B404 - it runs the harness by words of its own
import sys
from pathlib import Path

import numpy as np

from harness.catalog import metric_of
from harness.run.loaded import load_run
from harness.stats.effect import SeedSums, effect
from harness.study.trained.boards.rows import TaskRows, task_rows

FIVE = 5
SUITE = """\
extends = "quickstart"
title = "One network under many seeds"
study = "trained"
seeds = {seeds}
spaces = []
searchers = []
baselines = ["vit", "gpt"]
reference = "vit"
again = false
claim = {{ method = "vit", space = "" }}

[[tasks]]
name = "digits"
held_out = ["figlet", "optdigits"]

[[tasks]]
name = "byte_domains"
held_out = ["parl_de", "parl_es", "wikipedia", "openwebtext"]
test_samples = 300
[tasks.training]
steps = 300
batch_size = 32
"""


def pool_of(task: TaskRows) -> list[SeedSums]:
    """Returns the sums of the one row, a domain an entry."""
    (key,) = task.keys
    return [task.scores.found[key, domain].sums for domain in task.held_out]


def rates(pool: list[SeedSums], *, splits: int, is_proportion: bool) -> tuple[float, float, float]:
    """Returns the shares of pairs that are told apart and refused, and the median detectable effect."""
    draw = np.random.default_rng(0)
    count = len(pool[0].numerators)
    found = []
    for _ in range(splits):
        chosen = draw.permutation(count)[: 2 * FIVE]
        halves = [[one.of_seeds(half.tolist()) for one in pool] for half in (chosen[:FIVE], chosen[FIVE:])]
        found.append(effect(*halves, is_paired=False, is_proportion=is_proportion))
    decided = [one for one in found if one.is_judged]
    called = sum(one.call in ("higher", "lower") for one in decided)
    detectable = float(np.median([one.detectable for one in found]))
    return called / max(1, len(decided)), 1 - len(decided) / splits, detectable


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--splits", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    suite = options.out / "same.toml"
    suite.write_text(SUITE.format(seeds=list(range(options.seeds))))
    run = options.out / "run"
    words = ["-c", "from harness.cli.start import main; main()", "eval", str(suite), "--out", str(run)]
    words += ["--workers", str(options.workers)]
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)  # nosec B603 - its own words
    print("board                            trainings  sd of seeds  detectable  called  refused")
    for task in task_rows(load_run(run)):
        pool = pool_of(task)
        metric = metric_of(task.entry.metric)
        title = ", ".join(filter(None, (task.task, task.stratum)))
        by_seed = np.mean([one.by_seed for one in pool], axis=0)
        called, refused, detectable = rates(pool, splits=options.splits, is_proportion=metric.is_proportion)
        print(
            f"{title:32} {len(by_seed):9} {by_seed.std(ddof=1):12.4f} {detectable:11.4f} "
            f"{100 * called:6.1f}% {100 * refused:7.1f}%"
        )
        arrays = {"unit": np.array("accuracy" if metric.is_proportion else "bits")}
        for index, one in enumerate(pool):
            arrays |= {
                f"clusters {index}": one.clusters,
                f"numerators {index}": one.numerators,
                f"denominators {index}": one.denominators,
            }
        np.savez_compressed(options.out / f"{title.replace(', ', '-').replace(' ', '-')}.npz", **arrays)


if __name__ == "__main__":
    main()
