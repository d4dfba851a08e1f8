"""Multiple-choice questions as samples: a question, its possible answers, and which one is right."""

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from harness.data.near import clusters
from harness.data.split import Split
from harness.records import canonical_json
from harness.task import Sample

VARIANT = 0.1
"""Share of the runs of words of a question that a variant of it, with a few words changed, still has."""


class Question(NamedTuple):
    """A question.

    Attributes:
        question: all that is read before an answer, the passage included.
        choices: possible answers, all different, without letters.
        gold: index of the right one.
    """

    question: str
    choices: tuple[str, ...]
    gold: int


def choice_samples(questions: Iterable[Question]) -> Iterator[Sample]:
    """Yields a sample per question whose answers all differ; variants of a question are one group."""
    kept = [one for one in dict.fromkeys(questions) if len(set(one.choices)) == len(one.choices)]
    texts = ["\n".join([one.question, *one.choices]).encode() for one in kept]
    for one, first in zip(kept, clusters(texts, linked=VARIANT), strict=True):
        data = canonical_json({"choices": list(one.choices), "question": one.question}).encode()
        yield Sample(data, one.gold, " ".join(kept[first].question.split()))


def questions(split: Split) -> list[Question]:
    """Returns the questions of a split, in its order."""
    return [
        Question(row["question"], tuple(row["choices"]), int(gold))
        for row, gold in zip(map(json.loads, split.documents()), split.labels, strict=True)
    ]
