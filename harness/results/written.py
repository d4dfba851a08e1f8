"""Files that are added to a folder which may be there and grow."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from harness.errors import HarnessError
from harness.files import unwritable, write_atomically


class WrittenFiles(NamedTuple):
    """Files, below their folder, that are new, that replaced others, and that were there as they are."""

    added: tuple[Path, ...]
    replaced: tuple[Path, ...]
    same: tuple[Path, ...]


def write_files(out: Path, texts: Mapping[Path, str]) -> WrittenFiles:
    """Writes texts to their paths below `out`; what else lies there stays as it is.

    Raises:
        HarnessError: `out` is no folder, or a file cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise HarnessError(f"{out} is no folder; give --out a folder, which may be there and grow.")
    found: dict[str, list[Path]] = {"added": [], "replaced": [], "same": []}
    for path, text in sorted(texts.items()):
        file = out / path
        state = "added" if not file.exists() else "same" if file.read_bytes() == text.encode() else "replaced"
        found[state].append(path)
        if state != "same":
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unwritable(file, error) from error
            write_atomically(file, text)
    return WrittenFiles(**{state: tuple(paths) for state, paths in found.items()})
