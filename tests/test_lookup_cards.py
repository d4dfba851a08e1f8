"""What a table's card may say, and what a damaged table is told.

Truth: tables of 64 made-up rows whose scores are plain functions of the digits, and two published tables.
"""

import itertools
import json
import random
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import published
import pytest
from command import harness
from spaces import searched

from harness import catalog
from harness.data.table.card import TableCard, read_card
from harness.data.table.decode import from_naslib, from_one_hot
from harness.data.table.table import LookupTable, bound_space, load_table, table_hash
from harness.errors import DataUnavailableError, HarnessError
from harness.space.listed import ListedSpace

GRID = list(itertools.product(range(4), repeat=3))
HEAD = """
summary = "made up"
space = "{space}"
column = "cell"
encoding = "{encoding}"
origin = "made up"
licence = "CC0"
file = "{file}"
{more}
[domains.one]
validation = {validation}
test = {test}
{domain}
"""


def card(folder: Path, **parts: str) -> Path:
    given = {"space": "toy_grid:only", "encoding": "json", "file": "table.csv", "more": "", "domain": ""}
    given |= {"validation": '"a"', "test": '"b"'}
    path = folder / "table.toml"
    path.write_text(HEAD.format(**given | parts))
    return path


def grid(change: Callable[[pd.DataFrame], pd.DataFrame] | None = None) -> pd.DataFrame:
    """Returns 64 rows: `a` is 10 + the sum of the digits, `b` and `c` are one and two more, `loss` falls."""
    total = np.asarray([10.0 + sum(digits) for digits in GRID])
    cells = [json.dumps({"digits": digits}) for digits in GRID]
    frame = pd.DataFrame({"cell": cells, "a": total, "b": total + 1, "c": total + 2, "loss": 1 / total})
    return change(frame) if change else frame


def load(folder: Path, frame: pd.DataFrame, **parts: str) -> LookupTable:
    path = folder / "table.csv"
    frame.to_csv(path, index=False)
    return load_table(path, card(folder, **parts))


def test_a_list_of_columns_is_their_mean(tmp_path: Path) -> None:
    table = load(tmp_path, grid(), test='["b", "c"]')
    row = table.rows[1, 2, 3]
    assert table.validation["one"][row] == pytest.approx(0.16)
    assert table.test["one"][row] == pytest.approx(0.175)


def test_raw_scores_are_kept_as_they_are(tmp_path: Path) -> None:
    table = load(tmp_path, grid(), more='unit = "raw"')
    assert table.test["one"][table.rows[1, 2, 3]] == 17.0


def test_a_domain_may_have_another_unit_than_its_table(tmp_path: Path) -> None:
    table = load(tmp_path, grid(), more='unit = "share"', domain='unit = "percent"')
    assert table.test["one"][table.rows[1, 2, 3]] == pytest.approx(0.17)


def test_columns_that_are_better_when_lower_are_negated(tmp_path: Path) -> None:
    table = load(
        tmp_path,
        grid(),
        validation='"loss"',
        test='"loss"',
        more='unit = "raw"',
        domain="higher_is_better = false",
    )
    assert table.test["one"][table.rows[1, 2, 3]] == pytest.approx(-1 / 16)
    assert int(np.argmax(table.validation["one"])) == table.rows[3, 3, 3]


def test_csv_npz_and_parquet_hold_the_same_table(tmp_path: Path) -> None:
    frame = grid()
    from_csv = load(tmp_path, frame)
    frame.to_parquet(tmp_path / "table.parquet")
    np.savez(tmp_path / "table.npz", **{name: frame[name].to_numpy().astype(KIND[name]) for name in frame})
    for file in ("table.parquet", "table.npz"):
        other = load_table(tmp_path / file, card(tmp_path, file=file))
        assert other.rows == from_csv.rows
        assert np.array_equal(other.test["one"], from_csv.test["one"])


KIND = {"cell": "U", "a": float, "b": float, "c": float, "loss": float}


