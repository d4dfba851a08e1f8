"""Tables whose cards declare more than one column: packages, pickles, costs, own spaces and computed scores.

Truth: numbers of the published tables themselves, the closed forms of the spaces, the perplexities of the
published surrogates, and made-up tables whose scores are plain functions of the genes.
"""

import itertools
import json
import os
import pickle
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness import catalog
from harness.board import LookupBoard, build_board, load_run, render
from harness.checks import check_entry
from harness.data.card import read_card
from harness.data.computed import load_computed
from harness.data.decode import columns_of, decoder
from harness.data.lookup import LookupTable, bound_space, load_table
from harness.data.pickles import read_members, unpickled
from harness.data.row_index import RowIndex
from harness.errors import DataUnavailableError, HarnessError
from harness.plan import make_plan
from harness.show import describe
from harness.stats.order import expected_best
from harness.suite import load_suite

TABLES = Path(os.environ.get("HARNESS_BENCHMARKS") or Path(__file__).parents[2] / "shared" / "benchmarks")
DATA = Path(os.environ.get("HARNESS_DATA") or "no data cache")
COMMAND = [sys.executable, "-c", "from harness.cli import main; main()"]
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


def published(name: str) -> LookupTable:
    card = read_card(catalog.files("table")[name])
    path = DATA / "archives" / card.package.filename if card.package else TABLES / card.file
    if not path.is_file():
        pytest.skip(f"{path.name} is absent; set HARNESS_BENCHMARKS, or HARNESS_DATA for a package")
    return load_table(path, catalog.files("table")[name])


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


@pytest.mark.parametrize("name", catalog.names("table"))
def test_every_card_holds_or_waits_for_its_file(name: str, tmp_path: Path) -> None:
    folder = DATA if (DATA / "archives").is_dir() else tmp_path
    findings = check_entry("table", name, folder, offline=True, tables=(TABLES,))
    assert [one.detail for one in findings if not one.holds] == []


@pytest.mark.parametrize("name", catalog.names("table"))
def test_every_card_is_described(name: str, tmp_path: Path) -> None:
    card = json.loads(json.dumps(describe("table", name, tmp_path)))
    assert [one["domain"] for one in card["domains"]] == list(read_card(catalog.files("table")[name]).domains)


@pytest.mark.skipif(not TABLES.is_dir(), reason="set HARNESS_BENCHMARKS to the folder of published tables")
def test_every_published_file_has_a_card() -> None:
    cards = [read_card(path) for path in catalog.files("table").values()]
    known = {card.file for card in cards} | {cost.file for card in cards for cost in card.costs.values()}
    assert {path.name for path in TABLES.iterdir() if path.suffix in (".csv", ".npz")} <= known


def test_an_architecture_may_stand_in_a_column_for_each_choice(tmp_path: Path) -> None:
    table = own(tmp_path, six(), COLUMNS)
    assert table.rows[2, 1] == 5
    assert table.space.to_json((2, 1)) == {"depth": 3, "width": "wide"}
    assert table.space.from_json({"depth": 3, "width": "wide"}) == (2, 1)


