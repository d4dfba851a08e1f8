"""Documents, of which every next byte is predicted."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import Modality, Predictor, Signature
from harness.data.corruptions import OF_TEXTS
from harness.learn.batches import byte_batches
from harness.learn.modality import Export, half, window_count
from harness.task.split import Split

if TYPE_CHECKING:
    from torch import Tensor, nn

ASKED = """\
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: text
metric_list:
  - metric: bits_per_byte
  - metric: byte_perplexity"""


class Bytes(Modality):
    summary = "Windows of bytes (batch, context), of which every next one is predicted."
    gives = "bits"
    metric = "bits_per_byte"
    sources = ("folder", "file", "dataset")
    keys = ("context",)
    classes = 256
    names_classes = False
    vocabulary = 256
    floor = "harness.nn.floors:NGram"
    reads = "A document is read as its bytes, int64, after a 0; outputs are those of each next byte."
    corruptions = OF_TEXTS
    checks = tuple(f"harness.checks.task:{one}" for one in ("near_texts", "unigram"))
    export = Export(ASKED, "bits_per_byte")

    def describe(self, signature: Signature) -> str:
        return f"bytes, windows of {signature.context}"

    def batches(
        self,
        signature: Signature,
        splits: Sequence[Split],
        batch_size: int,
        draw: np.random.Generator,
        augmentation: Sequence[str] = (),
    ) -> "Iterator[tuple[Tensor, Tensor]]":
        import torch

        for windows in byte_batches(splits, batch_size, signature.context, draw):
            tokens = torch.from_numpy(windows).long()
            yield tokens[:, :-1], tokens[:, 1:]

    def predictor(self, module: "nn.Module", signature: Signature, route: Any = None) -> Predictor:
        from harness.learn.predictors import TorchLanguageModel

        return TorchLanguageModel(module, signature.context, route)

    def passes(self, signature: Signature, document_bytes: int) -> int:
        return window_count(document_bytes, signature.context, half(signature.context))


MODALITY = Bytes()