def test_an_npz_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "table.npz", cell=np.asarray([{"digits": [0, 0, 0]}], dtype=object))
    with pytest.raises(DataUnavailableError, match=r"cell.npy is not a plain array of numpy: it holds"):
        load_table(tmp_path / "table.npz", card(tmp_path, file="table.npz"))


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.pickle").write_bytes(b"")
    with pytest.raises(HarnessError, match="give a csv, npz or parquet file"):
        load_table(tmp_path / "table.pickle", card(tmp_path, file="table.pickle"))


MIXED = (3, 0, 1, 4, 2, 3)


@pytest.mark.parametrize(
    ("encoding", "cells"),
    [
        ("naslib", [[2, 1, 4, 0, 3, 2], [1] * 6]),
        ("one_hot", [np.eye(5, dtype=int)[list(genes)].ravel().tolist() for genes in (MIXED, (0,) * 6)]),
    ],
)
def test_cells_of_nasbench201_are_read_from_other_encodings(
    tmp_path: Path, encoding: str, cells: list[list[int]]
) -> None:
    frame = pd.DataFrame({"cell": [json.dumps(one) for one in cells], "a": [0, 1], "b": [0, 1]})
    table = load(tmp_path, frame, space="nasbench201:cifar10", encoding=encoding, more="partial = true")
    assert list(table.rows) == [MIXED, (0,) * 6]


@pytest.mark.parametrize("value", [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 0, -1], 7])
def test_what_is_no_cell_of_naslib_is_told(value: Any) -> None:
    with pytest.raises(HarnessError, match="is not six operations"):
        from_naslib(value)


@pytest.mark.parametrize(
    "bits",
    [[[]] * 30, [{}] * 30, ["1"] * 30, [None] * 30, 5, None, {}, "0" * 30, [2, 0] * 15, [1] * 30, [1, 0]],
)
def test_what_is_no_bits_is_told(bits: Any) -> None:
    with pytest.raises(HarnessError, match="is not 6 groups of 5 bits"):
        from_one_hot(bits)


def put(row: Any, column: str, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[row, column] = value
        return frame

    return change


def fall(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(b=50 - frame["a"])


def drop(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(index=37)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(7, "b", 170.0), "row 7, column 'b': 170 is no percent from 0 to 100"),
        (put(7, "a", -0.1), "row 7, column 'a': -0.1 is no percent from 0 to 100"),
        (put(slice(None), "b", 3.0), "column 'b': every row has the same value"),
        (fall, "column 'b': it falls where column 'a' of the same domain 'one' rises .*-1.00"),
        (drop, "column 'cell': it has no row of {'digits': \\[2, 1, 1\\]}, which space toy_grid:only holds"),
        *(
            (put(5, "a", value), f"row 5, column 'a': '{value}' is not a finite number")
            for value in (float("nan"), float("inf"))
        ),
        (
            lambda frame: frame.astype({"a": str}).replace({"a": {"15.0": "many"}}),
            "row 11, column 'a': 'many' is not a finite number",
        ),
        (
            lambda frame: frame.rename(columns={"b": "other"}),
            "no column 'b'; it has: cell, a, other, c, loss",
        ),
        (put(9, "cell", '{"digits":[0,0,9]}'), "row 9, column 'cell': .*give one of .0, 1, 2, 3"),
        (put(9, "cell", "nonsense"), "row 9, column 'cell'"),
        (put(9, "cell", '{"digits": [0, 0, 0]}'), "row 9, column 'cell': .* is in row 0 too"),
    ],
)
def test_a_damaged_table_is_told_in_one_sentence(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    with pytest.raises(DataUnavailableError, match=message) as found:
        load(tmp_path, grid(change))
    assert "\n" not in str(found.value)


def test_a_validation_of_several_domains_may_fall_where_a_test_rises(tmp_path: Path) -> None:
    """It is of none of them, as in a pool that is trained on others."""
    more = '[domains.two]\nvalidation = "a"\ntest = "c"'
    table = load(tmp_path, grid(fall), domain=more)
    order = np.argsort(table.validation["one"])
    assert (np.diff(table.test["one"][order]) <= 0).all()


def test_a_table_of_another_hash_than_its_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match=r"has sha256 .* and its card says 0000"):
        load(tmp_path, grid(), more=f'sha256 = "{"0" * 64}"')


