"""Users' own domains: folders of pictures or texts, JSONL, CSV, numpy arrays and `datasets` repositories.

A domain is made at once and nothing of it is read until it is prepared, so a missing file fails its own
domain and no other. What would be read has a version, so that changed files are prepared anew.

Splits are those that folders, a column or the repository name. Where there is no validation, 15 % of the
groups of train become it; where there is no test, validation is the test; where there is but one split, or
none, the groups are split as everywhere, by the hash of their name.
"""

import struct
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.data.foreign.arrays import mapped_array
from harness.data.own.place import PICTURES, OwnPlace, version_of
from harness.data.own.rows import (
    SPLIT_NAMES,
    Label,
    OwnRow,
    cell,
    dataset_rows,
    file_rows,
    optional_cell,
    question_of,
    split_cell,
)
from harness.data.prepare import split_groups
from harness.data.text.questions import choice_sample, variants
from harness.errors import DataUnavailableError, WrongDataError
from harness.learn.modality import modality_of
from harness.task.signature import Signature
from harness.task.task import SPLITS, Archives, Domain, Sample

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
"""What is read whatever a file is called; others, such as EPS, run programs."""
UNREADABLE = (
    *(OSError, ValueError, SyntaxError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(MemoryError, RuntimeError, EOFError, struct.error),
)
"""What Pillow raises for a damaged picture, besides what it raises for too large a one."""
SHOWN = 8
"""Classes that an error names before it only counts them."""


def user_domain(place: OwnPlace, name: str, signature: Signature, classes: tuple[str, ...] = ()) -> Domain:
    """Returns the domain of a place whose folders and files are absolute paths.

    Args:
        signature: of the task; pictures are turned to its channels and size.
        classes: names of the classes, in the order of the labels.
    """
    version = version_of(place, signature, classes, _named_pictures(place, signature))
    remote = place.dataset if place.dataset and not Path(place.dataset).is_dir() else ""
    made = f"{place.origin}: " if place.origin else ""
    group = place.columns.group or "row"
    return Domain(
        name=name,
        origin=f"{made}{version.what}, version {version.digits}",
        licence=place.licence,
        stratum=place.stratum,
        family=place.family,
        sealed=place.sealed,
        groups="file" if place.folder else "picture" if place.images else group,
        read=partial(_read, place, name, signature, classes),
        fixed_splits=True,
        version=version.digits,
        repository=remote,
    )


def class_folders(path: Path) -> list[str]:
    """Returns the names of the folders of classes in a folder of pictures, sorted."""
    return sorted({child.name for _, root in _roots(path) for child in _folders(root)})


def domain_rows(place: OwnPlace, name: str) -> Iterator[OwnRow]:
    """Yields the rows of a domain."""
    if place.file:
        rows = file_rows(Path(place.file))
    else:
        rows = dataset_rows(place.dataset, place.configuration or None, place.revision or None)
    column = place.columns.domain
    wanted = place.value or name
    seen: Counter[str] = Counter()
    for row in rows:
        found = str(cell(row, column)) if column else wanted
        seen[found] += 1
        if found == wanted:
            yield row
    if not seen[wanted]:
        there = ", ".join(f"{one!r}" for one, _ in seen.most_common(SHOWN)) or "nothing"
        raise WrongDataError(
            f"{place.file or place.dataset} has no row with {wanted!r} as its {column or 'domain'}; there is "
            f"{there}."
        )


def image_bytes(picture: "Image.Image", signature: Signature) -> bytes:
    """Returns a picture as uint8 bytes in (channels, height, width) order, resized to the signature."""
    from PIL import Image

    modes = {1: "L", 3: "RGB"}
    if signature.channels not in modes:
        raise DataUnavailableError(f"Images have 1 or 3 channels, the task wants {signature.channels}.")
    converted = picture.convert(modes[signature.channels])
    if converted.size != (signature.width, signature.height):
        converted = converted.resize((signature.width, signature.height), Image.Resampling.BILINEAR)
    pixels = np.asarray(converted, np.uint8).reshape(signature.height, signature.width, signature.channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)).tobytes()


