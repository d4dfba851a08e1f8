"""Users' own domains: folders of images, JSONL, CSV and text files, and `datasets` repositories.

Each function returns a Domain at once and reads nothing until the domain is prepared, so a missing file
fails its own domain and no other. Sizes and times of files are part of the origin: changed ones are prepared
anew.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.prepare import quiet_datasets
from harness.errors import DataUnavailableError
from harness.records import content_hash
from harness.task import SPLITS, Archives, Domain, Sample, Signature

if TYPE_CHECKING:
    from PIL import Image

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
UNKNOWN_LICENCE = "not stated"


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a table hold what.

    Attributes:
        data: text, or an image of a `datasets` repository.
        label: class, a number or one of the class names; None where there is none.
        group: what must not be split; None makes every row its own group.
        split: train, validation or test; None splits by group.
    """

    data: str = "text"
    label: str | None = None
    group: str | None = None
    split: str | None = None


def image_folder(
    path: Path, name: str, signature: Signature, *, classes: Sequence[str], licence: str = UNKNOWN_LICENCE
) -> Domain:
    """Returns the domain of path/CLASS/*.png, or of path/{train,validation,test}/CLASS/*.png.

    Images are turned to the signature's channels and size. In the first form every image is its own group.

    Args:
        path: the folder.
        name: the domain's name.
        signature: of the task.
        classes: folder names, in the order of the labels.
        licence: one line.
    """
    fixed = (path / "train").is_dir()
    return Domain(
        name=name,
        origin=f"images in {path} ({_fingerprint(path)})",
        licence=licence,
        groups="image",
        read=partial(_images, path, signature, tuple(classes), fixed),
        fixed_splits=fixed,
    )


def text_folder(path: Path, name: str, *, licence: str = UNKNOWN_LICENCE) -> Domain:
    """Returns the domain of path/**/*.txt or path/{train,validation,test}/**/*.txt, one document a file."""
    fixed = (path / "train").is_dir()
    return Domain(
        name=name,
        origin=f"text files in {path} ({_fingerprint(path)})",
        licence=licence,
        groups="file",
        read=partial(_texts, path),
        fixed_splits=fixed,
    )


def jsonl(
    path: Path, name: str, *, columns: Columns | None = None, classes: Sequence[str] = (), licence: str = ""
) -> Domain:
    """Returns the domain of a file with one JSON object per line."""
    return _rows_domain(path, name, _json_rows, columns or Columns(), tuple(classes), licence)


def csv_file(
    path: Path, name: str, *, columns: Columns | None = None, classes: Sequence[str] = (), licence: str = ""
) -> Domain:
    """Returns the domain of a CSV file whose first line names the columns."""
    return _rows_domain(path, name, _csv_rows, columns or Columns(), tuple(classes), licence)


def hub_dataset(
    repository: str,
    name: str,
    signature: Signature,
    *,
    revision: str | None,
    configuration: str | None = None,
    columns: Columns | None = None,
    fixed_splits: bool = True,
    licence: str = UNKNOWN_LICENCE,
) -> Domain:
    """Returns the domain of a `datasets` repository, or of a local dataset folder.

    Args:
        repository: hub id or local folder.
        name: the domain's name.
        signature: of the task; images are turned to its channels and size.
        revision: commit or tag, required for a hub id.
        configuration: the repository's configuration; None for its default.
        columns: which columns hold what.
        fixed_splits: takes the repository's train, validation and test; False pools and splits by group.
        licence: one line.

    Raises:
        DataUnavailableError: a hub id has no revision.
    """
    folder = Path(repository)
    if not folder.is_dir() and not revision:
        raise DataUnavailableError(
            f"Hub dataset {repository!r} has no revision; pin a commit, or results cannot be repeated."
        )
    chosen = columns or Columns()
    version = _fingerprint(folder) if folder.is_dir() else f"revision {revision}"
    return Domain(
        name=name,
        origin=f"datasets {repository} {configuration or 'default'} ({version}), {chosen}",
        licence=licence,
        groups=chosen.group or "row",
        read=partial(_hub, (repository, configuration, revision), chosen, signature, fixed_splits),
        fixed_splits=fixed_splits,
    )


def image_bytes(picture: "Image.Image", signature: Signature) -> bytes:
    """Returns a picture as uint8 bytes in (channels, height, width) order, resized to the signature."""
    import numpy as np
    from PIL import Image

    modes = {1: "L", 3: "RGB"}
    if signature.channels not in modes:
        raise DataUnavailableError(f"Images have 1 or 3 channels, the task wants {signature.channels}.")
    converted = picture.convert(modes[signature.channels])
    if converted.size != (signature.width, signature.height):
        converted = converted.resize((signature.width, signature.height), Image.Resampling.BILINEAR)
    pixels = np.asarray(converted, np.uint8).reshape(signature.height, signature.width, signature.channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)).tobytes()


