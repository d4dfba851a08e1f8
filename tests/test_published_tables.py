"""The published tables, surrogates that compute, and searches on both under a limit of cost.

Truth: numbers of the published tables themselves, the closed forms of the spaces, brute force, and the
perplexities of the published surrogates.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filled
import numpy as np
import pandas as pd
import pytest
from command import harness
from published import TABLES, needs_tables, path_of

from harness import catalog
from harness.checks.entries import check_entry
from harness.cli.cards import describe
from harness.data.table.card import read_card
from harness.data.table.computed import load_computed
from harness.data.table.decode import columns_of, decoder
from harness.data.table.table import LookupTable, bound_space, load_table
from harness.errors import DataUnavailableError, HarnessError
from harness.run.loaded import load_run
from harness.stats.fronts import front, hypervolume
from harness.study.formats import render
from harness.study.lookup.board import LookupBoard
from harness.study.study import build_board, make_plan
from harness.study.suite import load_suite

DATA = Path(os.environ.get("HARNESS_DATA") or "no data cache")


def published(name: str) -> LookupTable:
    card = read_card(catalog.files("table")[name])
    path = DATA / "archives" / card.package.filename if card.package else TABLES / card.file
    if not path.is_file():
        pytest.skip(f"{path.name} is absent; set HARNESS_BENCHMARKS, or HARNESS_DATA for a package")
    return load_table(path, catalog.files("table")[name])


@pytest.mark.parametrize("name", catalog.names("table"))
def test_every_card_holds_or_waits_for_its_file(name: str, tmp_path: Path) -> None:
    folder = DATA if (DATA / "archives").is_dir() else tmp_path
    findings = check_entry("table", name, folder, offline=True, tables=(TABLES,))
    assert [one.detail for one in findings if not one.holds] == []


@pytest.mark.parametrize("name", catalog.names("table"))
def test_every_card_is_described(name: str, tmp_path: Path) -> None:
    card = json.loads(json.dumps(describe("table", name, tmp_path)))
    assert [one["domain"] for one in card["domains"]] == list(read_card(catalog.files("table")[name]).domains)


@needs_tables
def test_every_published_file_has_a_card() -> None:
    cards = [read_card(path) for path in catalog.files("table").values()]
    known = {card.file for card in cards} | {cost.file for card in cards for cost in card.costs.values()}
    assert {path.name for path in TABLES.iterdir() if path.suffix in (".csv", ".npz")} <= known


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
    path = path_of("hwgptbench_perplexity_surrogates.npz")
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


def evaluated(folder: Path, suite: str, **places: str) -> tuple[Any, LookupBoard]:
    (folder / "mine.toml").write_text(suite)
    done = harness("eval", folder / "mine.toml", "--out", folder / "run", "--json", **places)
    assert done.returncode == 0, done.stderr
    run = load_run(folder / "run")
    return run, build_board(run)


@needs_tables
def test_the_slow_half_is_evaluated_and_never_chosen(tmp_path: Path) -> None:
    suite = (
        'extends = "nasbench201_latency"\nrepeats = 3\n'
        'searchers = ["random_search", "local_search"]\nclaim = "local_search"\n'
        'reference = "random_search"\ndomains = ["cifar100"]\n[search]\nevaluations = [30]\n'
    )
    run, board = evaluated(tmp_path, suite, HARNESS_BENCHMARKS=str(TABLES))
    about = filled.told(run, filled.units(run, "table")[0])["domains"]["cifar100"]
    table = published("nasbench201")
    cost, test = table.costs["raspi4"], table.test["cifar100"]
    most = about["limit"]["value"]
    assert about["limit"]["within"] == pytest.approx(0.5, abs=1e-3)
    assert about["best"]["test"] == test[cost <= most].max()
    searches = [one for unit in filled.units(run, "lookup") for one in filled.told(run, unit)["searches"]]
    assert all(len(one["evaluated"]) == len(set(one["evaluated"])) == 30 for one in searches)
    assert all(cost[row] <= most for one in searches for _, row, _, _ in one["incumbents"])
    over = [sum(cost[row] > most for row in one["evaluated"]) for one in searches]
    assert over == [one["over_limit"] for one in searches]
    assert sum(over) > 0
    assert "raspi4 of at most" in render(board, "md")
    true = np.array(about["limit"]["front"])
    assert [tuple(one) for one in true] == [(cost[row], test[row]) for row in front(cost, test)]
    report = (tmp_path / "run" / "report.md").read_text()
    share = hypervolume(
        searches[0]["costs"], searches[0]["tests"], cost=cost.max(), score=test.mean()
    ) / hypervolume(*true.T, cost=cost.max(), score=test.mean())
    assert 0.5 < share < 1
    assert "hypervolume of score and raspi4 in ms, validation as feedback, 30 evaluations" in report


@needs_tables
def test_a_computed_table_is_told_by_a_sample_and_says_so(tmp_path: Path) -> None:
    suite = (
        'extends = "hwgpt"\nrepeats = 3\nsearchers = ["random_search", "ridge"]\ndomains = ["s"]\n'
        "[search]\nevaluations = [10]\n"
    )
    run, board = evaluated(tmp_path, suite, HARNESS_BENCHMARKS=str(TABLES))
    told = filled.told(run, filled.units(run, "table")[0])
    about = told["domains"]["s"]
    assert (about["exact"], about["sampled"], "rows" in told, "transfer" in told) == (
        False,
        20_000,
        False,
        False,
    )
    space = bound_space("decoder:gpt-s")
    for unit in filled.units(run, "lookup"):
        for one in filled.told(run, unit)["searches"]:
            assert {row for _, row, _, _ in one["incumbents"]} == {None}
            assert space.legal(space.from_json(one["found"]))
            assert "evaluated" not in one
    text = render(board, "md")
    assert "No optimum is known: 20,000 random architectures" in text
    assert "| sampled | random search, expected" in text
    assert "exact" not in text
    assert (tmp_path / "run" / "report.md").read_text().count("the best of 20,000 sampled") >= 2


@needs_tables
def test_scales_that_are_other_spaces_are_not_held_out(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "hwgpt"\nheld_out = "each"\n')
    with pytest.raises(HarnessError, match="are spaces of their own, so none can be held out"):
        make_plan(*load_suite(str(path)), tables=(TABLES,))
