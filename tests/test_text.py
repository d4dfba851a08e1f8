"""TOML and JSON that attack their reader. Truth: sizes and depths that the tests write themselves."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from command import harness
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import catalog
from harness.cli.cards import architecture
from harness.data.own.rows import file_rows
from harness.data.own.task import read_task
from harness.data.table.card import read_card
from harness.errors import HarnessError
from harness.guard.text import parse_json, read_text
from harness.study.suite import load_suite
from harness.toml import read_toml

DEEP = {
    "arrays": "a = " + "[" * 10_000 + "]" * 10_000,
    "arrays without an end": "a = " + "[" * 1_000_000,
    "inline tables": "a = " + "{a = " * 10_000 + "1" + "}" * 10_000,
    "some arrays": "a = " + "[" * 60 + "]" * 60,
    "keys": ".".join("a" * 10_000) + " = 1",
    "a million keys": ".".join("a" * 1_000_000) + " = 1",
    "keys in quotation marks": " . ".join(["'a b'", '"b"'] * 10_000) + " = 1",
    "tables": f"[{'.'.join('a' * 10_000)}]",
    "lists of tables": f"[[{'.'.join('a' * 10_000)}]]",
}
ODD = {
    "five thousand digits": "a = " + "9" * 5000,
    "sixteen thousand bits": "a = 0x" + "f" * 4000,
    "more than 64 bits": "a = 9223372036854775808",
    "half of a pair": 'a = "\\ud800"',
    "a day that is none": "a = 2024-02-31",
}
READERS: list[Callable[[Path], Any]] = [
    read_toml,
    lambda path: load_suite(str(path)),
    lambda path: read_task(path, None),
    read_card,
]


@pytest.mark.parametrize("what", DEEP)
@pytest.mark.parametrize("reader", READERS, ids=["toml", "suite", "task", "card"])
def test_a_file_of_many_levels_is_one_sentence_in_no_time(tmp_path: Path, what: str, reader: Any) -> None:
    (tmp_path / "a.toml").write_text(DEEP[what])
    started = perf_counter()
    with pytest.raises(HarnessError, match=r"a.toml (is nested too deeply|has a key of 50 parts)"):
        reader(tmp_path / "a.toml")
    assert perf_counter() - started < 5


@pytest.mark.parametrize("reader", READERS, ids=["toml", "suite", "task", "card"])
def test_a_file_of_fifty_megabytes_is_one_sentence_in_no_time(tmp_path: Path, reader: Any) -> None:
    (tmp_path / "a.toml").write_bytes(b"a = 1\n" + b"\n" * 50_000_000)
    started = perf_counter()
    with pytest.raises(HarnessError, match=r"a.toml is larger than 4194304 bytes"):
        reader(tmp_path / "a.toml")
    assert perf_counter() - started < 2


@pytest.mark.parametrize("what", ODD)
def test_a_value_that_is_none_is_not_toml(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.toml").write_text(ODD[what])
    with pytest.raises(HarnessError, match=r"a.toml is not TOML"):
        read_toml(tmp_path / "a.toml")


def test_a_file_that_is_none_or_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(HarnessError, match="is not UTF-8 text"):
        read_toml(tmp_path / "a.toml")
    for name in (".", "absent"):
        with pytest.raises(HarnessError, match="There is no file"):
            read_text(tmp_path / name)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HarnessError, match="There is no file"):
        read_text(tmp_path / "pipe")


def test_what_is_plain_is_read(tmp_path: Path) -> None:
    text = 'a.b.c = 1\n"d.e" = "f.g.h"\n[x.y]\nz = [[1, [2]], 9223372036854775807, inf]\n'
    (tmp_path / "a.toml").write_text(text)
    numbers = [[1, [2]], 2**63 - 1, float("inf")]
    assert read_toml(tmp_path / "a.toml") == {
        "a": {"b": {"c": 1}},
        "d.e": "f.g.h",
        "x": {"y": {"z": numbers}},
    }


@settings(max_examples=150)
@given(st.text(st.sampled_from("a.b='\"[]{}\n1,#\\ _-"), max_size=200), st.sampled_from(READERS[:2]))
def test_any_text_is_a_table_or_one_sentence(tmp_path: Path, text: str, reader: Any) -> None:
    (tmp_path / "a.toml").write_text(text)
    try:
        reader(tmp_path / "a.toml")
    except HarnessError as error:
        told = str(error)
        assert "\n" not in told


def test_a_catalog_with_large_files_is_still_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "large.toml").write_bytes(b" \n" * 20_000_000)
    (tmp_path / "tasks" / "folder.toml").mkdir()
    monkeypatch.setenv("HARNESS_CATALOG", f"{os.environ['HARNESS_CATALOG']}{os.pathsep}{tmp_path}")
    started = perf_counter()
    assert "toy_patterns" in catalog.names("task")
    assert "large" in catalog.names("table")
    assert perf_counter() - started < 5


def test_suites_that_extend_one_another_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaderboards").mkdir()
    for one, other in ("ab", "ba"):
        (tmp_path / "leaderboards" / f"round_{one}.toml").write_text(f'extends = "round_{other}"\n')
    monkeypatch.setenv("HARNESS_CATALOG", f"{os.environ['HARNESS_CATALOG']}{os.pathsep}{tmp_path}")
    with pytest.raises(HarnessError, match="`extends` names 'round_a'"):
        load_suite("round_a")
    assert catalog.load("suite", "round_a") == {"extends": "round_b"}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "[" * 100_000,
            '{"a":' * 100_000,
            "9" * 5000,
            '"' + "x" * 10**7,
            "nul",
            "[1, 2]",
            "random:" + "9" * 5000,
        ),
        *("random:²", '{"ks": 1e999}', '{"depth": NaN}', '{"depth": [[[[]]]]}', '{"depth": "\\ud800"}'),
    ],
)
def test_an_architecture_that_is_none_is_one_short_sentence(text: str) -> None:
    for name in catalog.names("space"):
        with pytest.raises(HarnessError, match=r"^--architecture: ") as caught:
            architecture(catalog.load("space", name).space(None), text)
        assert len(str(caught.value)) < 700


def test_rows_of_many_levels_are_told_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": NaN}\n' + '{"a":' * 100_000)
    with pytest.raises(HarnessError, match=r"a.jsonl, line 2 is not JSON: it is nested too deeply"):
        list(file_rows(tmp_path / "a.jsonl"))
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json("[" * 100_000)


@pytest.mark.parametrize(
    ("words", "data"),
    [
        (["eval", "FILE.toml"], DEEP["arrays"].encode()),
        (["eval", "FILE.toml"], b"#" * 50_000_000),
        (["count", "hybrid:micro", "--architectures", "FILE.jsonl"], b"[" * 100_000),
        (["count", "hybrid:micro", "--architectures", "FILE.jsonl"], b"\xff\xff"),
        (["count", "hybrid:micro", "--architectures", "FILE.jsonl"], b" " * (2**26 + 1)),
    ],
)
def test_a_hostile_file_ends_with_status_2_and_one_sentence(
    tmp_path: Path, words: list[str], data: bytes
) -> None:
    place = words[-1].replace("FILE", str(tmp_path / "mine"))
    Path(place).write_bytes(data)
    done = harness(*words[:-1], place)
    assert done.returncode == 2
    assert done.stderr.startswith("harness: ")
    assert done.stderr.count("\n") == 1
    assert json.dumps(done.stdout) == '""'
