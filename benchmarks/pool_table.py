"""Writes the pool of a finished study of diversity as a table that searchers are run on.

    python benchmarks/pool_table.py results/diversity_vision --arm hybrid --out mine
    HARNESS_CATALOG=mine harness eval pool

Each row is an architecture, its scores are means over its trainings: validation is that of the sources,
whatever the domain, and test that of the domain. So a searcher, CoLLM-NAS among them, sees what it would see
in domain, and is scored where nothing was trained. Prints what it wrote.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from harness.catalog import metric_of  # noqa: E402
from harness.files import write_atomically  # noqa: E402
from harness.run.loaded import Run, load_run  # noqa: E402
from harness.study.diversity.units import CELL, CellSpec, PoolScores  # noqa: E402
from harness.study.formats import csv_text  # noqa: E402

CARD = """\
summary = "{title}: the pool of {arm}, {count} architectures, each trained alone"
file = "pool.csv"
space = "{space}"
column = "architecture"
encoding = "json"
partial = true
unit = "{unit}"
origin = "a run of {name}"
licence = "of who ran it"
"""
DOMAIN = """
[domains.{domain}]
validation = "validation"
test = "{domain}"
higher_is_better = {better}
"""
SUITE = """\
# Searchers on a pool of whole trainings, whose validation scores they see.
title = "{title}: searchers on the pool as a table"
study = "lookup"
table = "pool"
repeats = 20
llm_repeats = 5
feedback = ["validation"]
searchers = ["random_search", "local_search", "regularised_evolution", "optuna:TPESampler", "collm_nas"]
reference = "random_search"
claim = "local_search"

[search]
evaluations = [{budget}]
"""


def pool_of(run: Run, arm: str) -> dict[str, list[tuple[CellSpec, PoolScores]]]:
    """Returns architecture, as JSON -> its finished trainings in an arm."""
    found: dict[str, list[tuple[CellSpec, PoolScores]]] = defaultdict(list)
    for unit in run.planned(CELL):
        result = run.result(unit)
        if result is not None and unit.spec.arm == arm:
            found[json.dumps(dict(unit.spec.architecture))].append((unit.spec, result))
    return found


def row_of(cells: list[PoolScores]) -> dict[str, float]:
    """Returns the scores of an architecture, means over its trainings."""
    scores = {name: float(np.mean([one.whole[name] for one in cells])) for name in cells[0].whole}
    return {"validation": float(np.mean([one.checkpoints[-1].validation for one in cells]))} | scores


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--arm", default="hybrid")
    parser.add_argument("--budget", type=int, default=7, help="architectures that a search sees")
    parser.add_argument("--out", type=Path, default=Path("mine"), help="catalog folder")
    asked = parser.parse_args()
    run = load_run(asked.run)
    pool = pool_of(run, asked.arm)
    if len(pool) <= asked.budget:
        parser.error(f"arm {asked.arm} has {len(pool)} trained architectures; the budget lies below that")
    spec, first = next(iter(pool.values()))[0]
    metric = metric_of(first.metric)
    rows = [{"architecture": name, **row_of([one for _, one in cells])} for name, cells in pool.items()]
    table = asked.out / "tasks" / "pool.csv"
    write_atomically(table, csv_text(rows))
    told = {"title": run.title, "arm": asked.arm, "count": len(rows), "space": spec.space, "name": run.name}
    card = CARD.format(**told, unit="share" if metric.unit == "%" else "raw")
    better = str(metric.higher_is_better).lower()
    card += "".join(DOMAIN.format(domain=one, better=better) for one in first.whole)
    write_atomically(table.with_suffix(".toml"), card)
    suite = asked.out / "leaderboards" / "pool.toml"
    write_atomically(suite, SUITE.format(title=run.title, budget=asked.budget))
    print(f"{len(rows)} architectures: {table}, {table.with_suffix('.toml')}, {suite}")


if __name__ == "__main__":
    main()
