"""Networks as predictors, and the scores per sample of a fitted model on one split."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.learn.baseline import Classifier, LanguageModel, Predictor, SplitScorer, TextClassifier
from harness.learn.modality import modality_of
from harness.task.metric import SampleScores
from harness.task.signature import Signature
from harness.task.split import Split


class TorchClassifier:
    """Any image network as a `Classifier`."""

    def __init__(self, module: nn.Module, route: Any = None, *, batch_size: int = 128) -> None:
        self.module = module
        self.route = () if route is None else (route,)
        self.batch_size = batch_size

    @torch.inference_mode()
    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        device = next(self.module.parameters()).device
        parts = []
        for start in range(0, len(images), self.batch_size):
            inputs = torch.tensor(images[start : start + self.batch_size]).to(device)
            parts.append(self.module(inputs.float() / 127.5 - 1, *self.route).argmax(dim=-1).cpu())
        return cast(NDArray[np.int64], torch.cat(parts).numpy())


class TorchLanguageModel:
    """Any causal byte network as a `LanguageModel`.

    A document starts after a 0 byte and is read in windows of `context` tokens that do not overlap, so
    the first byte of a window is predicted from one byte of context.
    """

    def __init__(self, module: nn.Module, context: int, route: Any = None, *, batch_size: int = 64) -> None:
        self.module = module
        self.context = context
        self.route = () if route is None else (route,)
        self.batch_size = batch_size

    @torch.inference_mode()
    def bits(self, documents: Sequence[bytes]) -> NDArray[np.float64]:
        device = next(self.module.parameters()).device
        inputs, targets, owner = self._windows(documents)
        totals = np.zeros(len(documents), dtype=np.float64)
        for start in range(0, len(inputs), self.batch_size):
            part = slice(start, start + self.batch_size)
            logits = self.module(inputs[part].to(device), *self.route)
            nats = F.cross_entropy(
                logits.transpose(1, 2).float(), targets[part].to(device), reduction="none", ignore_index=-1
            )
            per_window = nats.double().sum(dim=1).cpu().numpy() / np.log(2)
            totals += np.bincount(owner[part], per_window, minlength=len(documents))
        return totals

    def _windows(self, documents: Sequence[bytes]) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
        lengths = [-(-len(document) // self.context) for document in documents]
        inputs = np.zeros((sum(lengths), self.context), dtype=np.int64)
        targets = np.full((sum(lengths), self.context), -1, dtype=np.int64)
        owner = np.repeat(np.arange(len(documents)), lengths)
        row = 0
        for document in documents:
            values = np.frombuffer(document, dtype=np.uint8)
            for start in range(0, len(values), self.context):
                window = values[start : start + self.context]
                inputs[row, 0] = values[start - 1] if start else 0
                inputs[row, 1 : len(window)] = window[:-1]
                targets[row, : len(window)] = window
                row += 1
        return torch.from_numpy(inputs), torch.from_numpy(targets), owner


class TorchTextClassifier:
    """Any network that classifies windows of bytes as a `TextClassifier`.

    A document is read in windows of `context` bytes that do not overlap; its logits are the mean over its
    bytes, as those of a window are.
    """

    def __init__(self, module: nn.Module, context: int, route: Any = None, *, batch_size: int = 64) -> None:
        self.module = module
        self.context = context
        self.route = () if route is None else (route,)
        self.batch_size = batch_size

    @torch.inference_mode()
    def classify(self, documents: Sequence[bytes]) -> NDArray[np.int64]:
        device = next(self.module.parameters()).device
        counts = [max(1, -(-len(document) // self.context)) for document in documents]
        owner = np.repeat(np.arange(len(documents)), counts)
        inputs = np.zeros((len(owner), self.context), dtype=np.int64)
        row = 0
        for document, windows in zip(documents, counts, strict=True):
            values = np.frombuffer(document, dtype=np.uint8)
            inputs[row : row + windows].reshape(-1)[: len(values)] = values
            row += windows
        parts = []
        for start in range(0, len(inputs), self.batch_size):
            part = torch.from_numpy(inputs[start : start + self.batch_size]).to(device)
            parts.append(self.module(part, *self.route).double().cpu().numpy())
        logits = np.concatenate(parts) * (inputs != 0).sum(axis=1, keepdims=True)
        totals = np.zeros((len(documents), logits.shape[1]))
        np.add.at(totals, owner, logits)
        return np.asarray(totals.argmax(axis=1), np.int64)


def predictor(module: nn.Module, signature: Signature, route: Any = None) -> Predictor:
    """Returns the module, or its slice at `route`, as something that scores samples."""
    module.eval()
    return modality_of(signature.kind).predictor(module, signature, route)


def score(model: Predictor, split: Split, *, document_bytes: int) -> SampleScores:
    """Returns the per-sample scores of `model` on `split`; documents are cut to `document_bytes`."""
    if isinstance(model, SplitScorer):
        return model.scores(split)
    if split.images.size:
        predicted = cast(Classifier, model).predict(split.images)
        return _right(predicted, split)
    documents = [document[:document_bytes] for document in split.documents()]
    if isinstance(model, TextClassifier):
        return _right(model.classify(documents), split)
    bits = cast(LanguageModel, model).bits(documents)
    length = np.array([len(document) for document in documents], dtype=np.float64)
    return SampleScores(split.groups, np.zeros(len(split), dtype=np.int64), bits, length)


def _right(predicted: NDArray[np.int64], split: Split) -> SampleScores:
    numerator = (predicted == split.labels).astype(np.float64)
    return SampleScores(split.groups, split.labels, numerator, np.ones(len(split)))
