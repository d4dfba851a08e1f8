"""Hostile files from the command line: exit status 1 or 2, one sentence each, and never a traceback.

Truth: files that are put together here, byte by byte.
"""

import hashlib
import os
import pickle
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Ended, harness
from PIL import Image

from harness.data.own.domain import user_domain
from harness.data.own.place import OwnPlace
from harness.errors import WrongDataError
from harness.task.signature import Signature
from harness.task.task import Sample

CARD = """\
summary = "mine"
space = "toy_grid:only"
column = "key"
encoding = "json"
origin = "mine"
licence = "CC0"
{source}
[domains.one]
validation = "{column}"
test = "{column}"
"""
SUITE = """\
title = "mine"
study = "lookup"
table = "mine"
repeats = 2
searchers = ["random_search"]
reference = "random_search"
claim = "random_search"
[search]
evaluations = [2]
"""
PACKAGE = """\
members = {{ a = "a.bench" }}
[package]
registry = "pypi"
name = "mine"
version = "1.0"
filename = "mine-1.0-py3-none-any.whl"
sha256 = "{sha256}"
"""
EXPLODES = b"}K\x01cnumpy\nndarray\n(K\x01\x85cnumpy\ndtype\n(X\x02\x00\x00\x00O8\x89\x88tRC\x08AAAAAAAAtRs."


def wheel(*members: tuple[str, bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, data in members:
                made.writestr(name, data)

    return write


def tarball(path: Path) -> None:
    with tarfile.open(path, "w:gz") as made:
        made.add("/etc/hostname", "a.bench")


WHEELS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "an array of objects": (wheel(("a.bench", EXPLODES)), "wants to call what is no function"),
    "a bomb": (wheel(("a.bench", bytes(2**26))), "more than 200 times as many"),
    "a tarball": (tarball, "cannot be opened"),
    "a mapping of nothing": (wheel(("a.bench", pickle.dumps({}))), "not a mapping of architectures"),
    "keys that are none": (wheel(("a.bench", pickle.dumps({1: {"b": [1]}}))), "'1' is no JSON object"),
    "values that are none": (
        wheel(("a.bench", pickle.dumps({'{"digits":[0,0,0]}': {"b": [1]}}))),
        "no row of|not a",
    ),
}
NPY = (
    b"\x93NUMPY\x01\x00v\x00"
    + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}".ljust(117)
    + b"\n"
    + bytes(8)
)
FILES = {
    "a csv of zeros": ("a.csv", bytes(1000), "has no column 'key'"),
    "a csv of many levels": ("a.csv", b"key,a\n" + b"[" * 10**5 + b",1\n", "nested too deeply"),
    "a csv of 1e999": ("a.csv", b'key,a\n"{""digits"":[0,0,0]}",1e999\n', "is not a finite number|no row"),
    "an npz that is none": ("a.npz", b"PK\3\4" + bytes(100), "cannot be opened"),
    "a parquet file cut": ("a.parquet", b"PAR1" + bytes(50) + b"\xff\xff\xff\x7fPAR1", "no set of plain"),
}


def called(place: Path, *words: object) -> Ended:
    catalog = os.pathsep.join([os.environ["HARNESS_CATALOG"], str(place / "catalog")])
    return harness(*words, HARNESS_CATALOG=catalog, HARNESS_DATA=str(place / "data"))


def table(place: Path, source: str, column: str) -> Path:
    folder = place / "catalog" / "tasks"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(CARD.format(source=source, column=column))
    (place / "data" / "archives").mkdir(parents=True)
    return folder


def packed(place: Path, write: Callable[[Path], Any]) -> None:
    """Writes a package where it is kept, and the card of a table that pins it."""
    write(place / "made.whl")
    data = (place / "made.whl").read_bytes()
    table(place, PACKAGE.format(sha256=hashlib.sha256(data).hexdigest()), "a.b")
    (place / "data" / "archives" / "mine-1.0-py3-none-any.whl").write_bytes(data)


