"""What the card of a table may say of its own space, its costs and its rows, and how a table is kept.

Truth: made-up tables of six rows whose scores are plain functions of the genes.
"""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.data.table.card import read_card
from harness.data.table.converted import read_converted
from harness.data.table.table import LookupTable, RowIndex, load_table
from harness.errors import DataUnavailableError, HarnessError
from harness.space.listed import DeclaredSpace

OWN = """
summary = "made up"
file = "own.csv"
origin = "made up"
licence = "CC0"
unit = "raw"
{more}
[domains.one]
validation = "a"
test = "b"
{domains}
[choices]
depth = [1, 2, 3]
width = ["thin", "wide"]
"""


PATTERN = 'encoding = "pattern"\ncolumn = "code"\npattern = "{}"'


def own(folder: Path, frame: pd.DataFrame, more: str, domains: str = "") -> LookupTable:
    """Loads a made-up table of a space that its card declares."""
    (folder / "own.toml").write_text(OWN.format(more=more, domains=domains))
    frame.to_csv(folder / "own.csv", index=False)
    load_table.cache_clear()
    return load_table(folder / "own.csv", folder / "own.toml")


def six() -> pd.DataFrame:
    rows = list(itertools.product((1, 2, 3), ("thin", "wide")))
    frame = pd.DataFrame(rows, columns=["depth", "width"])
    frame["code"] = [f"net-{depth}{width[0]}" for depth, width in rows]
    frame["a"] = np.arange(6.0)
    frame["b"] = frame["a"] * 2
    frame["milliseconds"] = frame["a"] + 10
    return frame


COLUMNS = 'encoding = "choices"\ncolumns = { width = "width", depth = "depth" }'


def test_an_architecture_may_stand_in_a_column_for_each_choice(tmp_path: Path) -> None:
    table = own(tmp_path, six(), COLUMNS)
    assert table.rows[2, 1] == 5
    assert table.space.to_json((2, 1)) == {"depth": 3, "width": "wide"}
    assert table.space.from_json({"depth": 3, "width": "wide"}) == (2, 1)


def test_a_pattern_has_a_group_for_each_choice(tmp_path: Path) -> None:
    frame = six().assign(code=lambda one: "net-" + one["depth"].astype(str) + "-" + one["width"])
    table = own(tmp_path, frame, PATTERN.format("net-(.)-(.*)"))
    assert table.rows == own(tmp_path, six(), COLUMNS).rows


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        (
            lambda one: one.assign(width="slim"),
            COLUMNS,
            "row 0, columns 'width', 'depth': width has no option",
        ),
        (lambda one: one.drop(columns="width"), COLUMNS, "has no column 'width'; it has: depth"),
        (lambda one: one.iloc[[0, 1, 2, 3, 4, 0]], COLUMNS, "row 5, .*: thin 1 is in row 0 too"),
        (lambda one: one.iloc[:5], COLUMNS, "it has no row of {'depth': 3, 'width': 'wide'}"),
        (None, PATTERN.format("net-(.)(.)-(x)"), "has 3 groups, and space own has 2 choices"),
        (None, PATTERN.format("not-(.)(.)"), "row 0, column 'code': 'net-1t' is not of the form"),
        (
            None,
            'encoding = "choices"\ncolumns = { width = "width" }',
            "name no column for 'depth' of space own",
        ),
        (
            None,
            'encoding = "choices"\ncolumns = { widht = "width" }',
            "Space own has no choice 'widht'; it has: depth, width",
        ),
        (
            lambda one: one.replace({"milliseconds": {12.0: np.nan}}),
            f'{COLUMNS}\ncosts.time = {{ column = "milliseconds" }}',
            "row 2, column 'milliseconds': 'nan' is not a finite number",
        ),
        (None, f'{COLUMNS}\ncosts.time = {{ column = "seconds" }}', "no column 'seconds'; it has: depth"),
    ],
)
def test_a_damaged_table_of_its_own_space_names_row_and_column(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame] | None, more: str, message: str
) -> None:
    with pytest.raises(HarnessError, match=message) as found:
        own(tmp_path, change(six()) if change else six(), more)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('computed = "magic"\ncolumn = "code"', "computed must be 'hwgpt_perplexity', not 'magic'"),
        ('encoding = "choices"', "the encoding choices needs `columns`"),
        (PATTERN.format("("), "is no regular expression"),
        ('encoding = "text"', "lacks the key 'column'"),
        (
            '[package]\nregistry = "pypi"\nname = "a"\nversion = "1"\nfilename = "a"\nsha256 = "a"',
            "either a `file`",
        ),
        (
            '[package]\nregistry = "crates"\nname = "a"',
            "package lacks|registry must be 'pypi' or 'npm'|lacks",
        ),
    ],
)
def test_a_wrong_card_is_told_in_one_sentence(tmp_path: Path, more: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN.format(more=more, domains=""))
    with pytest.raises(HarnessError, match=message):
        read_card(path)


def test_repeats_are_averaged_and_incomplete_rows_left_out_where_the_card_says_so(tmp_path: Path) -> None:
    frame = pd.concat([six(), six().assign(a=lambda one: one["a"] + 1, b=lambda one: one["b"] + 4)])
    frame.iloc[0, frame.columns.get_loc("b")] = np.nan
    more = f"{COLUMNS}\naverage_repeats = true\ndrop_incomplete = true"
    table = own(tmp_path, frame, more)
    assert (table.left_out, table.averaged) == (1, 5)
    assert table.test["one"][table.rows[0, 1]] == 4.0  # mean of 2 and 6
    assert table.test["one"][table.rows[0, 0]] == 4.0  # the one that is left


