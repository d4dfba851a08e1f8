"""Questions with possible answers, which language models score and nothing is trained on."""

from collections.abc import Sequence

from harness import Modality, Signature
from harness.data.text.questions import questions
from harness.learn.modality import Export
from harness.task.split import Split

ASKED = """\
output_type: multiple_choice
doc_to_text: text
doc_to_choice: choices
doc_to_target: gold
metric_list:
  - metric: acc
  - metric: acc_norm"""


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


MODALITY = Questions()