def refused(done: Ended, reason: str) -> None:
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr + done.stdout
    lines = [line for line in (done.stdout + done.stderr).splitlines() if re.search(reason, line)]
    assert len(lines) == 1, done.stdout + done.stderr
    assert len(lines[0]) < 1500


@pytest.mark.parametrize("what", WHEELS)
def test_check_refuses_a_hostile_package(tmp_path: Path, what: str) -> None:
    write, reason = WHEELS[what]
    packed(tmp_path, write)
    refused(called(tmp_path, "check", "table", "mine", "--offline"), reason)


@pytest.mark.parametrize("what", FILES)
def test_check_refuses_a_hostile_table(tmp_path: Path, what: str) -> None:
    name, data, reason = FILES[what]
    (table(tmp_path, f'file = "{name}"', "a") / name).write_bytes(data)
    refused(called(tmp_path, "check", "table", "mine"), reason)


def test_check_refuses_another_package_than_the_card_pins(tmp_path: Path) -> None:
    table(tmp_path, PACKAGE.format(sha256="0" * 64), "a.b")
    WHEELS["an array of objects"][0](tmp_path / "data" / "archives" / "mine-1.0-py3-none-any.whl")
    done = called(tmp_path, "check", "table", "mine", "--offline")
    refused(done, "has sha256 .* expected 0000")
    assert "waits for its file" not in done.stdout


def test_eval_refuses_a_hostile_package(tmp_path: Path) -> None:
    packed(tmp_path, wheel(("a.bench", EXPLODES)))
    (tmp_path / "suite.toml").write_text(SUITE)
    words = ["--out", tmp_path / "run", "--offline", "--workers", "1"]
    done = called(tmp_path, "eval", tmp_path / "suite.toml", *words)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr + done.stdout
    assert "wants to call what is no function" in done.stderr + done.stdout


PICTURES = """\
kind = "image"
summary = "mine"
sources = ["a"]
held_out = ["b"]
classes = ["x", "y"]
size = 8
[domains.a]
{place}
[domains.b]
{place}
"""


def png(width: int, height: int) -> bytes:
    """Returns a picture of so many pixels that has none of them."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    made = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + made


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch ran) (w) file\n%%EOF\n"


def samples(folder: Path) -> list[Sample]:
    signature = Signature(kind="image", classes=1, channels=3, height=8, width=8)
    return list(user_domain(OwnPlace(folder=str(folder)), "mine", signature, ("x",)).read({}))


@pytest.mark.parametrize("data", [png(100_000, 100_000), png(10_000, 10_000), png(9, 9)[:40], EPS, b""])
def test_a_hostile_picture_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.png").write_bytes(data)
    with pytest.raises(WrongDataError, match=r"a.png is not a picture that can be read"):
        samples(tmp_path)


@pytest.mark.parametrize(
    ("place", "name", "data", "reason"),
    [
        ('images = "a.npy"\nlabels = "a.npy"', "a.npy", NPY, "is not an array of numpy"),
        ('file = "a.jsonl"', "a.jsonl", b'{"a":' * 10**5, "line 1 is not JSON: it is nested too deeply"),
        ('file = "a.csv"', "a.csv", b"image,label\n" + b"x" * 200_000 + b",x\n", "is not CSV"),
        ('folder = "pictures"', "pictures/x/a.png", png(9, 9)[:40], "is not a picture that can be read"),
    ],
)
def test_prepare_refuses_hostile_data(
    tmp_path: Path, place: str, name: str, data: bytes, reason: str
) -> None:
    folder = table(tmp_path, "", "a")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    (folder / "mine.toml").write_text(PICTURES.format(place=place))
    done = called(tmp_path, "data", "prepare", "mine")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("FAIL mine/")]
    assert len(lines) == 2
    assert all(reason in line for line in lines)


def test_a_plain_picture_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for number in range(3):
        Image.fromarray(np.full((9, 9, 3), number, np.uint8)).save(tmp_path / "x" / f"{number}.png")
    assert {sample.data[0] for sample in samples(tmp_path)} == {0, 1, 2}