def test_a_pattern_has_a_group_for_each_choice(tmp_path: Path) -> None:
    frame = six().assign(code=lambda one: "net-" + one["depth"].astype(str) + "-" + one["width"])
    table = own(tmp_path, frame, 'encoding = "pattern"\ncolumn = "code"\npattern = "net-(.)-(.*)"')
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
        (lambda one: one.replace({"b": {4.0: np.nan}}), COLUMNS, "row 2, column 'b': 'nan' is not a finite"),
        (lambda one: one.assign(b=-one["a"]), COLUMNS, "column 'b': it falls where column 'a'"),
        (
            lambda one: one,
            'encoding = "pattern"\ncolumn = "code"\npattern = "net-(.)(.)-(x)"',
            "has 3 groups, and space own has 2 choices",
        ),
        (
            lambda one: one,
            'encoding = "pattern"\ncolumn = "code"\npattern = "not-(.)(.)"',
            "row 0, column 'code': 'net-1t' is not of the form",
        ),
        (
            lambda one: one,
            'encoding = "choices"\ncolumns = { width = "width" }',
            "name no column for 'depth' of space own",
        ),
        (
            lambda one: one,
            'encoding = "choices"\ncolumns = { widht = "width" }',
            "Space own has no choice 'widht'; it has: depth, width",
        ),
        (
            lambda one: one.replace({"milliseconds": {12.0: np.nan}}),
            f'{COLUMNS}\ncosts.time = {{ column = "milliseconds" }}',
            "row 2, column 'milliseconds': 'nan' is not a finite number",
        ),
        (
            lambda one: one,
            f'{COLUMNS}\ncosts.time = {{ column = "seconds" }}',
            "has no column 'seconds'; it has: depth",
        ),
    ],
)
def test_a_damaged_table_of_its_own_space_names_row_and_column(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], more: str, message: str
) -> None:
    with pytest.raises(HarnessError, match=message) as found:
        own(tmp_path, change(six()), more)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('computed = "magic"\ncolumn = "code"', "computed must be hwgpt_perplexity, not 'magic'"),
        ('encoding = "choices"', "the encoding choices needs `columns`"),
        ('encoding = "pattern"\ncolumn = "code"\npattern = "("', "is no regular expression"),
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
        space.build((1, 1))


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
        (six(), f"{COLUMNS}\n#"),
    ):
        own(tmp_path, frame, more)
        load_table(tmp_path / "own.csv", tmp_path / "own.toml", tmp_path / "data")
    assert len(list((tmp_path / "data" / "tables").iterdir())) == 3


def test_a_damaged_conversion_is_told_in_one_sentence(tmp_path: Path) -> None:
    own(tmp_path, six(), COLUMNS)
    load_table(tmp_path / "own.csv", tmp_path / "own.toml", tmp_path / "data")
    (folder,) = (tmp_path / "data" / "tables").iterdir()
    (folder / "scores.npy").write_bytes(b"\x93NUMPY")
    load_table.cache_clear()
    with pytest.raises(DataUnavailableError, match=r"is damaged .*; delete it and run again"):
        load_table(tmp_path / "own.csv", tmp_path / "own.toml", tmp_path / "data")


@pytest.mark.parametrize("sizes", [(5, 5, 5), (3,) * 60], ids=["numbers", "bytes"])
def test_look_ups_of_many_are_those_of_each(sizes: tuple[int, ...]) -> None:
    draw = np.random.default_rng(0)
    genes = np.unique(draw.integers(0, sizes, (100, len(sizes)), dtype=np.int32), axis=0)
    draw.shuffle(genes)
    index = RowIndex(genes, sizes)
    asked = draw.integers(0, len(genes), 500)
    assert index.find(genes[asked]).tolist() == asked.tolist()
    assert [index.rows[tuple(one)] for one in genes[asked].tolist()] == asked.tolist()


@pytest.mark.parametrize("sizes", [(5, 5, 5), (5,) * 60], ids=["numbers", "bytes"])
def test_what_has_no_row_is_named_with_its_place(sizes: tuple[int, ...]) -> None:
    genes = np.zeros((2, len(sizes)), dtype=np.int32)
    genes[1, 0] = 4
    index = RowIndex(genes, sizes)
    for gene, place in ((3, 1), (5, 0), (-1, 0)):
        asked = np.tile(genes[0], (2, 1))
        asked[place, 0] = gene
        with pytest.raises(
            HarnessError, match=rf"1 of 2 .* have no row; the first, at {place}, is \({gene}, 0"
        ):
            index.find(asked)
    with pytest.raises(HarnessError, match="are no architectures of"):
        index.find(genes[:, 1:])


