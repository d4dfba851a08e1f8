"""Multiple-choice questions as samples: a question, its possible answers, and which one is right."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from harness.data.near import clusters
from harness.files import canonical_json
from harness.task.split import Split
from harness.task.task import Sample

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
    for one, group in zip(kept, variants(kept), strict=True):
        yield choice_sample(one, group)


def choice_sample(question: Question, group: str) -> Sample:
    """Returns a question as a sample, the right answer as its label."""
    data = canonical_json({"choices": list(question.choices), "question": question.question}).encode()
    return Sample(data, question.gold, group)


def variants(questions: Sequence[Question]) -> list[str]:
    """Returns per question the first one that it is a variant of, without line breaks."""
    texts = ["\n".join([one.question, *one.choices]).encode() for one in questions]
    return [" ".join(questions[first].question.split()) for first in clusters(texts, linked=VARIANT)]


def questions(split: Split) -> list[Question]:
    """Returns the questions of a split, in its order."""
    return [
        Question(row["question"], tuple(row["choices"]), int(gold))
        for row, gold in zip(map(json.loads, split.documents()), split.labels, strict=True)
    ]
