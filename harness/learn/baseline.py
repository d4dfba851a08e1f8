"""What the engine asks of a model, so that torch modules and floors are scored by the same code."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from harness import catalog
from harness.errors import HarnessError, UnknownNameError
from harness.guard.keys import Keys
from harness.task.metric import SampleScores
from harness.task.signature import Signature
from harness.task.split import Split
from harness.task.task import Archive

if TYPE_CHECKING:
    from torch import nn


class Classifier(Protocol):
    """Scores images."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Returns the predicted class of images (samples, channels, height, width), shape (samples,)."""


@runtime_checkable
class TextClassifier(Protocol):
    """Classifies documents."""

    def classify(self, documents: Sequence[bytes]) -> NDArray[np.int64]:
        """Returns the predicted class of each document, shape (documents,)."""


@runtime_checkable
class Confident(Protocol):
    """Classifies images or documents, and says how sure it is."""

    def logits(self, inputs: Any) -> NDArray[np.floating[Any]]:
        """Returns log-probabilities up to a constant of each sample, shape (samples, classes)."""


@runtime_checkable
class LanguageModel(Protocol):
    """Scores documents."""

    def bits(self, documents: Sequence[bytes]) -> NDArray[np.float64]:
        """Returns the code length of each document in bits, shape (documents,).

        Every byte is predicted, the first one from nothing but the start of a document.
        """


@runtime_checkable
class SplitScorer(Protocol):
    """Scores the samples of a modality that is none of the above."""

    def scores(self, split: Split) -> SampleScores:
        """Returns the scores of every sample of a split."""


Predictor = Classifier | TextClassifier | LanguageModel | SplitScorer


@dataclass(frozen=True, kw_only=True)
class FixedBaseline:
    """A fixed architecture, trained with the same recipe as everything else.

    Attributes:
        summary: one line.
        build: module for a signature, near a number of parameters, which is 0 where it does not follow it;
            initial values from torch's generator.
        kinds: signatures that it can read; a suite leaves it out of other tasks.
        is_matched: whether it follows the number of parameters; others say their own on the board.
        files: what it is made of besides this package's own code: its Python file, its weights.
        packages: released packages that `load` fetches.
        load: puts weights that come trained into what `build` made, before it is trained on the sources.
        outside: what those weights were trained on, in words; the row is marked and never ranked.
        is_frozen: only a head on the features of a `harness.nn.pretrained.Frozen` is fitted.
        vary: draws further arguments of `build`, by name, for a network of the same parameters; None for a
            single shape.
        named: the member of a family of baselines that `FAMILY:NAME` means; None where it is no family.
        members: returns the names of its members, for near names; None where nobody can list them.
        example: the member that conformance checks build in place of a family; empty for itself.
        budget: how it spends what supernet and search of a suite cost. `trials` choose its recipe and shape
            on the selecting seed, scored on source validation alone, and the rules of a suite's `selection`
            then choose nothing for it; `steps` lengthen its training. Empty where it spends nothing.
        of: baselines that it was made from, by name.
    """

    summary: str
    build: "Callable[..., nn.Module]"
    kinds: tuple[str, ...] = ("image", "bytes")
    is_matched: bool = True
    files: tuple[Path, ...] = ()
    packages: tuple[Archive, ...] = ()
    load: "Callable[[nn.Module, Opening], None] | None" = None
    outside: str | None = None
    is_frozen: bool = False
    vary: Callable[[random.Random, Signature, int], Mapping[str, Any]] | None = None
    named: "Callable[[str], FixedBaseline] | None" = None
    members: "Callable[[], Sequence[str]] | None" = None
    example: str = ""
    budget: Literal["", "trials", "steps"] = ""
    of: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How a model that comes trained is opened.

    Attributes:
        device: torch device.
        keys: of endpoints, each for one host; never written.
        offline: no hub and no registry is asked.
        data: the data cache.
    """

    data: Path
    device: str = "cpu"
    keys: Keys = field(default_factory=Keys, repr=False)
    offline: bool = False


@dataclass(frozen=True, kw_only=True)
class ReadyBaseline:
    """A model that comes trained and is scored as it is; its row is marked and never ranked.

    Attributes:
        summary: one line.
        open: makes the predictor for a signature.
        outside: what it was trained on, in words.
        kinds: signatures that it can read; a suite leaves it out of other tasks.
        files: what it is made of.
        packages: released packages that `open` fetches.
        named: the member of a family of baselines that `FAMILY:NAME` means; None where it is no family.
    """

    summary: str
    open: Callable[[Signature, Opening], Predictor]
    outside: str
    kinds: tuple[str, ...] = ("image", "bytes")
    files: tuple[Path, ...] = ()
    packages: tuple[Archive, ...] = ()
    named: "Callable[[str], FixedBaseline | ReadyBaseline] | None" = None


@dataclass(frozen=True, kw_only=True)
class DrawnBaseline:
    """A row in every space of a suite: one random architecture a seed, trained alone.

    Attributes:
        summary: one line.
        space: `SPACE:PRESET` of the one row; empty for a row in each of the suite's.
        named: the one in the space that `FAMILY:SPACE:PRESET` means.
    """

    summary: str
    space: str = ""
    named: "Callable[[str], DrawnBaseline] | None" = None


class Floor(Protocol):
    """A model without gradients that keeps everyone humble."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays that restore it."""