class Hostile:
    """Runs a command when an ordinary unpickler reads it."""

    def __init__(self, call: Callable[..., Any], *words: Any) -> None:
        self.made = (call, words)

    def __reduce__(self) -> Any:
        return self.made


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "made",
    [
        (os.system, "touch owned"),
        (eval, "open('owned', 'w')"),
        (getattr, "", "join"),
        (subprocess.Popen, ["ls"]),
    ],
    ids=["system", "eval", "getattr", "popen"],
)
def test_a_hostile_pickle_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, made: tuple[Any, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in (Hostile(*made), {"a": [1, Hostile(*made)]}, np.array([Hostile(*made)], dtype=object)):
        with pytest.raises(DataUnavailableError, match=r"evil.bench is a pickle that is not read: it wants"):
            unpickled(pickle.dumps(value, protocol), "evil.bench")
    assert list(tmp_path.iterdir()) == []


def test_a_class_that_a_card_names_gives_its_attributes_and_runs_nothing() -> None:
    record = f"{Hostile.__module__}.Hostile"
    data = pickle.dumps({1: Plain(3)}).replace(b"Plain", b"Other")
    found = unpickled(data, "a", [f"{Plain.__module__}.Other"])
    assert found[1].__dict__ == {"value": 3}
    with pytest.raises(DataUnavailableError, match="is a pickle that is not read"):
        unpickled(pickle.dumps(Hostile(os.system, "true")), "a", [record])


class Plain:
    def __init__(self, value: int) -> None:
        self.value = value


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_numbers_arrays_and_containers_are_read(protocol: int) -> None:
    value = {"a": (1, 2.5, None), "b": {3, 4}, "c": np.float32(0.5), "d": np.arange(6.0).reshape(2, 3)}
    found = unpickled(pickle.dumps(value, protocol), "a")
    assert (found["a"], found["b"], found["c"]) == (value["a"], value["b"], value["c"])
    assert np.array_equal(found["d"], value["d"])


@pytest.mark.parametrize("data", [b"", b"not a pickle", pickle.dumps([1, 2])[:-3]])
def test_a_damaged_pickle_is_told_in_one_sentence(data: bytes) -> None:
    with pytest.raises(DataUnavailableError, match="is a pickle that is not read"):
        unpickled(data, "a")


def wheel(folder: Path, **members: Any) -> Path:
    with zipfile.ZipFile(folder / "made.whl", "w") as archive:
        for name, value in members.items():
            archive.writestr(f"made/{name}.bench", pickle.dumps(value))
    return folder / "made.whl"


def test_members_of_a_package_become_columns(tmp_path: Path) -> None:
    graphs = {7: {"perf": np.float64(0.5)}, 12: {"perf": 0.75}}
    path = wheel(tmp_path, cora=graphs, pubmed={12: {"perf": 0.1}, 7: {"perf": {"mean": 0.2}}})
    frame = read_members(path, {"cora": "made/cora.bench"}, [])
    assert frame.to_dict("list") == {"key": [7, 12], "cora.perf": [0.5, 0.75]}
    with pytest.raises(DataUnavailableError, match=r"made/photo.bench cannot be opened"):
        read_members(path, {"photo": "made/photo.bench"}, [])


def test_members_with_other_keys_are_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path, cora={1: {"perf": 1.0}, 2: {"perf": 2.0}}, pubmed={1: {"perf": 1.0}}, odd=[1])
    with pytest.raises(DataUnavailableError, match="differ in 1 keys, as in 2"):
        read_members(path, {"cora": "made/cora.bench", "pubmed": "made/pubmed.bench"}, [])
    with pytest.raises(DataUnavailableError, match="holds list, not a mapping of architectures"):
        read_members(path, {"odd": "made/odd.bench"}, [])


def test_the_measured_subnetworks_cost_what_their_table_says() -> None:
    table = published("ofa_measured")
    card = read_card(catalog.files("table")["ofa_measured"])
    frame = pd.read_csv(TABLES / card.file, dtype=dict.fromkeys(columns_of(card), str))
    read = decoder(card, table.space)
    for row in frame.to_dict("records"):
        genes = read([row[column] for column in columns_of(card)])
        assert table.space.costs(genes) == (row["params"], row["macs"])
        assert table.test["imagenet"][table.rows[genes]] == pytest.approx(row["top1_mean"] / 100)
    assert (len(table.rows), table.averaged) == (
        1087,
        13,
    )  # what lies beyond a stage's depth is no difference


