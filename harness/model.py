"""What the engine asks of a model, so that torch modules and floors are scored by the same code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from harness.task import Signature

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from harness.data.split import Split


class Classifier(Protocol):
    """Scores images."""

    def predict(self, images: "NDArray[np.uint8]") -> "NDArray[np.int64]":
        """Returns the predicted class of images (samples, channels, height, width), shape (samples,)."""
        ...


@runtime_checkable
class TextClassifier(Protocol):
    """Classifies documents."""

    def classify(self, documents: Sequence[bytes]) -> "NDArray[np.int64]":
        """Returns the predicted class of each document, shape (documents,)."""
        ...


@runtime_checkable
class LanguageModel(Protocol):
    """Scores documents."""

    def bits(self, documents: Sequence[bytes]) -> "NDArray[np.float64]":
        """Returns the code length of each document in bits, shape (documents,).

        Every byte is predicted, the first one from nothing but the start of a document.
        """
        ...


Predictor = Classifier | TextClassifier | LanguageModel


@dataclass(frozen=True, kw_only=True)
class FixedBaseline:
    """A fixed architecture, trained with the same recipe as everything else.

    Attributes:
        summary: one line.
        build: module for a signature, near a number of parameters; initial values from torch's generator.
        kinds: signatures that it can read; a suite leaves it out of other tasks.
        is_matched: whether it follows the number of parameters; others say their own on the board.
        identity: hash of the files it is made of; empty for what this version of the harness brings.
        depths: depth -> `build` at that depth and near the same parameters; empty for a single shape.
        is_tuned: whether trials choose its learning rate, and its depth where there are several; they are as
            many as a searcher's evaluations, on the selecting seed, scored on source validation alone. The
            rules of a suite's `selection` then choose nothing for it: every one keeps the rate of the trials.
    """

    summary: str
    build: Callable[[Signature, int], "nn.Module"]
    kinds: tuple[str, ...] = ("image", "bytes")
    is_matched: bool = True
    identity: str = ""
    depths: Mapping[int, Callable[[Signature, int], "nn.Module"]] = field(default_factory=dict)
    is_tuned: bool = False


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How a model that comes trained is opened.

    Attributes:
        device: torch device.
        api_key: for models behind an endpoint; never written.
        offline: no hub and no registry is asked.
        data: the data cache.
    """

    data: Path
    device: str = "cpu"
    api_key: str | None = field(default=None, repr=False)
    offline: bool = False


@dataclass(frozen=True, kw_only=True)
class ReadyBaseline:
    """A model that comes trained and is scored as it is; its row is marked and never ranked.

    Attributes:
        summary: one line.
        open: makes the predictor for a signature.
        outside: what it was trained on, in words.
        kinds: signatures that it can read; a suite leaves it out of other tasks.
        identity: hash of the files it is made of.
    """

    summary: str
    open: Callable[[Signature, Opening], Predictor]
    outside: str
    kinds: tuple[str, ...] = ("image", "bytes")
    identity: str = ""


@dataclass(frozen=True, kw_only=True)
class TunedBaseline:
    """The fixed architecture family given as many evaluations as a searcher.

    Attributes:
        summary: one line.
        searcher: catalog name of the searcher that tunes it, over the suite's `tuned_space`.
    """

    summary: str
    searcher: str


class Floor(Protocol):
    """A model without gradients that keeps everyone humble."""

    def state(self) -> "dict[str, NDArray[Any]]":
        """Returns the arrays that restore it."""
        ...


@dataclass(frozen=True, kw_only=True)
class FloorBaseline:
    """A floor under every row.

    Attributes:
        summary: one line.
        fit: fits to the training splits of the source domains.
        restore: makes the predictor from the arrays of `Floor.state`.
    """

    summary: str
    fit: Callable[[Signature, "Sequence[Split]"], Floor]
    restore: "Callable[[Signature, Mapping[str, NDArray[Any]]], Predictor]"


Baseline = FixedBaseline | ReadyBaseline | TunedBaseline | FloorBaseline
