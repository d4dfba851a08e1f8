"""Where users' own data lies, as their TOML says it, and a hash of all that would be read there."""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from harness.files import content_hash, known_hash
from harness.learn.modality import modality_of
from harness.task.signature import Signature

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
TOLD = ("origin", "licence", "stratum", "family", "sealed")
"""What is said of a domain and changes nothing of what is read."""
HASHED_BYTES = 2**28
"""Up to here the files of a domain are told apart by their contents, beyond by sizes and times of change."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of rows hold what; `a.b` is the key b of the value of the column a.

    Attributes:
        text: a document.
        image: a picture of a repository, or the file of one beside the rows.
        label: a class by its name, or by its number where no name is a number.
        question: all that is read before an answer.
        choices: the possible answers, a list, or the columns that hold one each.
        answer: the right one: its text, its number from 0 or its letter.
        group: what must not be split; `group` where there is one, else every row is its own; empty for none.
        split: train, validation or test; `split` where there is one; empty for none.
        domain: the domain of a row; empty where all rows are of one.
    """

    text: str = "text"
    image: str = "image"
    label: str = "label"
    question: str = "question"
    choices: str | list[str] = "choices"
    answer: str = "answer"
    group: str | None = None
    split: str | None = None
    domain: str = ""


@dataclass(frozen=True, kw_only=True)
class OwnPlace:
    """Where the data of a domain lies: one of folder, file, dataset and images.

    Attributes:
        folder: of CLASS/PICTURE, or of text files; or of train/..., validation/... and test/... of these.
        file: a .jsonl or .csv file of rows; of pictures, it holds their files.
        dataset: a folder that `datasets` loads, or the id of a repository of its hub.
        images: an .npy file of uint8 pictures, shape (n, height, width) or (n, height, width, channels).
        labels: the .npy file of their classes, shape (n,).
        period: of arrays that hold the same pictures several times, how many there are; 0 where once.
        revision: of a repository, the commit.
        configuration: of a repository.
        columns: of rows.
        value: what the column of domains holds for this one; its name when empty.
        is_test: all is test but one group of every class in train and one in validation; for sets that only
            evaluate.
        origin: who made it, one line; the name of the folder or file and its version are added.
        licence: one line.
        stratum: the kind of shift that the domain is where it is held out.
        family: of domains that share an author, artist or source.
        sealed: read by suites alone that say that they open it.
    """

    folder: str = ""
    file: str = ""
    dataset: str = ""
    images: str = ""
    labels: str = ""
    period: int = 0
    revision: str = ""
    configuration: str = ""
    columns: Columns = field(default_factory=Columns)
    value: str = ""
    is_test: bool = False
    origin: str = ""
    licence: str = "not stated"
    stratum: str = ""
    family: str = ""
    sealed: bool = False


class Version(NamedTuple):
    """What is read: in words without a path, and 16 hexadecimal digits of it and of how it is read."""

    what: str
    digits: str


def version_of(place: OwnPlace, signature: Signature, classes: tuple[str, ...], named: list[Path]) -> Version:
    """Returns the version of what is read at a place of absolute paths, whose rows name the pictures."""
    if place.folder:
        path = Path(place.folder)
        is_image = modality_of(signature.kind).form == "image"
        what = f"{'pictures' if is_image else 'text files'} in {path.name}"
        state: Any = _state(path, _files(path, PICTURES if is_image else (".txt",)))
    elif place.file:
        path = Path(place.file)
        what, state = f"rows of {path.name}", _state(path.parent, [path, *named])
    elif place.images:
        path = Path(place.images)
        what, state = f"arrays of {path.name}", _state(path.parent, [path, Path(place.labels)])
    elif Path(place.dataset).is_dir():
        path = Path(place.dataset)
        what, state = f"dataset {path.name}", _state(path, _files(path, ("",)))
    else:
        what, state = f"repository {place.dataset} at {place.revision}", place.revision
    left_out = ("folder", "file", "images", "labels", "dataset", *TOLD)
    reading = {key: value for key, value in asdict(place).items() if key not in left_out}
    return Version(what, content_hash([state, reading, asdict(signature), classes]))


def _files(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return [
        Path(root) / name
        for root, _, names in os.walk(path, followlinks=True)
        for name in names
        if name.lower().endswith(suffixes)
    ]


def _state(base: Path, files: list[Path]) -> list[tuple[str, int, str]]:
    """Returns (relative path, bytes, sha256, or the time of change) of the files that are there."""
    there = {os.path.relpath(file, base): file.stat() for file in files if file.is_file()}
    is_small = sum(status.st_size for status in there.values()) <= HASHED_BYTES
    return sorted(
        (name, one.st_size, known_hash(base / name) if is_small else str(one.st_mtime_ns))
        for name, one in there.items()
    )