def test_the_macro_subset_of_transnas_keeps_the_rows_with_every_score() -> None:
    table = published("transnas_macro")
    assert (len(table.rows), table.left_out) == (662, 63)
    row = table.rows[table.space.from_json({f"module[{at}]": text for at, text in enumerate("111114")})]
    assert table.test["class_scene"][row] == pytest.approx(0.51154461)
    assert table.costs["parameters"][row] == pytest.approx(1_293_023)


def test_recurrent_cells_are_averaged_over_trainings_and_better_when_lower() -> None:
    table = published("nasbench_nlp")
    assert (len(table.rows), table.left_out, table.averaged) == (289, 4, 52)
    frame = pd.read_csv(TABLES / "nasbench_nlp_wikitext2.csv")
    same = frame[frame["recepie_json"].duplicated(keep=False) & (frame["recepie_id"] == 1009210)]
    same = frame[frame["recepie_json"] == same["recepie_json"].iloc[0]]
    assert len(same) == 2
    row = table.rows[table.space.from_json({"row": same["recepie_json"].iloc[0]})]
    assert table.test["wikitext2"][row] == pytest.approx(-same["test_loss"].mean())


@pytest.mark.parametrize(
    ("domain", "largest", "perplexity"),
    [("s", True, 21.2994), ("s", False, 42.9816), ("m", True, 20.6879), ("l", True, 18.0214)],
)
def test_the_surrogates_give_the_known_perplexities(domain: str, largest: bool, perplexity: float) -> None:
    path = TABLES / "hwgptbench_perplexity_surrogates.npz"
    if not path.is_file():
        pytest.skip(f"{path.name} is absent; set HARNESS_BENCHMARKS to its folder")
    table = load_computed(path, catalog.files("table")["hwgpt"])
    space = table.spaces[domain]
    size = space.json_schema()["properties"]
    at = -1 if largest else 0
    depth = size["num_layers"]["enum"][at]
    one = {"embed_dim": size["embed_dim"]["enum"][at], "num_layers": depth, "bias": True}
    one |= {name: [size[name]["items"]["enum"][at]] * depth for name in ("mlp_ratio", "num_heads")}
    found = table.scores(np.asarray([space.from_json(one)]), domain)
    assert -found[0] == pytest.approx(perplexity, abs=5e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda held: held.pop("m/fc3.bias"), "has no array 'm/fc3.bias'"),
        (
            lambda held: held["l/fc2.weight"].fill(np.nan),
            "array 'l/fc2.weight': it holds a number that is not",
        ),
        (lambda held: held.update({"s/fc1.weight": np.ones((128, 79))}), "does not take the 80 inputs"),
    ],
)
def test_damaged_surrogates_name_the_array(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    held = {}
    for scale, inputs in (("s", 80), ("m", 152), ("l", 224)):
        for layer, (rows, columns) in enumerate([(128, inputs), *[(128, 128)] * 3, (1, 128)], start=1):
            held[f"{scale}/fc{layer}.weight"] = np.ones((rows, columns))
            held[f"{scale}/fc{layer}.bias"] = np.ones(rows)
    change(held)
    np.savez(tmp_path / "made.npz", **held)
    card = tmp_path / "hwgpt.toml"
    lines = catalog.files("table")["hwgpt"].read_text().splitlines()
    card.write_text("\n".join(line for line in lines if not line.startswith("sha256")))
    with pytest.raises(DataUnavailableError, match=message):
        load_computed(tmp_path / "made.npz", card)


def test_analogue_hardware_has_the_cells_of_nasbench201_in_another_order() -> None:
    ours, theirs = published("nasbench201"), published("analog_nasbench")
    genes = np.asarray(list(ours.rows))
    digital = theirs.scores(genes, "baseline", "test")
    assert np.corrcoef(digital, ours.test["cifar10"])[0, 1] > 0.999
    assert len(theirs.test) == 13


def test_the_graph_benchmark_has_its_published_rows() -> None:
    table = published("nas_bench_graph")
    assert len(table.rows) == 26206
    first = {"inputs": "0000", **{f"node[{at}]": "gat" for at in range(4)}}
    row = table.rows[table.space.from_json(first)]
    assert table.test["cora"][row] == pytest.approx(0.797)
    assert table.costs["cora_parameters"][row] == pytest.approx(1_736_711)
    assert len(published("nas_bench_graph_proteins").rows) == 2021


def test_random_search_under_a_limit_is_the_mean_over_subsets_that_hold_a_choice() -> None:
    draw = random.Random(0)
    select = [draw.random() if at % 2 else -np.inf for at in range(8)]
    report = [draw.random() for _ in range(8)]
    for draws in (1, 3, 7, 8):
        subsets = [one for one in itertools.combinations(range(8), draws) if any(at % 2 for at in one)]
        brute = np.mean([report[max(one, key=lambda at: select[at])] for one in subsets])
        assert expected_best(select, report, draws) == pytest.approx(brute, abs=1e-12)
    with pytest.raises(ValueError, match="Nothing of the pool can be chosen"):
        expected_best([-np.inf] * 3, [1, 2, 3], 2)


def evaluated(folder: Path, suite: str, **places: str) -> tuple[Any, LookupBoard]:
    (folder / "mine.toml").write_text(suite)
    done = subprocess.run(
        [*COMMAND, "eval", str(folder / "mine.toml"), "--out", str(folder / "run"), "--json"],
        capture_output=True,
        text=True,
        env=os.environ | places,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    run = load_run(folder / "run")
    board = build_board(run)
    assert isinstance(board, LookupBoard)
    return run, board


@pytest.mark.skipif(
    not (TABLES / "nasbench201_latency_26dev.npz").is_file(), reason="the latencies are absent"
)
def test_the_slow_half_is_evaluated_and_never_chosen(tmp_path: Path) -> None:
    suite = (
        'extends = "nasbench201_latency"\nrepeats = 3\n'
        'searchers = ["random_search", "local_search"]\nclaim = "local_search"\n'
        'reference = "random_search"\ndomains = ["cifar100"]\n[search]\nbudgets = [30]\n'
    )
    run, board = evaluated(tmp_path, suite, HARNESS_BENCHMARKS=str(TABLES))
    about = run.result(next(run.planned("table")))["domains"]["cifar100"]
    table = published("nasbench201")
    cost, test = table.costs["raspi4"], table.test["cifar100"]
    most = about["limit"]["value"]
    assert about["limit"]["within"] == pytest.approx(0.5, abs=1e-3)
    assert about["best"]["test"] == test[cost <= most].max()
    searches = [one for unit in run.planned("lookup") for one in run.result(unit)["searches"]]
    assert all(len(one["evaluated"]) == len(set(one["evaluated"])) == 30 for one in searches)
    assert all(cost[row] <= most for one in searches for _, row, _, _ in one["incumbents"])
    over = [sum(cost[row] > most for row in one["evaluated"]) for one in searches]
    assert over == [one["over_limit"] for one in searches]
    assert sum(over) > 0
    assert "raspi4 of at most" in render(board, "md")


@pytest.mark.skipif(not TABLES.is_dir(), reason="set HARNESS_BENCHMARKS to the folder of published tables")
def test_a_computed_table_is_told_by_a_sample_and_says_so(tmp_path: Path) -> None:
    suite = (
        'extends = "hwgpt"\nrepeats = 3\nsearchers = ["random_search", "ridge"]\ndomains = ["s"]\n'
        "[search]\nbudgets = [10]\n"
    )
    run, board = evaluated(tmp_path, suite, HARNESS_BENCHMARKS=str(TABLES))
    told = run.result(next(run.planned("table")))
    about = told["domains"]["s"]
    assert (about["exact"], about["sampled"], "rows" in told, "transfer" in told) == (
        False,
        20_000,
        False,
        False,
    )
    space = bound_space("decoder:gpt-s")
    for unit in run.planned("lookup"):
        for one in run.result(unit)["searches"]:
            assert {row for _, row, _, _ in one["incumbents"]} == {None}
            assert space.legal(space.from_json(one["found"]))
            assert "evaluated" not in one
    text = render(board, "md")
    assert "No optimum is known: 20,000 random architectures" in text
    assert "| sampled | random search, expected" in text
    assert "exact" not in text
    assert (tmp_path / "run" / "report.md").read_text().count("the best of 20,000 sampled") >= 2


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("toy_table", 'cost_limit = { cost = "watts", share = 0.5 }', "There is no cost named 'watts'"),
        ("toy_table", "cost_limit = { share = 0.5 }", "search.cost_limit lacks `cost`"),
        (
            "toy_table",
            'cost_limit = { cost = "macs" }',
            "needs either share, above 0 and at most 1, or at_most",
        ),
        ("toy_table", 'cost_limit = { cost = "macs", share = 2.0 }', "needs either share"),
        (
            "toy_table",
            'mac_limit = 3\ncost_limit = { cost = "macs", share = 0.5 }',
            "both a cost_limit and a mac",
        ),
    ],
)
def test_a_wrong_limit_is_told_in_one_sentence(tmp_path: Path, table: str, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'extends = "toy_lookup"\ntable = "{table}"\n[search]\n{text}\n')
    with pytest.raises(HarnessError, match=message):
        make_plan(*load_suite(str(path)))


