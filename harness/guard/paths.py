"""Names that become a part of a path, checked in one place, so that none leaves its folder."""

import unicodedata
from pathlib import PurePosixPath

from harness.errors import HarnessError

LONGEST_BYTES = 100
"""Of a name in UTF-8, as two of them and more make up a file name, which has at most 255."""
SEPARATORS = ("/", "\\")


def path_part(kind: str, name: str) -> str:
    """Returns `name`, which may be the name of a file or a folder.

    Raises:
        HarnessError: it is empty, too long, starts with a dot, a dash or a space, or has a separator, a
            control character or another one that cannot be seen.
    """
    wrong = _wrong(name)
    if wrong:
        shown = name[:LONGEST_BYTES]
        raise HarnessError(f"The name {shown!r} of a {kind} {wrong}; names become parts of paths.")
    return name


def path_below(kind: str, name: str) -> str:
    """Returns `name`, a relative path of `/` and parts that are names, such as `tables/mine.csv`."""
    parts = PurePosixPath(name).parts
    for part in parts:
        path_part(kind, part)
    return name if parts else path_part(kind, name)


def _wrong(name: str) -> str:
    if not name:
        return "is empty"
    if any(separator in name for separator in SEPARATORS):
        return "has a separator of folders"
    if name[0] in ".- ":
        return "starts with a dot, a dash or a space"
    if any(
        unicodedata.category(letter)[0] == "C" or unicodedata.category(letter) in ("Zl", "Zp")
        for letter in name
    ):
        return "has a character that cannot be seen"
    if len(name.encode()) > LONGEST_BYTES:
        return f"has more than {LONGEST_BYTES} bytes"
    return ""