def test_a_cost_may_stand_in_another_file_of_the_same_rows(tmp_path: Path) -> None:
    more = f'{COLUMNS}\ncosts.time = {{ file = "time.npz", column = "ms", unit = "ms", factor = 2 }}'
    assert own(tmp_path, six(), more).costs == {}
    np.savez(tmp_path / "time.npz", ms=np.arange(6.0))
    table = own(tmp_path, six(), more)
    assert table.costs["time"][table.rows[1, 1]] == 6.0
    np.savez(tmp_path / "time.npz", ms=np.arange(5.0))
    with pytest.raises(DataUnavailableError, match="has 5 rows, and the table beside it has row 5"):
        own(tmp_path, six(), more)
    with pytest.raises(DataUnavailableError, match=r"time.npz has sha256 .*, and the card says 00"):
        own(tmp_path, six(), f'{more}\nhashes."time.npz" = "00"')


def test_a_space_of_a_table_alone_knows_costs_and_has_no_networks(tmp_path: Path) -> None:
    more = f'{COLUMNS}\ncosts.parameters = {{ column = "milliseconds", factor = 1e6 }}'
    space = own(tmp_path, six(), more).space
    assert space.costs((1, 1)) == (13_000_000, None)
    with pytest.raises(HarnessError, match="Nobody published the macs"):
        space.macs((1, 1))
    with pytest.raises(HarnessError, match="has no networks to build"):
        space.networks.build((1, 1))


def test_a_choice_without_options_is_told() -> None:
    with pytest.raises(HarnessError, match="Choice 'row' of table own has no options"):
        DeclaredSpace("own", {"row": []}, {})


def test_a_checked_table_is_kept_and_mapped_into_memory(tmp_path: Path) -> None:
    direct = own(tmp_path, six(), f'{COLUMNS}\ncosts.time = {{ column = "milliseconds" }}')
    for _ in range(2):
        load_table.cache_clear()
        kept = load_table(tmp_path / "own.csv", tmp_path / "own.toml", tmp_path / "data")
        assert kept.rows == direct.rows
        assert all(np.array_equal(kept.test[name], direct.test[name]) for name in direct.test)
        assert np.array_equal(kept.costs["time"], direct.costs["time"])
        assert not kept.test["one"].flags.writeable
    assert len(list((tmp_path / "data" / "tables").iterdir())) == 1


def test_another_card_or_another_file_is_converted_anew(tmp_path: Path) -> None:
    for frame, more in (
        (six(), COLUMNS),
        (six().assign(b=1 + six()["b"]), COLUMNS),
        (six(), f"{COLUMNS}\n# a remark"),
        (six(), f"{COLUMNS}\n[domains.three]\nvalidation = 'a'\ntest = 'b'\n"),
    ):
        own(tmp_path, frame, more)
        load_table(tmp_path / "own.csv", tmp_path / "own.toml", tmp_path / "data")
    assert len(list((tmp_path / "data" / "tables").iterdir())) == 3


@pytest.mark.parametrize("file", ["scores.npy", "genes.npy", "table.json"])
def test_a_damaged_conversion_is_not_believed_and_made_again(tmp_path: Path, file: str) -> None:
    own(tmp_path, six(), COLUMNS)
    load_table(tmp_path / "own.csv", tmp_path / "own.toml", tmp_path / "data")
    (folder,) = (tmp_path / "data" / "tables").iterdir()
    before = (folder / file).read_bytes()
    for damaged in (before[:6], before[:-1] + bytes([before[-1] ^ 1]), b""):
        (folder / file).write_bytes(damaged)
        with pytest.raises(DataUnavailableError, match=r"is damaged .*; delete it and run again"):
            read_converted(folder)
        load_table.cache_clear()
        load_table(tmp_path / "own.csv", tmp_path / "own.toml", tmp_path / "data")
        assert (folder / file).read_bytes() == before


@pytest.mark.parametrize("sizes", [(5, 5, 5), (3,) * 60], ids=["few choices", "many choices"])
def test_look_ups_of_many_are_those_of_each(sizes: tuple[int, ...]) -> None:
    draw = np.random.default_rng(0)
    genes = np.unique(draw.integers(0, sizes, (100, len(sizes)), dtype=np.int32), axis=0)
    draw.shuffle(genes)
    index = RowIndex(genes)
    asked = draw.integers(0, len(genes), 500)
    assert index.find(genes[asked]).tolist() == asked.tolist()
    assert [index.rows[tuple(one)] for one in genes[asked].tolist()] == asked.tolist()


@pytest.mark.parametrize("sizes", [(5, 5, 5), (5,) * 60], ids=["few choices", "many choices"])
def test_what_has_no_row_is_named_with_its_place(sizes: tuple[int, ...]) -> None:
    genes = np.zeros((2, len(sizes)), dtype=np.int32)
    genes[1, 0] = 4
    index = RowIndex(genes)
    for gene, place in ((3, 1), (5, 0), (-1, 0)):
        asked = np.tile(genes[0], (2, 1))
        asked[place, 0] = gene
        with pytest.raises(
            HarnessError, match=rf"1 of 2 .* have no row; the first, at {place}, is \({gene}, 0"
        ):
            index.find(asked)
    with pytest.raises(HarnessError, match="are no architectures of"):
        index.find(genes[:, 1:])
