"""Documents, of which the class is predicted."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import Modality, Predictor, Signature
from harness.data.corruptions import OF_TEXTS
from harness.learn.baseline import TextClassifier
from harness.learn.batches import text_batches
from harness.learn.modality import Export, window_count
from harness.task.split import Split

if TYPE_CHECKING:
    from torch import Tensor, nn

ASKED = """\
output_type: multiple_choice
doc_to_text: text
doc_to_choice: choices
doc_to_target: gold
metric_list:
  - metric: acc"""


class Text(Modality):
    summary = "Windows of bytes (batch, context), of whose document the class is predicted."
    metric = "balanced_accuracy"
    keys = ("classes", "context")
    vocabulary = 256
    floor = "harness.data.text.linear:LinearText"
    reads = "A document is read as its bytes, int64, in windows that 0 fills to their end."
    corruptions = OF_TEXTS
    checks = tuple(f"harness.checks.task:{one}" for one in ("near_texts", "balance", "text_probe"))
    export = Export(ASKED, "acc")

    def describe(self, signature: Signature) -> str:
        return f"text, windows of {signature.context} bytes, {signature.classes} classes"

    def batches(
        self,
        signature: Signature,
        splits: Sequence[Split],
        batch_size: int,
        draw: np.random.Generator,
        augmentation: Sequence[str] = (),
    ) -> "Iterator[tuple[Tensor, Tensor]]":
        import torch

        for texts, labels in text_batches(splits, batch_size, signature.context, draw):
            yield torch.from_numpy(texts).long(), torch.from_numpy(labels)

    def predictor(self, module: "nn.Module", signature: Signature, route: Any = None) -> Predictor:
        from harness.learn.predictors import TorchTextClassifier

        if isinstance(module, TextClassifier):  # of whole documents
            return module
        return TorchTextClassifier(module, signature.context, route)

    def passes(self, signature: Signature, document_bytes: int) -> int:
        return max(1, window_count(document_bytes, signature.context, signature.context))


MODALITY = Text()