class _Item(NamedTuple):
    """A sample and the split that it was given; empty for none."""

    split: str
    sample: Sample


def _read(
    place: OwnPlace, name: str, signature: Signature, classes: tuple[str, ...], archives: Archives
) -> Iterator[Sample]:
    form = modality_of(signature.kind).form
    numbers = {name: number for number, name in enumerate(classes)}
    if place.folder:
        pictures = _pictures(Path(place.folder), signature, numbers)
        items = list(pictures if form == "image" else _texts(Path(place.folder)))
    elif place.images:
        items = list(_arrays(place, signature, numbers))
    elif form == "question":
        items = _questions(place, name, signature)
    else:
        items = list(_documents(place, name, signature, numbers))
    splits = _mostly_test(items) if place.is_test else _splits(items)
    for item in items:
        split = splits[item.split, item.sample.group]
        yield item.sample._replace(group=f"{split}/{item.sample.group}")


def _splits(items: list[_Item]) -> dict[tuple[str, str], str]:
    sizes = Counter((item.split, item.sample.group) for item in items)
    given = {split for split, _ in sizes}
    if given >= set(SPLITS):
        return {key: key[0] for key in sizes}
    if "train" in given and len(given) == 2:
        # The other one, whatever it is called, is what others report on; to select, train gives a part.
        held_back = split_groups({group: size for (split, group), size in sizes.items() if split == "train"})
        kept = {group: split if split == "validation" else "train" for group, split in held_back.items()}
        return {(split, group): kept[group] if split == "train" else "test" for split, group in sizes}
    whole: Counter[str] = Counter()
    for (_, group), size in sizes.items():
        whole[group] += size
    chosen = split_groups(whole)
    return {(split, group): chosen[group] for split, group in sizes}


def _mostly_test(items: list[_Item]) -> dict[tuple[str, str], str]:
    groups: Counter[int] = Counter()
    chosen: dict[tuple[str, str], str] = {}
    for item in items:
        key = (item.split, item.sample.group)
        if key not in chosen:
            chosen[key] = (*SPLITS[:2], "test")[min(groups[item.sample.label], 2)]
            groups[item.sample.label] += 1
    return chosen


def _pictures(path: Path, signature: Signature, numbers: Mapping[str, int]) -> Iterator[_Item]:
    for split, root in _roots(path):
        for folder in _folders(root):
            label = _label(folder.name, numbers, str(folder))
            for file in sorted(folder.rglob("*")):
                if file.suffix.lower() in PICTURES:
                    group = file.relative_to(root).as_posix()
                    yield _Item(split, Sample(_opened(file, signature), label, group))


def _texts(path: Path) -> Iterator[_Item]:
    for split, root in _roots(path):
        for file in sorted(root.rglob("*.txt")):
            data = file.read_bytes()
            if data:
                yield _Item(split, Sample(data, 0, file.relative_to(root).as_posix()))


def _arrays(place: OwnPlace, signature: Signature, numbers: Mapping[str, int]) -> Iterator[_Item]:
    from PIL import Image

    loaded = []
    for file in (place.images, place.labels):
        if not Path(file).is_file():
            raise DataUnavailableError(f"There is no file {file}; the domain is read from it.")
        loaded.append(mapped_array(Path(file)))
    images, labels = loaded
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or labels.shape != images.shape[:1]:
        raise WrongDataError(
            f"{place.images} holds {images.dtype} of shape {images.shape} and its labels have shape "
            f"{labels.shape}; give uint8 pictures, (n, height, width) or with channels last, and n labels."
        )
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        number = _label(int(label), numbers, f"{place.labels}, row {row}")
        data = image_bytes(Image.fromarray(image.squeeze()), signature)
        yield _Item("", Sample(data, number, f"{row % place.period if place.period else row:08}"))


