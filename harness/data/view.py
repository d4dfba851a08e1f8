"""What may be seen when: a source view has no held-out member, and only scoring opens a held-out domain."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from harness.data.corruptions import domain_of
from harness.data.load import Cap, ScoredPart, load_part, load_split
from harness.data.prepare import read_card
from harness.errors import DataUnavailableError
from harness.task.split import Split
from harness.task.task import Task


@dataclass(frozen=True, kw_only=True)
class DataPlace:
    """Where prepared data lies.

    Attributes:
        folder: the cache.
        offline: forbids fetching.
        limit: at most this many samples of each split, stratified; None for all.
    """

    folder: Path
    offline: bool = False
    limit: int | None = None


class SourceView:
    """All that search, training and model selection may see of a task: its sources' first two splits."""

    def __init__(self, task_name: str, task: Task, sources: tuple[str, ...], place: DataPlace) -> None:
        self.signature = task.signature
        self.metric = task.metric
        self.sources = sources
        self._task_name = task_name
        self._task = task
        self._place = place

    def hashes(self) -> list[str]:
        """Returns the hash of each source's prepared data, 64 hexadecimal digits."""
        found = []
        for source in self.sources:
            card = read_card(self._task_name, domain_of(self._task, source), self._place.folder)
            if card is None:
                raise DataUnavailableError(f"Domain {source!r} of {self._task_name} is not prepared.")
            found.append(card.sha256)
        return found

    def only(self, *sources: str) -> "SourceView":
        """Returns the view of some of the sources."""
        return SourceView(self._task_name, self._task, sources, self._place)

    def splits(self, name: Literal["train", "validation"], *, samples: int | None = None) -> list[Split]:
        """Returns that split of every source, at most `samples` of each, stratified."""
        if name not in ("train", "validation"):
            raise ValueError(f"A source view has train and validation, not {name!r}.")
        return [_split(self._task_name, self._task, one, name, self._place, samples) for one in self.sources]


def oracle_split(task_name: str, task: Task, domain: str, place: DataPlace, *, samples: int) -> Split:
    """Returns the validation split of any domain; only scores that are marked as an oracle's read it."""
    return _split(task_name, task, domain, "validation", place, samples)


def held_out_part(
    task_name: str, task: Task, domain: str, place: DataPlace, *, splits: Sequence[str], cap: Cap
) -> ScoredPart:
    """Returns what is scored of a domain that a network never saw; only the final scoring calls this."""
    limits = [one for one in (cap.samples, place.limit) if one is not None]
    cap = replace(cap, samples=min(limits, default=None))
    return load_part(task_name, task, domain_of(task, domain), splits, place.folder, cap)


def test_split(task_name: str, task: Task, domain: str, place: DataPlace, *, samples: int) -> Split:
    """Returns the test split of any domain; only the final scoring calls this."""
    return _split(task_name, task, domain, "test", place, samples)


def _split(
    task_name: str, task: Task, domain: str, name: str, place: DataPlace, samples: int | None
) -> Split:
    limit = min((one for one in (samples, place.limit) if one is not None), default=None)
    return load_split(task_name, task, domain_of(task, domain), name, place.folder, limit=limit)