@dataclass(frozen=True, kw_only=True)
class FloorBaseline:
    """A floor under every row.

    Attributes:
        summary: one line.
        fit: fits to the training splits of the source domains.
        restore: makes the predictor from the arrays of `Floor.state`.
    """

    summary: str
    fit: Callable[[Signature, Sequence[Split]], Floor]
    restore: "Callable[[Signature, Mapping[str, NDArray[Any]]], Predictor]"


Baseline = FixedBaseline | ReadyBaseline | DrawnBaseline | FloorBaseline


def is_seedless(baseline: Baseline) -> bool:
    """Returns whether no seed changes what the row is, so that it has one role."""
    if isinstance(baseline, FixedBaseline):
        return baseline.is_frozen and baseline.load is not None
    return isinstance(baseline, FloorBaseline | ReadyBaseline)


def is_trained(baseline: Baseline) -> bool:
    """Returns whether the suite's recipe of training has a part in the row."""
    if isinstance(baseline, FixedBaseline):
        return not baseline.is_frozen
    return isinstance(baseline, DrawnBaseline)


def may_spend(baseline: Baseline) -> TypeGuard[FixedBaseline]:
    """Returns whether a baseline can be given what a search costs: it is trained here and has nothing yet."""
    return isinstance(baseline, FixedBaseline) and is_trained(baseline) and not baseline.budget


def with_family(name: str) -> str:
    """Returns the catalog name of a baseline, which for PATH.py:FUNCTION is `file:PATH.py:FUNCTION`.

    Raises:
        UnknownNameError: it is neither.
    """
    if name.partition(":")[0] in catalog.files("baseline"):
        return name
    if ":" not in name:
        try:
            catalog.load("baseline", name)
        except UnknownNameError as error:
            raise HarnessError(f"{error} A model of your own is PATH.py:FUNCTION.") from None
    return f"file:{name}"


def member_options(member: str, **allowed: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Returns the name and the options of `NAME?KEY=VALUE&KEY=VALUE`, a member of a family of baselines.

    Args:
        allowed: the values that each option may have; none given means any but the empty one.

    Raises:
        HarnessError: an option is not among them.
    """
    name, _, query = member.partition("?")
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        key, _, value = part.partition("=")
        values = allowed.get(key)
        if values is None or not value or (values and value not in values):
            known = " or ".join(f"{one}={'|'.join(allowed[one]) or 'FILE'}" for one in allowed)
            raise HarnessError(f"{part!r} behind {name} is not understood; write {known}.")
        options[key] = value
    return name, options


def made_of(*files: Path | None) -> tuple[Path, ...]:
    """Returns the files that a model is made of, as `files` of its baseline.

    Args:
        files: of the model; a folder stands for all of its files, None for nothing.
    """
    found: list[Path] = []
    for file in files:
        if file is None:
            continue
        if not file.exists():
            raise HarnessError(f"There is no file {file}; give one that a model can be read from.")
        found += sorted(one for one in file.rglob("*") if one.is_file()) if file.is_dir() else [file]
    return tuple(found)