def _documents(
    place: OwnPlace, name: str, signature: Signature, numbers: Mapping[str, int]
) -> Iterator[_Item]:
    columns = place.columns
    modality = modality_of(signature.kind)
    for number, row in enumerate(domain_rows(place, name), start=1):
        if not modality.names_classes and row.values.get(columns.text) == "":
            continue  # corpora of lines are full of empty ones
        label = 0
        if modality.names_classes:
            label = _label(cell(row, columns.label), numbers, f"{row.place}, column {columns.label}")
        if modality.form == "image":
            data = _picture(cell(row, columns.image), row, place, signature)
        else:
            data = str(cell(row, columns.text)).encode()
        group = optional_cell(row, columns.group, "group") or f"{number:08}"
        yield _Item(split_cell(row, columns.split), Sample(data, label, group))


def _questions(place: OwnPlace, name: str, signature: Signature) -> list[_Item]:
    """Returns the questions; variants of one are a group where the rows name none."""
    columns = place.columns
    asked = []
    for row in domain_rows(place, name):
        question = question_of(row, columns)
        if len(question.choices) > signature.classes:
            raise WrongDataError(
                f"{row.place} has {len(question.choices)} answers, the task at most {signature.classes}."
            )
        asked.append((split_cell(row, columns.split), optional_cell(row, columns.group, "group"), question))
    alike = variants([question for _, _, question in asked])
    return [
        _Item(split, choice_sample(question, group or first))
        for (split, group, question), first in zip(asked, alike, strict=True)
    ]


def _picture(value: Any, row: OwnRow, place: OwnPlace, signature: Signature) -> bytes:
    if isinstance(value, str):
        return _opened(Path(place.file).parent / value, signature)
    stored = value if isinstance(value, Mapping) else {}
    if isinstance(stored.get("bytes"), bytes):
        where = f"The picture of {row.place}, column {place.columns.image},"
        return _opened(BytesIO(stored["bytes"]), signature, where)
    if isinstance(stored.get("path"), str):
        return _opened(Path(stored["path"]), signature)
    raise WrongDataError(
        f"{row.place}, column {place.columns.image} is {type(value).__name__}; give a picture or a file."
    )


def _named_pictures(place: OwnPlace, signature: Signature) -> list[Path]:
    """Returns the pictures that the rows of a file name; what is wrong is told when they are read."""
    if not place.file or modality_of(signature.kind).form != "image":
        return []
    folder, column = Path(place.file).parent, place.columns.image
    try:
        return [folder / str(cell(row, column)) for row in file_rows(Path(place.file))]
    except DataUnavailableError:
        return []


def _opened(file: Path | BytesIO, signature: Signature, where: str = "") -> bytes:
    from PIL import Image

    broken = (*UNREADABLE, Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of metadata that is not read
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as picture:
                return image_bytes(picture, signature)
    except FileNotFoundError as error:
        raise WrongDataError(f"There is no picture {file}.") from error
    except broken as error:
        raise WrongDataError(f"{where or file} is not a picture that can be read.") from error


def _label(value: Any, numbers: Mapping[str, int], place: str) -> int:
    """Returns the class of a name; of a number too where no name is one."""
    text = str(value)
    if text in numbers:
        return numbers[text]
    plain = str(value.number) if isinstance(value, Label) else text
    if plain.isdecimal() and int(plain) < len(numbers) and not any(name.isdecimal() for name in numbers):
        return int(plain)
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    raise WrongDataError(
        f"{place}: {text!r} is not a class of the task; there are {', '.join([*numbers][:SHOWN])}{more}."
    )


def _roots(path: Path) -> list[tuple[str, Path]]:
    """Returns (split, folder): the folders of splits where one is called train, or the whole."""
    if not path.is_dir():
        raise DataUnavailableError(f"There is no folder {path}; the domain is read from it.")
    if not (path / "train").is_dir():
        return [("", path)]
    named = [(SPLIT_NAMES[child.name], child) for child in _folders(path) if child.name in SPLIT_NAMES]
    return sorted(named, key=lambda pair: SPLITS.index(pair[0]))


def _folders(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
