"""Published tables, where the user has them; tests of them are skipped elsewhere."""

import csv
import os
from functools import cache
from pathlib import Path

import pytest

from harness import catalog
from harness.data.table.table import LookupTable, load_table

TABLES = Path(os.environ.get("HARNESS_BENCHMARKS") or Path(__file__).parents[2] / "shared" / "benchmarks")
needs_tables = pytest.mark.skipif(not TABLES.is_dir(), reason="set HARNESS_BENCHMARKS to published tables")


def path_of(file: str) -> Path:
    """Returns where a table lies, or skips the test."""
    if not (TABLES / file).is_file():
        pytest.skip(f"{file} is absent; set HARNESS_BENCHMARKS to its folder")
    return TABLES / file


@cache
def rows(file: str) -> list[dict[str, str]]:
    """Returns the rows of a table in CSV."""
    with path_of(file).open(newline="") as opened:
        return list(csv.DictReader(opened))


@cache
def cells() -> dict[tuple[int, ...], dict[str, str]]:
    """Returns genes -> row of NAS-Bench-201."""
    return {tuple(map(int, row["ops"])): row for row in rows("nasbench201.csv")}


def table(name: str, file: str) -> LookupTable:
    """Returns a table of the catalog."""
    return load_table(path_of(file), catalog.files("table")[name])
