"""First files of entries of one's own. Truth: the checks of every entry, and the rows that were written."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from command import harness

from harness.cli.listing import NEW, TEMPLATES
from harness.data.table.table import load_table
from harness.errors import DataUnavailableError


def test_every_kind_has_a_template_and_every_template_a_kind() -> None:
    kinds = {file.stem for file in TEMPLATES.iterdir() if file.suffix in (".py", ".toml")}
    assert kinds | {"table"} == set(NEW)


@pytest.mark.parametrize("kind", sorted(set(NEW) - {"table"}))
def test_a_new_file_passes_its_check_and_is_never_overwritten(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    made = harness("new", kind, "own_one", "--to", folder, HARNESS_CATALOG="")
    assert made.returncode == 0, made.stderr
    (file,) = (one for one in folder.rglob("*") if one.is_file())
    assert str(file) in made.stdout
    task = ["--task", "toy_patterns"] if kind == "model" else []
    name = f"{file}:build" if kind == "model" else "own_one"
    done = harness("check", kind, name, *task, HARNESS_CATALOG=f"{folder}:{Path(__file__).parent / 'toy'}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok   " in done.stdout
    before = file.read_bytes()
    again = harness("new", kind, "own_one", "--to", folder, HARNESS_CATALOG="")
    assert again.returncode == 2
    assert "choose another name" in again.stderr
    assert file.read_bytes() == before


def test_what_is_typed_next_begins_with_the_folder_unless_the_catalog_has_it(tmp_path: Path) -> None:
    def typed(**settings: str) -> list[str]:
        return harness("new", "metric", "m1", "--to", tmp_path / "a", **settings).stdout.splitlines()[1:]

    first = typed(HARNESS_CATALOG="")
    assert first[0] == f"  export HARNESS_CATALOG={tmp_path / 'a'}"
    assert first[1] == "  harness check metric m1"
    (tmp_path / "a" / "metrics" / "m1.py").unlink()
    assert typed(HARNESS_CATALOG=str(tmp_path / "a"))[0] == "  harness check metric m1"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tusk", "x"), "did you mean task"),
        (("task", "../x"), "cannot name a task"),
        (("task", "digits"), "stands in"),
        (("table", "nowhere.csv"), "is no csv file"),
    ],
)
def test_what_cannot_be_made_is_said_in_a_sentence_and_nothing_is_written(
    words: tuple[str, str], message: str, tmp_path: Path
) -> None:
    done = harness("new", *words, "--to", tmp_path / "mine")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "mine").exists()


def written(folder: Path, name: str, header: str, rows: list[str]) -> Path:
    file = folder / name
    file.write_text("\n".join([header, *rows]) + "\n")
    return file


def cell(*ops: str) -> str:
    return '"' + json.dumps({"ops": ops}).replace('"', '""') + '"'


DIGITS = ["".join(one) for one in itertools.product("123", repeat=3)]
ZEROS = ["".join(one) for one in itertools.product("01", repeat=4)]
PARTS = ["-".join(one) for one in itertools.product(("2", "4"), ("16", "32"), ("conv", "pool"))]
COLUMNS = [",".join(one) for one in itertools.product(("2", "4"), ("16", "32"), ("conv", "pool"))]
CELLS = [cell(one, *["none"] * 5) for one in ("none", "skip_connect", "nor_conv_1x1")]
TEXTS = [f"|{one}~0|+|none~0|none~1|+|none~0|none~1|none~2|" for one in ("none", "skip_connect")]


@pytest.mark.parametrize(
    ("names", "header", "first", "last"),
    [
        (DIGITS, "arch", {"digit[0]": "1", "digit[1]": "1", "digit[2]": "1"}, {"digit[0]": "3"}),
        (ZEROS, "arch", {"digit[0]": "0", "digit[3]": "0"}, {"digit[0]": "1", "digit[3]": "1"}),
        (PARTS, "net", {"part[0]": "2", "part[1]": "16", "part[2]": "conv"}, {"part[2]": "pool"}),
        (COLUMNS, "depth,width,op", {"depth": "2", "width": "16", "op": "conv"}, {"op": "pool"}),
        (CELLS, "cell", {"edge[0,1]": "none"}, {"edge[0,1]": "nor_conv_1x1"}),
        (TEXTS, "cell", {"edge[0,1]": "none"}, {"edge[0,1]": "skip_connect"}),
    ],
    ids=["digits", "zeros", "parts", "columns", "json", "text"],
)
def test_a_card_is_guessed_that_reads_each_architecture_with_its_scores(
    tmp_path: Path, names: list[str], header: str, first: dict[str, str], last: dict[str, str]
) -> None:
    rows = [f"{one},{20 + at},{0.5 + at},{at * 1.5},{7 * at + 1}" for at, one in enumerate(names)]
    file = written(tmp_path, "own_rows.csv", f"{header},street val,street_test,forest_loss_val,macs", rows)
    done = harness("new", "table", file, "--to", tmp_path / "mine", HARNESS_CATALOG="")
    assert done.returncode == 0, done.stderr
    card = tmp_path / "mine" / "tasks" / "own_rows.toml"
    table = load_table(card.with_suffix(".csv"), card)
    assert set(table.validation) == {"street", "forest_loss"}
    for at, wanted in ((0, first), (len(names) - 1, last)):
        (architecture,) = (one for one, row in table.rows.items() if row == at)
        assert table.space.describe(architecture).items() >= wanted.items()
        assert table.validation["street"][at] == pytest.approx((20 + at) / 100)
        assert table.test["street"][at] == pytest.approx((0.5 + at) / 100)
        assert table.test["forest_loss"][at] == -at * 1.5
        assert table.costs["macs"][at] == 7 * at + 1
    assert len(table.rows) == len(names)
    checked = harness("check", "table", "own_rows", HARNESS_CATALOG=str(tmp_path / "mine"))
    assert checked.returncode == 0, checked.stdout


def test_a_file_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    rows = [f"{number % 2},{number},{number + 0.5}" for number in range(10, 90)]
    file = written(tmp_path, "own_rows.csv", "n,ks,val", rows)
    done = harness("new", "table", file, "--to", tmp_path / "mine")
    assert done.returncode == 2
    assert not (tmp_path / "mine").exists()
    assert "write the card by hand" in done.stderr


CARD = """
summary = "Digits."
file = "own_rows.csv"
column = "arch"
encoding = "digits"
unit = "raw"
origin = "made up"
licence = "CC0"
partial = true
choices = { kernel = [1, 3], width = ["1", "2", "3"] }
domains.one = { validation = "val", test = "val" }
"""


def test_digits_that_are_options_are_read_as_such_and_others_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "own_rows.csv", "arch,val", ["11,0.5", "13,1.5", "32,2.5"])
    card = tmp_path / "own_rows.toml"
    card.write_text(CARD)
    table = load_table(file, card)
    named = [tuple(table.space.describe(one).values()) for one in sorted(table.rows, key=table.rows.get)]
    assert named == [(1, "1"), (1, "3"), (3, "2")]
    written(tmp_path, "own_rows.csv", "arch,val", ["11,0.5", "01,1.5"])
    load_table.cache_clear()
    with pytest.raises(
        DataUnavailableError, match="row 1, column 'arch': '01' has 0 for kernel, which may be 1, 3"
    ):
        load_table(file, card)
    assert np.isfinite(table.test["one"]).all()