@pytest.mark.skipif(not TABLES.is_dir(), reason="set HARNESS_BENCHMARKS to the folder of published tables")
def test_scales_that_are_other_spaces_are_not_held_out(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "hwgpt"\nheld_out = "each"\n')
    with pytest.raises(HarnessError, match="are spaces of their own, so none can be held out"):
        make_plan(*load_suite(str(path)), tables=(TABLES,))


@pytest.mark.slow
@pytest.mark.ci
def test_twenty_rows_of_an_own_space_on_three_domains_are_searched_and_compared(tmp_path: Path) -> None:
    folder = tmp_path / "catalog" / "tasks"
    folder.mkdir(parents=True)
    lines = ["net,street_val,street_test,forest_val,forest_test,depth_val,depth_test"]
    for row, digits in enumerate(itertools.islice(itertools.product("012", repeat=3), 20)):
        scores = [50 + row, 51 + row, 50 + (7 * row) % 20, 52 + (7 * row) % 20, 3 - row / 10, 3.1 - row / 10]
        lines.append(",".join(map(str, ["".join(digits), *scores])))
    (folder / "nets.csv").write_text("\n".join(lines) + "\n")
    domains = [
        f'[domains.{name}]\nvalidation = "{name}_val"\ntest = "{name}_test"\n'
        for name in ("street", "forest")
    ]
    (folder / "nets.toml").write_text(
        'summary = "Twenty nets of mine."\nfile = "nets.csv"\ncolumn = "net"\n'
        'encoding = "digits"\npartial = true\n'
        'origin = "mine"\nlicence = "CC0"\n[choices]\ndepth = [1, 2, 3]\nwidth = [16, 32, 64]\n'
        'mixer = ["attention", "convolution", "recurrence"]\n' + "".join(domains) + "[domains.depth]\n"
        'validation = "depth_val"\ntest = "depth_test"\nunit = "raw"\nhigher_is_better = false\n'
    )
    places = os.pathsep.join([os.environ["HARNESS_CATALOG"], str(tmp_path / "catalog")])
    suite = (
        'title = "Nets"\ntable = "nets"\nheld_out = "each"\nrepeats = 3\nfeedback = ["validation"]\n'
        'searchers = ["random_search", "local_search"]\nreference = "random_search"\nclaim = "local_search"\n'
        "[search]\nbudgets = [5]\n"
    )
    run, board = evaluated(tmp_path, suite, HARNESS_CATALOG=places)
    told = run.result(next(run.planned("table")))
    matrix = told["transfer"]["matrix"]
    assert told["rows"] == 20
    assert matrix["street"]["depth"]["spearman"] == pytest.approx(1.0)
    assert set(matrix) == set(matrix["forest"]) == {"street", "forest", "depth"}
    assert all(row.regret is not None for row in board.rankings[0].rows)
