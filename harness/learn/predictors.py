"""Networks as predictors, and the scores per sample of a fitted model on one split."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.learn.baseline import (
    Classifier,
    Confident,
    LanguageModel,
    Predictor,
    SplitScorer,
    TextClassifier,
)
from harness.learn.modality import half, modality_of, window_count
from harness.task.metric import MOST_CLASSES, SampleScores
from harness.task.signature import Signature
from harness.task.split import Split


class TorchClassifier:
    """Any image network as a `Classifier`."""

    def __init__(self, module: nn.Module, route: Any = None, *, batch_size: int = 128) -> None:
        self.module = module
        self.route = () if route is None else (route,)
        self.batch_size = batch_size

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Returns the class of each of the images, shape (samples,)."""
        return np.asarray(self.logits(images).argmax(axis=1), np.int64)

    @torch.inference_mode()
    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns what the network gives, shape (samples, classes)."""
        device = next(self.module.parameters()).device
        parts = []
        for start in range(0, len(images), self.batch_size):
            inputs = torch.tensor(images[start : start + self.batch_size]).to(device)
            parts.append(self.module(inputs.float() / 127.5 - 1, *self.route).float().cpu())
        return cast(NDArray[np.float32], torch.cat(parts).numpy())


class _Windowed:
    """A network of bytes that reads documents in windows of `context` bytes."""

    def __init__(self, module: nn.Module, context: int, route: Any = None, *, batch_size: int = 64) -> None:
        self.module = module
        self.context = context
        self.route = () if route is None else (route,)
        self.batch_size = batch_size

    def _windows(self, values: NDArray[np.uint8], stride: int, count: int, fill: int) -> NDArray[np.int64]:
        """Returns so many windows of the bytes, `fill` after their end, shape (windows, context)."""
        padded = np.full(max(0, count - 1) * stride + self.context, fill, dtype=np.int64)
        padded[: len(values)] = values
        return sliding_window_view(padded, self.context)[::stride][:count]

    def _outputs(self, inputs: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yields each batch of windows and what the network gives for it."""
        device = next(self.module.parameters()).device
        for start in range(0, len(inputs), self.batch_size):
            part = slice(start, start + self.batch_size)
            yield part, self.module(inputs[part].to(device), *self.route)


class TorchLanguageModel(_Windowed):
    """Any causal byte network as a `LanguageModel`.

    A document starts after a 0 byte and is read in windows that overlap by half. Each byte counts in the
    first window that holds it, so that from `context` / 2 bytes on all are predicted from as many or more.
    """

    @torch.inference_mode()
    def bits(self, documents: Sequence[bytes]) -> NDArray[np.float64]:
        stride = half(self.context)
        counts = [window_count(len(document), self.context, stride) for document in documents]
        inputs, targets = [], []
        for document, count in zip(documents, counts, strict=True):
            values = np.frombuffer(document, dtype=np.uint8)
            inputs.append(self._windows(np.insert(values, 0, 0)[:-1], stride, count, 0))
            wanted = self._windows(values, stride, count, -1).copy()
            wanted[1:, : self.context - stride] = -1  # counted in the window before
            targets.append(wanted)
        goal, owner = _joined(targets, self.context), np.repeat(np.arange(len(documents)), counts)
        totals = np.zeros(len(documents), dtype=np.float64)
        for part, logits in self._outputs(_joined(inputs, self.context)):
            aim = goal[part].to(logits.device)
            # A row a byte: three times as fast as classes before bytes.
            nats = F.cross_entropy(
                logits.flatten(0, 1).float(), aim.flatten(), reduction="none", ignore_index=-1
            )
            per_window = nats.view_as(aim).double().sum(dim=1).cpu().numpy() / np.log(2)
            totals += np.bincount(owner[part], per_window, minlength=len(documents))
        return totals


class TorchTextClassifier(_Windowed):
    """Any network that classifies windows of bytes as a `TextClassifier`.

    The logits of a document are the mean over its bytes, as those of a window are.
    """

    def classify(self, documents: Sequence[bytes]) -> NDArray[np.int64]:
        """Returns the class of each document, shape (documents,)."""
        return np.asarray(self.logits(documents).argmax(axis=1), np.int64)

    @torch.inference_mode()
    def logits(self, documents: Sequence[bytes]) -> NDArray[np.float64]:
        """Returns the mean over each document's bytes, shape (documents, classes)."""
        width = self.context
        counts = [max(1, window_count(len(document), width, width)) for document in documents]
        pairs = zip(documents, counts, strict=True)
        values = [self._windows(np.frombuffer(one, np.uint8), width, count, 0) for one, count in pairs]
        inputs = _joined(values, width)
        parts = [output.double().cpu().numpy() for _, output in self._outputs(inputs)]
        weights = (inputs != 0).sum(dim=1, keepdim=True).numpy()
        logits = np.concatenate([np.concatenate(parts) * weights, weights], axis=1)
        totals = np.zeros((len(documents), logits.shape[1]))
        np.add.at(totals, np.repeat(np.arange(len(documents)), counts), logits)
        return np.asarray(totals[:, :-1] / np.maximum(totals[:, -1:], 1))


def _joined(windows: Sequence[NDArray[np.int64]], context: int) -> Tensor:
    return torch.from_numpy(np.concatenate([np.zeros((0, context), np.int64), *windows]))


def predictor(module: nn.Module, signature: Signature, route: Any = None) -> Predictor:
    """Returns the module, or its slice at `route`, as something that scores samples."""
    module.eval()
    return modality_of(signature.kind).predictor(module, signature, route)


def score(model: Predictor, split: Split, *, document_bytes: int) -> SampleScores:
    """Returns the per-sample scores of `model` on `split`; documents are cut to `document_bytes`."""
    if isinstance(model, SplitScorer):
        return model.scores(split)
    inputs: Any = split.images
    documents = [] if inputs.size else [document[:document_bytes] for document in split.documents()]
    if isinstance(model, Confident):
        return _confident(model.logits(inputs if inputs.size else documents), split)
    if inputs.size:
        return SampleScores.predicted(split.groups, split.labels, cast(Classifier, model).predict(inputs))
    if isinstance(model, TextClassifier):
        return SampleScores.predicted(split.groups, split.labels, model.classify(documents))
    bits = cast(LanguageModel, model).bits(documents)
    length = np.array([len(document) for document in documents], dtype=np.float64)
    return SampleScores(split.groups, np.zeros(len(split), dtype=np.int64), bits, length)


def _confident(logits: NDArray[np.floating[Any]], split: Split) -> SampleScores:
    """Returns scores with log-probabilities, whose rounding no prediction depends on."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    sure = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    if sure.shape[1] > MOST_CLASSES:
        sure = sure[np.arange(len(sure)), split.labels][:, None]
    rounded = np.maximum(sure, np.finfo(np.float16).min).astype(np.float16)
    chosen = np.asarray(logits.argmax(axis=1), np.int64)
    return SampleScores.predicted(split.groups, split.labels, chosen, log_probabilities=rounded)