def _fingerprint(path: Path) -> str:
    if path.is_file():
        return content_hash([path.name, path.stat().st_size, path.stat().st_mtime_ns])
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else []
    return content_hash(
        [[str(file.relative_to(path)), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    )


def _images(
    path: Path, signature: Signature, classes: tuple[str, ...], fixed: bool, archives: Archives
) -> Iterator[Sample]:
    from PIL import Image, UnidentifiedImageError

    for split, root in _roots(path):
        for folder in sorted(child for child in root.iterdir() if child.is_dir()):
            if folder.name not in classes:
                raise DataUnavailableError(
                    f"{folder} is not a class of the task; there are {', '.join(classes)}."
                )
            for file in sorted(folder.rglob("*")):
                if file.suffix.lower() not in PICTURES:
                    continue
                try:
                    with Image.open(file) as picture:
                        data = image_bytes(picture, signature)
                except (UnidentifiedImageError, OSError) as error:
                    raise DataUnavailableError(f"{file} is not a picture that can be read.") from error
                yield Sample(data, classes.index(folder.name), split + file.relative_to(root).as_posix())


def _texts(path: Path, archives: Archives) -> Iterator[Sample]:
    for split, root in _roots(path):
        for file in sorted(root.rglob("*.txt")):
            data = file.read_bytes()
            if data:
                yield Sample(data, 0, split + file.relative_to(root).as_posix())


def _roots(path: Path) -> list[tuple[str, Path]]:
    """Returns (group prefix, folder): the three split folders where there is a train folder, or the whole."""
    if not path.is_dir():
        raise DataUnavailableError(f"There is no folder {path}; the domain is read from it.")
    if not (path / "train").is_dir():
        return [("", path)]
    for split in SPLITS:
        if not (path / split).is_dir():
            raise DataUnavailableError(f"{path} has a train folder and no {split} folder; it needs both.")
    return [(f"{split}/", path / split) for split in SPLITS]


Rows = Callable[[Path], Iterator[Mapping[str, Any]]]


def _rows_domain(
    path: Path, name: str, rows: Rows, columns: Columns, classes: tuple[str, ...], licence: str
) -> Domain:
    return Domain(
        name=name,
        origin=f"{path} ({_fingerprint(path)}), {columns}",
        licence=licence or UNKNOWN_LICENCE,
        groups=columns.group or "row",
        read=partial(_table, path, rows, columns, classes),
        fixed_splits=columns.split is not None,
    )


def _table(
    path: Path, rows: Rows, columns: Columns, classes: tuple[str, ...], archives: Archives
) -> Iterator[Sample]:
    if not path.is_file():
        raise DataUnavailableError(f"There is no file {path}; the domain is read from it.")
    yield from _samples(rows(path), columns, classes, str(path), lambda value: str(value).encode())


def _json_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataUnavailableError(f"{path}, line {number} is not JSON: {error}.") from error
            if not isinstance(row, dict):
                raise DataUnavailableError(f"{path}, line {number} is not a JSON object.")
            yield row


def _csv_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _samples(
    rows: Iterable[Mapping[str, Any]],
    columns: Columns,
    classes: tuple[str, ...],
    origin: str,
    encode: Callable[[Any], bytes],
) -> Iterator[Sample]:
    named = (columns.data, columns.label, columns.group, columns.split)
    wanted = [name for name in named if name is not None]
    for number, row in enumerate(rows, start=1):
        missing = [name for name in wanted if row.get(name) is None]
        if missing:
            raise DataUnavailableError(
                f"{origin}, row {number} has no {' and no '.join(missing)}; "
                f"its columns are {', '.join(map(str, row))}."
            )
        group = str(row[columns.group]) if columns.group else f"{number:08}"
        if columns.split:
            group = f"{row[columns.split]}/{group}"
        label = 0 if columns.label is None else _label(row[columns.label], classes, f"{origin}, row {number}")
        yield Sample(encode(row[columns.data]), label, group)


def _label(value: Any, classes: tuple[str, ...], place: str) -> int:
    if str(value) in classes:
        return classes.index(str(value))
    if not classes and str(value).isdecimal():
        return int(value)
    there = ", ".join(classes) or "whole numbers from 0"
    raise DataUnavailableError(f"{place} has label {value!r}; the task has {there}.")


def _hub(
    address: tuple[str, str | None, str | None],
    columns: Columns,
    signature: Signature,
    fixed: bool,
    archives: Archives,
) -> Iterator[Sample]:
    repository = address[0]
    tables = _load(*address)
    if fixed and any(split not in tables for split in SPLITS):
        raise DataUnavailableError(
            f"Dataset {repository!r} has the splits {', '.join(tables)}; with fixed_splits it needs "
            f"{', '.join(SPLITS)}."
        )

    def encode(value: Any) -> bytes:
        if isinstance(value, str):
            return value.encode()
        return value if isinstance(value, bytes) else image_bytes(value, signature)

    for split in SPLITS if fixed else tuple(tables):
        separator = "/" if fixed else ":"
        for data, label, group in _samples(tables[split], columns, (), f"{repository} {split}", encode):
            yield Sample(data, label, group if columns.group and not fixed else f"{split}{separator}{group}")


def _load(repository: str, configuration: str | None, revision: str | None) -> Mapping[str, Any]:
    """Returns split -> rows."""
    folder = Path(repository)
    with quiet_datasets() as datasets:
        try:
            if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
                loaded = datasets.load_from_disk(repository)
            else:
                loaded = datasets.load_dataset(repository, configuration, revision=revision)
        except Exception as error:
            # The package raises dozens of types of its own, of its file systems and of its builders.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataUnavailableError(f"Dataset {repository!r} cannot be loaded: {reason}") from error
    return loaded if isinstance(loaded, Mapping) else {"all": loaded}
