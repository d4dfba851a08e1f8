"""Loading: one split of a prepared domain as numpy arrays, whole or as a stratified, deterministic part."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.prepare import prepared_folder, quiet_datasets
from harness.data.sums import check_sums
from harness.errors import DataUnavailableError
from harness.learn.modality import modality_of
from harness.task.signature import Signature
from harness.task.split import Split
from harness.task.task import SPLITS, Domain, Task


def load_split(
    task_name: str, task: Task, domain: Domain, name: str, folder: Path, *, limit: int | None = None
) -> Split:
    """Returns the split `name` of a prepared domain.

    Args:
        limit: at most this many samples, spread evenly over labels and, inside a label, over groups.

    Raises:
        ValueError: there is no such split.
        DataUnavailableError: the domain is not prepared, or its samples do not fit the task.
    """
    if name not in SPLITS:
        raise ValueError(f"There are {', '.join(SPLITS)}, not {name!r}.")
    place = prepared_folder(task_name, domain, folder)
    if not (place / "card.json").is_file():
        raise DataUnavailableError(
            f"Domain {domain.name!r} of {task_name} is not prepared in {folder}; run `harness data prepare`."
        )
    check_sums(place)
    with quiet_datasets() as datasets:
        table = datasets.load_from_disk(str(place)).data.table
    import pyarrow.compute

    positions = np.flatnonzero(np.array(table.column("split").to_pylist(), dtype=object) == name)
    table = table.filter(pyarrow.compute.equal(table.column("split"), name))
    labels = table.column("label").to_numpy().astype(np.int64)
    names, groups = np.unique(np.array(table.column("group").to_pylist(), dtype=object), return_inverse=True)
    if limit is not None and limit < len(labels):
        kept = spread(labels, groups, tuple(names), limit)
        table, labels, positions = table.take(kept), labels[kept], positions[kept]
        used, groups = np.unique(groups[kept], return_inverse=True)
        names = names[used]
    blobs: list[bytes] = table.column("data").to_pylist()
    images, text, offsets = _arrays(blobs, task.signature, domain.name)
    if labels.size and not 0 <= labels.min() <= labels.max() < task.signature.classes:
        raise DataUnavailableError(
            f"Domain {domain.name!r} has label {labels.max()}, the task has {task.signature.classes} classes."
        )
    return Split(
        domain=domain.name,
        name=name,
        images=images,
        text=text,
        offsets=offsets,
        labels=labels,
        groups=groups.astype(np.int64),
        group_names=tuple(str(group) for group in names),
        positions=positions,
    )


def spread(
    labels: NDArray[np.int64], groups: NDArray[Any], names: tuple[str, ...], limit: int
) -> NDArray[np.int64]:
    """Returns sorted indices of at most `limit` samples, labels and then groups taken in turns.

    Nothing is drawn: samples are stored in the order of their hash, and groups take turns in the order of
    the hash of their name.

    Args:
        labels: class per sample, shape (samples,).
        groups: index into `names` per sample, shape (samples,).
    """
    hashes = [hashlib.sha256(str(name).encode()).digest() for name in names]
    turn = np.empty(len(names), np.int64)
    turn[sorted(range(len(names)), key=hashes.__getitem__)] = np.arange(len(names))
    in_group = _ordinal(labels * len(names) + groups, np.arange(len(labels)))
    order = np.lexsort((turn[groups], in_group))
    in_label = _ordinal(labels, np.argsort(order))
    return np.sort(np.lexsort((labels, in_label))[:limit]).astype(np.int64)


def _ordinal(keys: NDArray[Any], order: NDArray[Any]) -> NDArray[np.int64]:
    """Returns, per element, how many elements with the same key come before it in `order`."""
    import pandas as pd

    place = pd.Series(order).groupby(keys).rank(method="first")
    return place.to_numpy().astype(np.int64) - 1


def _arrays(
    blobs: list[bytes], signature: Signature, domain_name: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
    joined = np.frombuffer(b"".join(blobs), np.uint8)
    lengths = np.array([len(blob) for blob in blobs], np.int64)
    if modality_of(signature.kind).form != "image":
        return np.zeros((0, 0, 0, 0), np.uint8), joined, np.r_[0, np.cumsum(lengths)].astype(np.int64)
    shape = (signature.channels, signature.height, signature.width)
    wanted = int(np.prod(shape))
    if (lengths != wanted).any():
        found = int(lengths[lengths != wanted][0])
        raise DataUnavailableError(
            f"Domain {domain_name!r} has an image of {found} bytes, the task wants {wanted} for {shape}."
        )
    return joined.reshape(-1, *shape), np.zeros(0, np.uint8), np.zeros(1, np.int64)
