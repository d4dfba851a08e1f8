"""Loading: one split of a prepared domain as numpy arrays, whole or as a stratified, deterministic part."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.data.prepare import prepared_folder
from harness.data.sums import check_sums
from harness.errors import DataUnavailableError
from harness.learn.modality import modality_of
from harness.task.signature import Signature
from harness.task.split import Extent, Split
from harness.task.task import SPLITS, Domain, Task

if TYPE_CHECKING:
    from pyarrow import Int64Array, Table


@dataclass(frozen=True, kw_only=True)
class Cap:
    """How much of a domain is scored at most; None for any.

    Attributes:
        samples: images or documents.
        groups: that samples are taken of.
        bytes: of documents, each as it is cut.
        document_bytes: leading bytes of a document; what follows is cut off.
    """

    samples: int | None = None
    groups: int | None = None
    bytes: int | None = None
    document_bytes: int | None = None


class ScoredPart(NamedTuple):
    """What is scored of a domain, and how much of it there is."""

    split: Split
    of: Extent


def load_part(
    task_name: str, task: Task, domain: Domain, names: Sequence[str], folder: Path, cap: Cap
) -> ScoredPart:
    """Returns the samples of some splits of a prepared domain up to a cap, chosen by `taken`.

    Raises:
        ValueError: there is no such split.
        DataUnavailableError: the domain is not prepared, or its samples do not fit the task.
    """
    stored = _Stored(task_name, domain, names, folder)
    kept = taken(stored.blobs, stored.groups, stored.names, cap)
    cut = [stored.blobs[index][: cap.document_bytes] for index in kept.tolist()]
    return ScoredPart(stored.split(task, kept, cut), stored.split(task).extent)


def taken(
    blobs: Sequence[bytes], groups: NDArray[np.int64], names: Sequence[str], cap: Cap
) -> NDArray[np.int64]:
    """Returns sorted indices of the samples that stand for a domain under a cap.

    Groups take turns in the order of the hash of their name, and the samples of a group in the order of the
    hash of their bytes, so that every group has one sample before any has two. Where samples lie, how many
    there are and what else is read changes nothing; a smaller cap takes a part of what a larger one takes.

    Args:
        blobs: the samples.
        groups: index into `names` per sample, shape (samples,).
        names: of the groups.
        cap: how much is taken at most, and one sample at least.
    """
    turn = _rank([name.encode() for name in names])
    turns = _ordinal(groups, _rank(blobs))
    order = np.lexsort((turn[groups], turns))
    if cap.groups is not None:
        order = order[turn[groups[order]] < cap.groups]
    if cap.samples is not None:
        order = order[: cap.samples]
    if cap.bytes is not None:
        sizes = np.array([len(blobs[index][: cap.document_bytes]) for index in order.tolist()], np.int64)
        order = order[: max(1, int((np.cumsum(sizes) <= cap.bytes).sum()))]
    return np.sort(order).astype(np.int64)


def _rank(values: Sequence[bytes]) -> NDArray[np.int64]:
    """Returns the place of each value in the order of their hashes, shape (values,)."""
    digests = [hashlib.blake2b(value, digest_size=16).digest() for value in values]
    ranks = np.empty(len(digests), np.int64)
    ranks[sorted(range(len(digests)), key=digests.__getitem__)] = np.arange(len(digests))
    return ranks


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
    stored = _Stored(task_name, domain, [name], folder)
    if limit is None or limit >= len(stored.labels):
        return stored.split(task)
    return stored.split(task, spread(stored.labels, stored.groups, stored.names, limit))


class _Stored:
    """Some splits of a prepared domain, as they lie on disk; see `Split`."""

    def __init__(self, task_name: str, domain: Domain, names: Sequence[str], folder: Path) -> None:
        if unknown := [name for name in names if name not in SPLITS]:
            raise ValueError(f"There are {', '.join(SPLITS)}, not {unknown[0]!r}.")
        place = prepared_folder(task_name, domain, folder)
        if not (place / "card.json").is_file():
            raise DataUnavailableError(
                f"Domain {domain.name!r} of {task_name} is not prepared in {folder}; run `harness data "
                "prepare`."
            )
        check_sums(place)
        table = stored_table(place)
        is_wanted = np.array([one in names for one in table.column("split").to_pylist()], bool)
        self.positions = np.flatnonzero(is_wanted).astype(np.int64)
        table = table.take(_indices(self.positions))
        found, groups = np.unique(np.array(table.column("group").to_pylist(), object), return_inverse=True)
        self.table = table
        self.domain = domain.name
        self.name = "+".join(names)
        self.labels = np.array(table.column("label").to_pylist(), np.int64)
        self.names: tuple[str, ...] = tuple(map(str, found))
        self.groups = groups.astype(np.int64)

    @cached_property
    def blobs(self) -> list[bytes]:
        found: list[bytes] = self.table.column("data").to_pylist()
        return found

    def split(
        self, task: Task, kept: NDArray[np.int64] | None = None, blobs: Sequence[bytes] | None = None
    ) -> Split:
        """Returns all samples, or those that are kept, with other data where it is given."""
        if kept is None:
            kept = np.arange(len(self.labels))
        if blobs is None:
            blobs = self.table.take(_indices(kept)).column("data").to_pylist()
        labels = self.labels[kept]
        images, text, offsets = _arrays(blobs, task.signature, self.domain)
        classes = task.signature.classes
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            raise DataUnavailableError(
                f"Domain {self.domain!r} has label {labels.max()}, the task has {classes} classes."
            )
        used, groups = np.unique(self.groups[kept], return_inverse=True)
        return Split(
            domain=self.domain,
            name=self.name,
            images=images,
            text=text,
            offsets=offsets,
            labels=labels,
            groups=groups.astype(np.int64),
            group_names=tuple(self.names[group] for group in used.tolist()),
            positions=self.positions[kept],
        )


def _indices(kept: NDArray[np.int64]) -> "Int64Array":
    """Returns indices as pyarrow has them; its own ways from numpy and back import pandas."""
    import pyarrow

    data = pyarrow.py_buffer(np.ascontiguousarray(kept, np.int64))
    return pyarrow.Int64Array.from_buffers(pyarrow.int64(), len(kept), [None, data])


def stored_table(place: Path) -> "Table":
    """Returns the table that `datasets` wrote into a folder, which takes a second to import."""
    from pyarrow import concat_tables, ipc, memory_map

    names = [one["filename"] for one in json.loads((place / "state.json").read_bytes())["_data_files"]]
    return concat_tables([ipc.open_stream(memory_map(str(place / name))).read_all() for name in names])


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
    by_key = np.lexsort((order, keys))
    first = np.r_[True, np.diff(keys[by_key]) != 0][: len(keys)]
    index = np.arange(len(keys), dtype=np.int64)
    place = np.empty(len(keys), np.int64)
    place[by_key] = index - np.maximum.accumulate(np.where(first, index, 0))
    return place


def _arrays(
    blobs: Sequence[bytes], signature: Signature, domain_name: str
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
