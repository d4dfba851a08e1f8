"""Questions with possible answers, which language models score and nothing is trained on."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import HarnessError, Modality, Predictor, Signature
from harness.data.text.questions import questions
from harness.learn.modality import Export
from harness.task.split import Split

if TYPE_CHECKING:
    from torch import Tensor, nn

ASKED = """\
output_type: multiple_choice
doc_to_text: text
doc_to_choice: choices
doc_to_target: gold
metric_list:
  - metric: acc
  - metric: acc_norm"""
UNTRAINED = "Nothing is trained on multiple-choice questions; score a language model on them."


class Questions(Modality):
    summary = "Questions with possible answers, which language models score."
    form = "question"
    keys = ("classes",)
    names_classes = False
    is_trained = False
    checks = tuple(f"harness.checks.task:{one}" for one in ("near_texts", "answers"))
    export = Export(ASKED, "acc")

    def describe(self, signature: Signature) -> str:
        return f"questions with at most {signature.classes} answers"

    def show(self, split: Split, class_names: Sequence[str]) -> str:
        asked = questions(split)[0]
        answers = [f"{'*' if place == asked.gold else '-'} {one}" for place, one in enumerate(asked.choices)]
        return "\n".join([f"{split.domain}: {asked.question}", *answers])

    def batches(
        self,
        signature: Signature,
        splits: Sequence[Split],
        batch_size: int,
        draw: np.random.Generator,
        augmentation: Sequence[str] = (),
    ) -> "Iterator[tuple[Tensor, Tensor]]":
        raise HarnessError(UNTRAINED)

    def predictor(self, module: "nn.Module", signature: Signature, route: Any = None) -> Predictor:
        raise HarnessError(UNTRAINED)


MODALITY = Questions()
