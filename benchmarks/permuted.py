"""What is said where there is nothing to learn, or nothing that carries over: digits with permuted labels.

    python benchmarks/permuted.py --out FOLDER [--workers N]

`held_out`: sources keep their labels, and those of the held-out domain are permuted, so that every network
is as good as every other there, and at chance. `everywhere`: all labels are permuted, so that nothing passes
the floor. Each is the quickstart's digits with every row that it has but CoLLM-NAS. Prints, for both, scores
in domain and held out, what the board calls each row against the reference, and the verdict.
"""

import argparse
import os
import subprocess  # nosec B404 - runs this package's own command
import sys
from pathlib import Path

from harness.run.loaded import load_run
from harness.study.study import build_board, verdict

TASK = '''"""Digits whose labels are permuted, each domain by itself."""

import random
from dataclasses import replace

from harness.catalog import load

DIGITS = load("task", "digits")


def permuted(domain):
    def read(archives):
        samples = list(domain.read(archives))
        labels = [sample.label for sample in samples]
        random.Random(domain.name).shuffle(labels)
        for sample, label in zip(samples, labels, strict=True):
            yield sample._replace(label=label)

    return replace(domain, read=read, sha256=None)


TASK = replace(
    DIGITS,
    domains=tuple(
        permuted(domain) if domain.name not in {kept!r} else domain for domain in DIGITS.domains
    ),
)
'''
SUITE = """\
extends = "quickstart"
title = "Digits with permuted labels"
searchers = ["random_search"]
claim = {{ method = "random_search", space = "hybrid:micro" }}

[[tasks]]
name = "permuted_{name}"
sources = ["mnist", "print"]
held_out = ["figlet"]
validation_samples = 400
test_samples = 1500
[tasks.supernet]
strategy = "progressive_shrinking"
steps = 500
batch_size = 32
learning_rate = 5e-3
[tasks.training]
steps = 300
batch_size = 32
learning_rates = [5e-3]
"""
KEPT = {"held_out": ("mnist", "print"), "everywhere": ()}
"""Domains whose labels stay, by what is permuted."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    entries = options.out.absolute() / "entries"
    for folder in ("tasks", "leaderboards"):
        (entries / folder).mkdir(parents=True, exist_ok=True)
    for name, kept in KEPT.items():
        (entries / "tasks" / f"permuted_{name}.py").write_text(TASK.format(kept=kept))
        (entries / "leaderboards" / f"permuted_{name}.toml").write_text(SUITE.format(name=name))
    os.environ["HARNESS_CATALOG"] = str(entries)
    for name in KEPT:
        run = options.out / name
        words = ["-c", "from harness.cli.start import main; main()", "eval", f"permuted_{name}"]
        words += ["--out", str(run), "--workers", str(options.workers)]
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)  # nosec B603 - its own words
        board = build_board(load_run(run))
        (task,) = board.tasks
        print(f"{name}                                       in domain  held out  against {board.reference}")
        for row in task.rows:
            scores = [one.value if one else float("nan") for one in (row.in_domain, row.held_out)]
            called = row.difference.call if row.difference else ""
            print(f"  {row.method:16} {row.space or '':30} {scores[0]:9.3f} {scores[1]:9.3f}  {called}")
        print(f"  {verdict(board)}\n")


if __name__ == "__main__":
    main()
