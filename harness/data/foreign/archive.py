"""Archives that came from elsewhere: members are read into memory, within limits, and never extracted.

All that opens a zip archive, a wheel, a tarball or gzipped bytes does it here.
"""

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from harness.errors import DataUnavailableError

MOST_MEMBERS = 100_000
LARGEST_DIRECTORY = 2**23
"""Bytes of a zip archive's list of members, which is read as a whole; a hundred are one member."""
LARGEST_MEMBER = 2**29
"""Bytes of a member; the largest that is read is a language model of 92 MB."""
LARGEST_TOTAL = 2**30
"""Bytes that are unpacked from one archive."""
LARGEST_RATIO = 200
"""Bytes out of one byte, where the result is larger than `SMALL`; texts give about 5."""
SMALL = 2**24
_PIECE = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Python unpacks other methods without a bound."""
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, ValueError, RuntimeError)
"""What the standard library raises for a damaged archive; RuntimeErrors for an encrypted one."""


class ZipMembers:
    """The members of an open zip archive, in its order."""

    def __init__(self, opened: zipfile.ZipFile, where: str) -> None:
        self.opened = opened
        self.where = where
        self.left = LARGEST_TOTAL
        infos = opened.infolist()
        if len(infos) > MOST_MEMBERS:
            raise _refused(where, f"it has {len(infos)} members, and at most {MOST_MEMBERS} are read")
        for info in infos:
            _check_name(where, info.filename)
        self.names = [info.filename for info in infos]

    def read(self, name: str) -> bytes:
        """Returns a member as a whole.

        Raises:
            DataUnavailableError: there is none of that name, or it is damaged, too large or no file.
        """
        return b"".join(self.pieces(name))

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yields a member piece by piece, for one that is copied to a file."""
        info = self.info(name)
        what = f"{self.where}, {name}"
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise _refused(what, "it is a link, a folder or a device, not a file")
        if info.compress_type not in _METHODS:
            raise _refused(what, f"it is packed by method {info.compress_type}; only deflate is read")
        _check_size(what, info.file_size, info.compress_size)
        self.left -= info.file_size
        if self.left < 0:
            raise _refused(self.where, f"more than {LARGEST_TOTAL} bytes are read from it")
        try:
            with self.opened.open(info) as file:
                while piece := file.read(_PIECE):
                    yield piece
        except _BROKEN as error:
            raise DataUnavailableError(f"{what} cannot be opened: {error}.") from error

    def info(self, name: str) -> zipfile.ZipInfo:
        """Returns what the archive says of a member."""
        try:
            return self.opened.getinfo(name)
        except KeyError as error:
            raise DataUnavailableError(
                f"{self.where}, {name} cannot be opened: there is no such member."
            ) from error


@contextmanager
def zip_archive(source: Path | bytes) -> Iterator[ZipMembers]:
    """Opens a zip archive.

    Args:
        source: its file, or its bytes where it is a member itself.

    Raises:
        DataUnavailableError: it is damaged, or one of its members has a name that leaves its folder.
    """
    told = str(source if isinstance(source, Path) else "an archive in an archive")
    try:
        raw: IO[bytes] = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        with raw, zipfile.ZipFile(_Pieces(raw)) as opened:
            yield ZipMembers(opened, told)
    except (zipfile.BadZipFile, FileNotFoundError, NotImplementedError) as error:
        raise DataUnavailableError(f"{told} cannot be opened: {error}.") from error


class _Pieces(io.RawIOBase):
    """A file of which no reader takes much at once, as it does the list of members of a bomb."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.raw = raw

    def read(self, size: int | None = -1, /) -> bytes:
        most = LARGEST_DIRECTORY + 1
        found = self.raw.read(most if size is None or size < 0 else min(size, most))
        if len(found) == most:
            raise zipfile.BadZipFile(f"its list of members has over {LARGEST_DIRECTORY} bytes")
        return found

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self.raw.seek(offset, whence)

    def tell(self) -> int:
        return self.raw.tell()


def tar_members(path: Path, is_wanted: Callable[[str], object]) -> Iterator[tuple[str, bytes]]:
    """Yields (name, bytes) of the wanted files of a tarball, plain or gzipped, in its order.

    Raises:
        DataUnavailableError: it is damaged or too large, or a member is a link, a device or outside.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as raw:
            counted = _Counted(raw, str(path), path.stat().st_size)
            with tarfile.open(fileobj=counted, mode="r|") as opened:
                yield from _wanted(opened, str(path), is_wanted)
    except _BROKEN as error:
        raise DataUnavailableError(f"{path} cannot be opened: {error}.") from error


def _wanted(
    opened: tarfile.TarFile, where: str, is_wanted: Callable[[str], object]
) -> Iterator[tuple[str, bytes]]:
    for number, member in enumerate(opened):
        if number >= MOST_MEMBERS:
            raise _refused(where, f"it has over {MOST_MEMBERS} members")
        _check_name(where, member.name)
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            raise _refused(
                f"{where}, {member.name}", "it is a link, a device or has holes, and is no plain file"
            )
        file = opened.extractfile(member) if is_wanted(member.name) else None
        if file is not None:
            _check_size(f"{where}, {member.name}", member.size, member.size)
            yield member.name, file.read()


class _Counted(io.RawIOBase):
    """An unpacked stream that ends with an error where it is out of proportion."""

    def __init__(self, raw: "IO[bytes] | gzip.GzipFile", where: str, packed: int) -> None:
        self.raw = raw
        self.where = where
        self.most = min(LARGEST_TOTAL, max(LARGEST_RATIO * packed, SMALL))
        self.count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = self.raw.read(_PIECE if size is None or size < 0 else min(size, _PIECE))
        self.count += len(found)
        if self.count > self.most:
            raise _refused(self.where, f"it unpacks to over {self.most} bytes")
        return found


def gunzipped(data: bytes, where: str) -> bytes:
    """Returns gzipped bytes unpacked.

    Raises:
        DataUnavailableError: they are damaged, or out of proportion.
    """
    counted = _Counted(gzip.GzipFile(fileobj=io.BytesIO(data)), where, len(data))
    try:
        return b"".join(iter(counted.read, b""))
    except _BROKEN as error:
        raise DataUnavailableError(f"{where} cannot be opened: {error}.") from error


def _check_name(where: str, name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise _refused(where, f"its member {name[:100]!r} would lie outside of its folder")


def _check_size(what: str, size: int, packed: int) -> None:
    if size > LARGEST_MEMBER:
        raise _refused(what, f"it has {size} bytes, and at most {LARGEST_MEMBER} are read")
    if size > max(SMALL, LARGEST_RATIO * packed):
        raise _refused(what, f"{packed} bytes unpack to {size}, more than {LARGEST_RATIO} times as many")


def _refused(where: str, reason: str) -> DataUnavailableError:
    return DataUnavailableError(f"{where} is an archive that is not read: {reason}.")
