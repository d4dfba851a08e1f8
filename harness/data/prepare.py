"""Preparation: a domain's samples read once, freed of duplicates, split by group and stored as a table."""

import hashlib
import os
import platform
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.data.fetch import archive_path, fetch
from harness.data.parts import part_folder
from harness.data.sums import check_sums, has_sums, write_sums
from harness.errors import DataUnavailableError, HarnessError
from harness.files import canonical_json, content_hash, read_sealed, sealed
from harness.guard.paths import path_part
from harness.identity.content import reader_of
from harness.task.task import SPLITS, Archives, Domain, Sample

TEST_SHARE = 0.25
VALIDATION_SHARE = 0.15


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The card of a prepared domain, stored as card.json beside its table.

    Attributes:
        task: task name.
        domain: domain name.
        sha256: hash of every row (split, label, group, data) in stored order.
        samples: split -> samples.
        groups: split -> distinct groups.
        classes: label, as text -> samples.
        bytes: bytes of all data.
        duplicates: exact duplicates that were dropped; the first one read stays.
        versions: renderer and interpreter that the data may depend on.
    """

    task: str
    domain: str
    sha256: str
    samples: Mapping[str, int]
    groups: Mapping[str, int]
    classes: Mapping[str, int]
    bytes: int
    duplicates: int
    versions: Mapping[str, str]


def prepared_folder(task_name: str, domain: Domain, folder: Path) -> Path:
    """Returns where the prepared domain lies; its name holds a hash of all that defines the preparation."""
    key = content_hash(
        {
            "archives": sorted(archive.sha256 for archive in domain.archives),
            "fixed_splits": domain.fixed_splits,
            "origin": domain.origin,
            "reader": reader_of(task_name, tuple(_files_of(domain.read))),
            "version": domain.version,
        }
    )
    return folder / "prepared" / path_part("task", task_name) / f"{path_part('domain', domain.name)}-{key}"


def _files_of(read: Any) -> Iterator[Path]:
    """Yields the file that a reader stands in, and those of the functions and readers that it was given."""
    code = getattr(getattr(read, "func", read), "__code__", None)
    file = Path(code.co_filename) if code else None
    if file and file.is_file():
        yield file
    for one in getattr(read, "args", ()):
        yield from _files_of(one.read if isinstance(one, Domain) else one)


def read_card(task_name: str, domain: Domain, folder: Path) -> Prepared | None:
    """Returns the card of a finished preparation, or None when there is none."""
    path = prepared_folder(task_name, domain, folder) / "card.json"
    try:
        values = read_sealed(path, "delete its folder and prepare it again")
        return Prepared(**{field.name: values[field.name] for field in fields(Prepared)})
    except FileNotFoundError:
        return None
    except HarnessError as error:
        raise DataUnavailableError(str(error)) from error
    except (KeyError, TypeError) as error:
        raise DataUnavailableError(f"{path} is no card; delete its folder and prepare it again.") from error


def intact_card(task_name: str, domain: Domain, folder: Path) -> Prepared | None:
    """Returns the card of a preparation whose every file is as it was written, or None."""
    try:
        card = read_card(task_name, domain, folder)
        if card is not None:
            check_sums(prepared_folder(task_name, domain, folder))
    except DataUnavailableError:
        return None
    is_its_own = card is not None and (card.task, card.domain) == (task_name, domain.name)
    return card if is_its_own else None


def waits_for(task_name: str, domain: Domain, folder: Path) -> str:
    """Returns what the user must do before a domain can be read; empty for nothing.

    A repository of a hub is fetched when its task is named, and not with all others.
    """
    if domain.awaits or not domain.repository or read_card(task_name, domain, folder) is not None:
        return domain.awaits
    return f"`harness data prepare {task_name}` fetches {domain.repository}"


def prepare_domain(task_name: str, domain: Domain, folder: Path, *, offline: bool) -> Prepared:
    """Returns the card of the prepared domain, preparing it when that was not done yet.

    Raises:
        DataUnavailableError: an archive, file or sample is missing or not what the domain says.
    """
    done = intact_card(task_name, domain, folder)
    if done is not None:
        return done
    if domain.repository and offline:
        raise DataUnavailableError(
            f"Domain {domain.name!r} of {task_name} is not prepared and --offline forbids fetching "
            f"{domain.repository}; run `harness data prepare {task_name}` without --offline first."
        )
    archives = {archive.name: fetch(archive, folder, offline=offline) for archive in domain.archives}
    rows, duplicates = split_rows(domain, archives)
    with blamed(domain.name):
        card = _card(task_name, domain.name, rows, duplicates)
        _store(rows, card, prepared_folder(task_name, domain, folder))
    return card


@contextmanager
def blamed(name: str) -> Iterator[None]:
    """Makes whatever a domain's own code raises inside the failure of that domain."""
    try:
        yield
    except (HarnessError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a reader may also raise SystemExit
        raise DataUnavailableError(
            f"Domain {name!r} cannot be read: {type(error).__name__}: {error}."
        ) from error


def verify_domain(task_name: str, domain: Domain, folder: Path) -> Prepared:
    """Returns the card of a prepared domain after hashing its files, its stored arrays and its packages anew.

    A package that is no longer in the cache is not missed: what was read from it is there.

    Raises:
        DataUnavailableError: it is not prepared, was changed, or is not what the task's card pins.
    """
    place = prepared_folder(task_name, domain, folder)
    if not (place / "card.json").is_file():
        raise DataUnavailableError(
            f"Domain {domain.name!r} of {task_name} is not prepared in {folder}; run `harness data prepare`."
        )
    for archive in domain.archives:
        if archive_path(archive, folder).is_file():
            fetch(archive, folder, offline=True)
    check_sums(place)
    card = read_card(task_name, domain, folder)
    assert card is not None
    actual = _hash(stored_rows(place))
    recorded = domain.sha256 or card.sha256
    if actual != recorded:
        raise DataUnavailableError(
            f"Domain {domain.name!r} of {task_name} has sha256 {actual}, the task pins {recorded}; "
            "its results do not compare with recorded ones."
        )
    return card


def split_groups(sizes: Mapping[str, int]) -> dict[str, str]:
    """Returns group -> split: groups in the order of the hash of their name fill test, then validation.

    A group goes to the first split that it does not overfill (test 25 %, validation 15 % of the samples),
    otherwise to train. With three groups or more every split gets one.
    """
    total = sum(sizes.values())
    room = {"test": TEST_SHARE * total, "validation": VALIDATION_SHARE * total}
    ordered = sorted(sizes, key=lambda name: hashlib.sha256(name.encode()).digest())
    chosen: dict[str, str] = {}
    for name in ordered:
        split = next((split for split, left in room.items() if sizes[name] <= left), "train")
        if split in room:
            room[split] -= sizes[name]
        chosen[name] = split
    for split in ("test", "validation", "train"):
        members = Counter(chosen.values())
        if members[split] == 0 and len(sizes) >= len(SPLITS):
            giver = members.most_common(1)[0][0]
            smallest = min((name for name in ordered if chosen[name] == giver), key=lambda name: sizes[name])
            chosen[smallest] = split
    return chosen


Row = tuple[str, Sample]


def stored_rows(place: Path) -> Iterator[Row]:
    """Yields (split, sample) of the table in the folder `place`, in stored order."""
    with quiet_datasets() as datasets:
        table = datasets.load_from_disk(str(place)).data
    columns = [table.column(name).to_pylist() for name in ("data", "label", "group", "split")]
    for data, label, group, split in zip(*columns, strict=True):
        yield split, Sample(data, label, group)


@contextmanager
def quiet_datasets() -> Iterator[Any]:
    """Yields the `datasets` package with its progress bars off; they are as they were afterwards."""
    import datasets

    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield datasets
    finally:
        if shown:
            datasets.enable_progress_bars()


def split_rows(domain: Domain, archives: Archives) -> tuple[list[Row], int]:
    """Returns (split, sample) of all samples in stored order, and how many exact duplicates were dropped.

    Raises:
        DataUnavailableError: an archive, file or sample is missing or not what the domain says.
    """
    try:
        with blamed(domain.name):
            return _split_rows(domain, archives)
    except DataUnavailableError:
        raise
    except HarnessError as error:
        raise DataUnavailableError(f"Domain {domain.name!r} cannot be read: {error}") from error


def _split_rows(domain: Domain, archives: Archives) -> tuple[list[Row], int]:
    kept: dict[bytes, Sample] = {}
    read = 0
    for sample in domain.read(archives):
        read += 1
        kept.setdefault(hashlib.sha256(sample.data).digest(), sample)
    if not kept:
        raise DataUnavailableError(f"Domain {domain.name!r} has no samples; its origin is {domain.origin}.")
    splits = (
        _fixed(kept.values())
        if domain.fixed_splits
        else split_groups(Counter(sample.group for sample in kept.values()))
    )
    order = {name: index for index, name in enumerate(SPLITS)}
    rows = sorted(
        ((order[splits[sample.group]], digest, sample) for digest, sample in kept.items()),
        key=lambda row: row[:2],
    )
    present = {index for index, _, _ in rows}
    missing = [name for name, index in order.items() if index not in present]
    if missing:
        raise DataUnavailableError(
            f"Domain {domain.name!r} has nothing for {' and '.join(missing)}: {len(splits)} "
            f"groups ({domain.groups}) after dropping duplicates; give every split its own."
        )
    return [(SPLITS[index], sample) for index, _, sample in rows], read - len(kept)


def _fixed(samples: Iterable[Sample]) -> dict[str, str]:
    chosen = {sample.group: sample.group.partition("/")[0] for sample in samples}
    for group, split in chosen.items():
        if split not in SPLITS:
            raise DataUnavailableError(
                f"Group {group!r} of a domain with fixed splits does not start with {', '.join(SPLITS)}."
            )
    return chosen


def _card(task_name: str, domain_name: str, rows: Sequence[Row], duplicates: int) -> Prepared:
    from PIL import __version__ as pillow
    from PIL import features

    return Prepared(
        task=task_name,
        domain=domain_name,
        sha256=_hash(rows),
        samples={name: sum(split == name for split, _ in rows) for name in SPLITS},
        groups={name: len({sample.group for split, sample in rows if split == name}) for name in SPLITS},
        classes={
            str(label): count for label, count in sorted(Counter(sample.label for _, sample in rows).items())
        },
        bytes=sum(len(sample.data) for _, sample in rows),
        duplicates=duplicates,
        versions={
            "freetype": str(features.version("freetype2")),
            "pillow": pillow,
            "python": platform.python_version(),
            "resvg": _version("resvg-py"),
        },
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _hash(rows: Iterable[Row]) -> str:
    digest = hashlib.sha256()
    for split, (data, label, group) in rows:
        digest.update(canonical_json([split, label, group, len(data)]).encode())
        digest.update(data)
    return digest.hexdigest()


def _store(rows: Sequence[Row], card: Prepared, place: Path) -> None:
    try:
        with part_folder(place) as temporary:
            _write(rows, card, temporary)
            if place.is_dir() and not has_sums(place):
                shutil.rmtree(place, ignore_errors=True)
            os.replace(temporary, place)
    except HarnessError:
        # Another process may have finished the same preparation first: its bytes are the same.
        if not has_sums(place):
            raise


def _write(rows: Sequence[Row], card: Prepared, folder: Path) -> None:
    with quiet_datasets() as datasets:
        kinds = {"data": "binary", "label": "int64", "group": "string", "split": "string"}
        features = datasets.Features({name: datasets.Value(kind) for name, kind in kinds.items()})
        columns = {
            "data": [sample.data for _, sample in rows],
            "label": [sample.label for _, sample in rows],
            "group": [sample.group for _, sample in rows],
            "split": [split for split, _ in rows],
        }
        datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(folder), num_shards=1)
    (folder / "card.json").write_text(sealed(asdict(card)))
    write_sums(folder)