def test_a_partial_table_may_lack_rows(tmp_path: Path) -> None:
    table = load(tmp_path, grid(drop), more="partial = true")
    assert len(table.rows) == 63


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"validation": "[]"}, r"domains.one.validation must be a column or a list of columns, not \[\]"),
        ({"test": "7"}, "domains.one.test must be a column or a list of columns, not 7"),
        ({"test": "[1, 2]"}, "domains.one.test must be a column or a list of columns"),
        ({"encoding": "digits"}, "the encoding digits needs a list `digits`"),
        (
            {"encoding": "morse"},
            "encoding must be 'digits' or 'json' or .* or 'pattern', not 'morse'",
        ),
        ({"more": 'unit = "miles"'}, "unit must be 'percent' or 'share' or 'raw', not 'miles'"),
        ({"more": 'colum = "cell"'}, "has no key 'colum'; did you mean column"),
        ({"domain": 'unit = "miles"'}, "unit must be 'percent' or 'share' or 'raw', not 'miles'"),
        ({"domain": 'higher_is_better = "no"'}, "higher_is_better must be true or false"),
    ],
)
def test_a_wrong_card_is_told_in_one_sentence(tmp_path: Path, parts: dict[str, str], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        read_card(card(tmp_path, **parts))


def test_nasbench_macro_selects_by_one_training_and_reports_the_mean_of_two() -> None:
    rows = published.rows("nasbench_macro.csv")
    table = published.table("nasbench_macro", "nasbench_macro.csv")
    assert len(table.rows) == 6561
    for number in range(0, 6561, 500):
        row = rows[number]
        assert table.rows[tuple(map(int, row["arch"]))] == number
        assert table.validation["cifar10"][number] == pytest.approx(float(row["acc1"]) / 100)
        two = (float(row["acc2"]) + float(row["acc3"])) / 200
        assert table.test["cifar10"][number] == pytest.approx(two)


def test_the_costs_of_nasbench_macro_are_those_of_its_table() -> None:
    rows = published.rows("nasbench_macro.csv")
    space = bound_space("nasbench_macro:cifar10")
    for row in rows:
        genes = tuple(map(int, row["arch"]))
        assert space.parameters(genes) == int(row["params"])
        assert space.macs(genes) == int(row["macs"])


def test_transnas_keeps_accuracies_as_shares_and_losses_as_they_are() -> None:
    rows = published.rows("transnasbench101_micro_val_final.csv")
    table = published.table("transnas_micro", "transnasbench101_micro_val_final.csv")
    assert len(table.rows) == 4096
    number = next(index for index, row in enumerate(rows) if row["arch"] == "64-41414-3_10_221")
    assert table.rows[3, 1, 0, 2, 2, 1] == number
    assert table.test["class_scene"][number] == pytest.approx(float(rows[number]["class_scene"]) / 100)
    assert table.test["room_layout"][number] == float(rows[number]["room_layout"])
    assert table.validation["normal"][number] == float(rows[number]["normal"])


def few(count: int = 20) -> ListedSpace:
    space = bound_space("nasbench201:cifar10")
    draw = random.Random(2)
    return ListedSpace(space, {space.sample(draw) for _ in range(count)})


def test_a_space_of_few_rows_draws_and_lists_those_alone() -> None:
    space = few()
    draw = random.Random(0)
    listed = set(space.enumerate())
    assert len(listed) == space.size()
    assert {space.sample(draw) for _ in range(400)} == listed


def test_neighbours_in_a_space_of_few_rows_are_the_nearest_rows() -> None:
    space = few()
    for one in space.enumerate():
        apart = {other: sum(map(int.__ne__, one, other)) for other in space.enumerate() if other != one}
        near = space.neighbours(one)
        assert near == [other for other, distance in apart.items() if distance == min(apart.values())]


@pytest.mark.parametrize(
    "name", [one for one in catalog.names("searcher") if "zero_cost" not in one and "collm" not in one]
)
def test_every_searcher_finds_all_rows_of_a_partial_table(name: str) -> None:
    space = few()
    result = searched(name, space, lambda one: float(sum(one)), budget=space.size())
    assert {one.architecture for one in result.history} == set(space.enumerate())


def test_a_space_without_texts_of_its_own_is_told(tmp_path: Path) -> None:
    grid().to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(DataUnavailableError, match="has no texts of its own; give another encoding"):
        load_table(tmp_path / "table.csv", card(tmp_path, encoding="text"))


OWN = """
summary = "Own."
file = "a.csv"
more_files = ["b.csv", "c.csv"]
column = "arch"
encoding = "digits"
unit = "raw"
origin = "made up"
licence = "CC0"
choices = { one = ["1", "2"], two = ["1", "2"] }
domains.near = { validation = "near", test = "near" }
domains.far = { validation = "far", test = "far" }
"""


def own_table(folder: Path, card: str = OWN, far: str = "11,9\n12,8\n21,7\n22,6.5\n") -> LookupTable:
    (folder / "a.csv").write_text("arch,near\n22,4\n21,3\n")
    (folder / "b.csv").write_text("arch,near\n11,1\n12,2\n")
    (folder / "c.csv").write_text("arch,far\n" + far)
    (folder / "own.toml").write_text(card)
    load_table.cache_clear()
    return load_table(folder / "a.csv", folder / "own.toml")


def test_files_with_the_same_columns_have_more_rows_and_others_more_scores(tmp_path: Path) -> None:
    table = own_table(tmp_path)
    by_name = {"".join(map(str, table.space.describe(one).values())): row for one, row in table.rows.items()}
    assert {name: table.test["near"][row] for name, row in by_name.items()} == {
        "22": 4,
        "21": 3,
        "11": 1,
        "12": 2,
    }
    assert {name: table.test["far"][row] for name, row in by_name.items()} == {
        "22": 6.5,
        "21": 7,
        "11": 9,
        "12": 8,
    }
    card = read_card(tmp_path / "own.toml")
    before = table_hash(tmp_path / "a.csv", card)
    (tmp_path / "c.csv").write_text("arch,far\n11,9\n12,8\n21,7\n22,6\n")
    assert table_hash(tmp_path / "a.csv", card) != before


@pytest.mark.parametrize(
    ("card", "far", "message"),
    [
        (OWN, "11,9\n12,8\n21,7\n", "row 0, column 'far': 'nan' is not a finite number"),
        (OWN, "11,9\n12,8\n21,7\n22,6\n31,2\n", "row 4 of c.csv.*'31' has 3 for one, which may be 1, 2"),
        (OWN + '[hashes]\n"b.csv" = "00"\n', "11,9\n", "b.csv has sha256 .* and the card says 00"),
        (
            OWN + 'costs.slow = { column = "ms", file = "d.csv" }\n',
            "11,9\n",
            "rows of `more_files` have no place in",
        ),
    ],
)
def test_further_files_that_do_not_fit_are_told_with_their_row(
    tmp_path: Path, card: str, far: str, message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        own_table(tmp_path, card, far)


def test_describe_tells_every_key_of_a_card() -> None:
    card = json.loads(harness("describe", "table", "toy_table", "--json").stdout)
    told = {one["key"] for one in card["further_keys"]} | card.keys()
    assert told >= {field.name for field in fields(TableCard)}
    assert all(len(one["meaning"]) > 10 for one in card["further_keys"])
