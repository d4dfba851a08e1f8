"""Times table look-ups, and boards from many records; on one core, without a network.

    python benchmarks/table_rates.py --tables FOLDER

FOLDER holds nasbench201.csv; without it the look-ups are of a made-up table of as many rows. Prints a line of
each measurement: seconds, and the rate or the ratio to what is aimed at; exit status 1 when an aim is missed.
"""

import argparse
import itertools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from harness import catalog
from harness.data.table.table import LookupTable, load_table
from harness.files import SCHEMA, sealed
from harness.identity.unit import Unit
from harness.run.loaded import load_run
from harness.run.record import Timing
from harness.run.stored import TIMING, write_beside, write_record
from harness.study.lookup.units import (
    LOOKUP,
    TABLE,
    Best,
    LookupSpec,
    Searches,
    TableDomain,
    TableFound,
    TableSearch,
    TableSpec,
)
from harness.study.study import build_board

BATCH = 1_000_000
SINGLE = 200_000
RECORDS = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tables", type=Path)
    chosen = parser.parse_args()
    met = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, card = _table(folder, chosen.tables)
        met += look_ups(path, card, folder / "data")
        met.append(boards(folder / "run"))
    return 0 if all(met) else 1


def _table(folder: Path, tables: Path | None) -> tuple[Path, Path]:
    """Returns the file and the card of NAS-Bench-201, or of a made-up table of as many rows."""
    card = catalog.files("table")["nasbench201"]
    if tables is not None:
        return tables / "nasbench201.csv", card
    draw = np.random.default_rng(0)
    columns = [f"{name}_{part}" for name in ("c10", "c100", "in16") for part in ("val", "test")]
    lines = [",".join(["ops", *columns])]
    for digits, scores in zip(
        itertools.product("01234", repeat=6), draw.uniform(10, 90, (5**6, 1)), strict=True
    ):
        lines.append(",".join(["".join(digits), *(f"{scores[0] + step:.4f}" for step in range(6))]))
    (folder / "nasbench201.csv").write_text("\n".join(lines) + "\n")
    made = folder / "made_up.toml"
    made.write_text(
        "\n".join(line for line in card.read_text().splitlines() if not line.startswith("sha256"))
    )
    return folder / "nasbench201.csv", made


def look_ups(path: Path, card: Path, data: Path) -> list[bool]:
    first = _timed(lambda: load_table(path, card, data))
    load_table.cache_clear()
    again = _timed(lambda: load_table(path, card, data))
    print(f"table, first read and conversion: {first:.3f} s; mapped into memory: {again:.3f} s")
    table = load_table(path, card, data)
    rows = np.random.default_rng(1).integers(0, len(table.index.genes), BATCH)
    genes = np.asarray(table.index.genes[rows])
    met = [_rate("look-ups in a batch", BATCH, _timed(lambda: table.scores(genes, "cifar10", "test")), 1e6)]
    listed = list(map(tuple, genes[:SINGLE].tolist()))
    _ = table.rows  # made by the first look-up of a process
    met.append(_rate("look-ups one at a time", SINGLE, _timed(lambda: _one_by_one(table, listed)), 2e5))
    return met


def _one_by_one(table: LookupTable, listed: list[tuple[int, ...]]) -> float:
    scores, rows = table.column("cifar10", "test"), table.rows
    return sum(float(scores[rows[one]]) for one in listed)


def boards(folder: Path) -> bool:
    made = _timed(lambda: _synthetic(folder))
    print(f"writing {RECORDS:,} synthetic records: {made:.1f} s")
    run = load_run(folder)
    reading = _timed(lambda: load_run(folder))
    building = _timed(lambda: build_board(run))
    print(f"of the board: {reading:.2f} s reading, {building:.2f} s building")
    return _seconds(f"a board from {RECORDS:,} records", reading + building, 5.0)


def _synthetic(folder: Path) -> None:
    """Writes a run on a table: 10 searchers, 5 domains, 200 searches each of its own record."""
    methods = [f"searcher_{index}" for index in range(10)]
    domains = [f"domain_{index}" for index in range(5)]
    draw = np.random.default_rng(4)
    about = TableDomain(
        best=Best(validation=1.0, test=1.0),
        mean=0.5,
        sd=0.1,
        unit="percent",
        higher_is_better=True,
        random={"validation": {"25": 0.6, "100": 0.7}},
    )
    table = TableFound(sha256="", origin="made", licence="", domains=dict.fromkeys(domains, about), notes={})
    spec = TableSpec(table="made", sha256="", domains=tuple(domains), budgets=(25, 100))
    units = [_kept(folder, Unit(kind=TABLE, spec=spec), table)]
    for method, domain, seed in itertools.product(methods, domains, range(RECORDS // 50)):
        scores = np.sort(draw.uniform(0.5, 1.0, 6)).tolist()
        search = TableSearch(
            seed=seed,
            evaluations=100,
            over_limit=0,
            stopped="budget",
            incumbents=tuple((1 + 18 * at, at, score, score) for at, score in enumerate(scores)),
        )
        block = LookupSpec(
            table="made",
            method=method,
            searcher=method,
            domain=domain,
            feedback="validation",
            seeds=(seed,),
            options={},
            evaluations=100,
            mac_limit=0,
            target=0.0,
        )
        found = Searches(searches=(search,), counters={})
        units.append(_kept(folder, Unit(kind=LOOKUP, spec=block), found))
    suite: dict[str, Any] = {"title": "made", "study": "lookup", "table": "made", "domains": domains}
    suite |= {"feedback": ["validation"], "searchers": methods, "repeats": RECORDS // 50}
    suite |= {"reference": methods[0], "claim": methods[1], "search": {"evaluations": [25, 100]}}
    plan = {"schema": SCHEMA, "name": "made", "title": "made", "suite": suite, "limit": None, "command": ""}
    (folder / "plan.json").write_text(sealed({**plan, "units": units}))


def _kept(folder: Path, unit: Unit[Any, Any], result: Any) -> dict[str, Any]:
    timing = Timing(seconds=1.0, parts={}, peak_memory_bytes=1, host="made")
    write_beside(folder, unit, TIMING, timing.to_json())
    write_record(folder, unit, "ok", result=result)
    return unit.to_json()


def _timed(work: Callable[[], Any]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _rate(what: str, count: int, seconds: float, aim: float) -> bool:
    rate = count / seconds
    print(f"{what}: {rate:,.0f} a second, {rate / aim:.1f} times the aim")
    return rate >= aim


def _seconds(what: str, seconds: float, aim: float) -> bool:
    print(f"{what}: {seconds:.2f} s, {aim / seconds:.1f} times as fast as the aim")
    return seconds <= aim


if __name__ == "__main__":
    sys.exit(main())
