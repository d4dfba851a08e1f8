"""ImageNet (ILSVRC 2012) from the user's own copy, for the recipes of papers; nothing is fetched.

`HARNESS_IMAGENET` names the copy: a folder with train/CLASS/* and val/CLASS/*, a folder that `datasets`
saved, or `owner/name@revision` of a `datasets` repository; the latter two have splits train and validation
with the columns image and label. Preparation holds all images in memory and in the cache, 193 GB of them.

The source domain is the official training set, of which every class gives one image in 128, about 10,000 in
all, to validation and as many to test. The held-out domain is the official validation set, which no search
and no training sees. As every domain has three splits, each of its classes gives one image to the other two,
and 48 of 50 are scored. The shorter side is resized to 256 pixels and the centre of 224 is kept, for training
too.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness import Archives, Domain, Sample, Signature, Task
from harness.data.own.domain import FORMATS, image_bytes
from harness.data.own.place import PICTURES
from harness.data.prepare import quiet_datasets
from harness.errors import DataUnavailableError
from harness.files import content_hash

if TYPE_CHECKING:
    from PIL import Image

SIGNATURE = Signature(kind="image", classes=1000, channels=3, height=224, width=224)
RESIZED = 256
KEPT = 128
"""Training images of a class per image that validation and test get each."""
WHERE = os.environ.get("HARNESS_IMAGENET", "")
MISSING = "HARNESS_IMAGENET must name a folder with train and val, or owner/name@revision of `datasets`"


class Entry(NamedTuple):
    """One image that was not opened yet; `key` is unique in its set."""

    label: int
    key: str
    open: "Callable[[], Image.Image]"


def _read(official: str, archives: Archives) -> Iterator[Sample]:
    """Yields the samples of the official `train` or `val` set, with the split in front of the group."""
    is_saved = (Path(WHERE) / "dataset_dict.json").is_file()
    is_folder = (Path(WHERE) / "train").is_dir() and not is_saved
    entries = list(_folder(Path(WHERE), official) if is_folder else _rows(official, is_saved=is_saved))
    wrong = {entry.label for entry in entries if not 0 <= entry.label < SIGNATURE.classes}
    if wrong:
        raise DataUnavailableError(f"{WHERE} has label {min(wrong)} in {official}; there are 0 to 999.")
    classes: dict[int, list[Entry]] = {}
    for entry in entries:
        classes.setdefault(entry.label, []).append(entry)
    for members in classes.values():
        members.sort(key=lambda entry: hashlib.sha256(entry.key.encode()).digest())
        few = max(1, len(members) // KEPT) if official == "train" else 1
        large, other = ("train", "test") if official == "train" else ("test", "train")
        for place, entry in enumerate(members):
            split = "validation" if place < few else other if place < 2 * few else large
            yield Sample(_pixels(entry), entry.label, f"{split}/{entry.key}")


def _folder(root: Path, official: str) -> Iterator[Entry]:
    from PIL import Image

    names = sorted(folder.name for folder in (root / "train").iterdir() if folder.is_dir())
    if not (root / official).is_dir():
        raise DataUnavailableError(f"{root} has no folder {official}; {MISSING}.")
    for folder in sorted(child for child in (root / official).iterdir() if child.is_dir()):
        if folder.name not in names:
            raise DataUnavailableError(f"{folder} is a class without training images.")
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() in PICTURES:
                key = file.relative_to(root / official).as_posix()
                yield Entry(names.index(folder.name), key, partial(Image.open, file, formats=FORMATS))


def _rows(official: str, *, is_saved: bool) -> Iterator[Entry]:
    split = {"train": "train", "val": "validation"}[official]
    repository, _, revision = WHERE.partition("@")
    if not is_saved and not revision:
        raise DataUnavailableError(f"{MISSING}, and is {WHERE!r}.")
    with quiet_datasets() as datasets:
        try:
            if is_saved:
                rows = datasets.load_from_disk(WHERE)[split]
            else:
                rows = datasets.load_dataset(repository, split=split, revision=revision)
            labels = list(rows["label"])
        except Exception as error:
            # The package raises dozens of types of its own, of its file systems and of its builders.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataUnavailableError(f"{WHERE} cannot be loaded: {reason}") from error
    for place, label in enumerate(labels):
        yield Entry(label, f"{place:08}", partial(lambda rows, place: rows[place]["image"], rows, place))


def _pixels(entry: Entry) -> bytes:
    from PIL import Image, UnidentifiedImageError

    try:
        with entry.open() as picture:
            scale = RESIZED / min(picture.size)
            size = [max(RESIZED, round(side * scale)) for side in picture.size]
            resized = picture.convert("RGB").resize((size[0], size[1]), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError) as error:
        raise DataUnavailableError(f"{WHERE}: {entry.key} is not a picture that can be read.") from error
    left, top = ((side - SIGNATURE.width) // 2 for side in size)
    return image_bytes(resized.crop((left, top, left + SIGNATURE.width, top + SIGNATURE.height)), SIGNATURE)


def _origin(official: str) -> str:
    """Returns where the images come from; folders are told apart by the times of their class folders."""
    if not WHERE:
        return f"nowhere yet: {MISSING}"
    root = Path(WHERE) / official
    folders = sorted(child for child in root.iterdir() if child.is_dir()) if root.is_dir() else []
    times = content_hash([[folder.name, folder.stat().st_mtime_ns] for folder in folders])
    named = Path(WHERE).name if Path(WHERE).is_dir() else WHERE
    return f"the official {official} set of {named}" + (f" ({times})" if folders else "")


def _class_names() -> tuple[str, ...]:
    """Returns the names of the class folders where there are any, and numbers for the rest."""
    root = Path(WHERE) / "train" if WHERE else Path("nowhere")
    names = sorted(child.name for child in root.iterdir() if child.is_dir()) if root.is_dir() else []
    return (*names, *(f"class {number}" for number in range(len(names), SIGNATURE.classes)))


def _domain(name: str, official: str) -> Domain:
    return Domain(
        name=name,
        origin=_origin(official),
        licence="the terms of access of ImageNet: for research, not to be passed on",
        groups="image",
        read=partial(_read, official),
        fixed_splits=True,
        repository="" if Path(WHERE).is_dir() else WHERE,
    )


TASK = Task(
    summary="ImageNet (ILSVRC 2012), 1,000 classes at 224 pixels, from the user's own copy.",
    signature=SIGNATURE,
    metric="accuracy",
    chance=0.001,
    domains=(_domain("imagenet", "train"), _domain("imagenet_val", "val")),
    sources=("imagenet",),
    held_out=("imagenet_val",),
    class_names=_class_names(),
    awaits="" if WHERE else MISSING,
)
