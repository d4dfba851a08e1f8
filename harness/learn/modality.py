"""What a kind of input is: how its samples are kept, trained on, scored, corrupted and checked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from harness import catalog
from harness.errors import HarnessError
from harness.learn.baseline import Floor, Predictor
from harness.task.metric import Need
from harness.task.signature import Signature
from harness.task.split import Split

if TYPE_CHECKING:
    from torch import Tensor, nn

Form = Literal["image", "document", "question"]
"""How prepared samples are kept: uint8 pixels of one shape, bytes of any length, or a question as bytes."""
Corruption = Callable[[bytes, Signature, int], bytes]
"""Makes a corrupted sample of a sample's data, at a severity from 1 to 5."""

UNTRAINED = "Nothing is trained on samples of kind {}; score a model that comes trained on them."


class FloorType(Protocol):
    """The class of a floor, whose objects are its predictors."""

    def fit(self, splits: Sequence[Split]) -> Floor:
        """Returns the floor of the pooled samples of `splits`."""

    def from_state(self, state: Mapping[str, NDArray[Any]]) -> Predictor:
        """Returns the floor that the arrays of `Floor.state` came from."""


class Export(NamedTuple):
    """What lm-eval is asked to do with the documents of a task, in YAML, and what it counts."""

    asked: str
    measure: str


class Modality(Protocol):
    """A kind of input: what `Signature.kind` names.

    Attributes:
        summary: one line.
        form: how prepared samples are kept.
        gives: what a scored sample can feed, which decides the metrics of its tasks.
        metric: of a user's task that names none.
        sources: where a user's task may have its data.
        keys: of the file of a user's task, those that are not for every kind.
        classes: size of the label space where the kind fixes it; 0 where tasks do.
        names_classes: whether a sample has one of the classes that its task names.
        is_trained: whether networks are trained on it.
        reads: how a sample becomes what networks read, in a sentence; empty where none is trained.
        vocabulary: how many tokens an input is made of; 0 where inputs are real numbers.
        corruptions: name -> what makes a sample harder.
        floor: MODULE:CLASS of its floor; named, as only rows of floors depend on it.
        checks: MODULE:FUNCTION of each check of a domain's quality, called with the task and name -> split,
            which returns a finding; named, as no unit depends on them.
        export: what lm-eval does with it; None where it cannot read it.
    """

    summary: str
    form: Form = "document"
    gives: Need = "prediction"
    metric: str = "accuracy"
    sources: tuple[str, ...] = ("file", "dataset")
    keys: tuple[str, ...] = ()
    classes: int = 0
    names_classes: bool = True
    is_trained: bool = True
    reads: str = ""
    vocabulary: int = 0
    corruptions: Mapping[str, Corruption] = {}
    floor: str = ""
    checks: tuple[str, ...] = ()
    export: Export | None = None

    def describe(self, signature: Signature) -> str:
        """Returns what a task's inputs are, in words."""

    def show(self, split: Split, class_names: Sequence[str]) -> str:
        """Returns the first sample of a split, with its class, in characters."""
        label = f", {class_names[split.labels[0]]}" if class_names else ""
        return f"{split.domain}{label}: {split.documents()[0][:300].decode(errors='replace')}"

    def shape(self, signature: Signature) -> tuple[int, ...]:
        """Returns the shape of one sample as networks read it."""
        return (signature.context,)

    def batches(
        self,
        signature: Signature,
        splits: Sequence[Split],
        batch_size: int,
        draw: np.random.Generator,
        augmentation: Sequence[str] = (),
    ) -> "Iterator[tuple[Tensor, Tensor]]":
        """Yields (inputs, targets) for ever, each source domain with equal probability.

        Inputs have shape (batch, *shape); targets are classes (batch,), the next tokens (batch, context), or
        shares of classes (batch, classes).

        Raises:
            HarnessError: nothing is trained on samples of this kind.
        """
        raise HarnessError(UNTRAINED.format(signature.kind))

    def predictor(self, module: "nn.Module", signature: Signature, route: Any = None) -> Predictor:
        """Returns a network, or its slice at `route`, as something that scores samples."""
        raise HarnessError(UNTRAINED.format(signature.kind))

    def passes(self, signature: Signature, document_bytes: int) -> int:
        """Returns the forward passes of one scored sample."""
        return 1


def modality_of(kind: str) -> Modality:
    """Returns the kind of input that a signature names."""
    modality: Modality = catalog.load("modality", kind)
    return modality


def floor_of(kind: str) -> FloorType:
    """Returns the class of a kind's floor."""
    module, _, name = modality_of(kind).floor.partition(":")
    floor: FloorType = getattr(import_module(module), name)
    return floor


def window_count(length: int, context: int, stride: int) -> int:
    """Returns in how many windows of `context` bytes a text is read, each `stride` bytes after the last."""
    return (length > 0) + -(-max(0, length - context) // stride)


def half(context: int) -> int:
    """Returns how far one window is after another where they overlap by half."""
    return max(1, context // 2)


def random_inputs(signature: Signature, count: int) -> "Tensor":
    """Returns inputs drawn from torch's generator, shape (count, *shape): tokens, or standard normal."""
    import torch

    modality = modality_of(signature.kind)
    shape = (count, *modality.shape(signature))
    return torch.randint(0, modality.vocabulary, shape) if modality.vocabulary else torch.randn(shape)
