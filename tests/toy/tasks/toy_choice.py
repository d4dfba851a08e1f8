"""Made-up questions: which word goes on with the letters of the question?"""

from collections.abc import Callable, Iterator

import numpy as np

from harness import Archives, Domain, Sample, Signature, Task
from harness.data.text.questions import Question, choice_samples


def _asked(seed: int, alphabet: str, answers: int) -> Callable[[Archives], Iterator[Sample]]:
    def questions() -> Iterator[Question]:
        draw = np.random.default_rng(seed)
        for number in range(60):
            question = f"{number} " + "".join(draw.choice(list(alphabet), 8))
            letters = [draw.choice(list(f"{alphabet}y"), draw.integers(2, 6)) for _ in range(answers)]
            gold = int(draw.integers(answers))
            letters[gold] = draw.choice(list(alphabet), 4)
            words = ["".join(one) + str(place) for place, one in enumerate(letters)]
            yield Question(question, tuple(words), gold)

    def read(archives: Archives) -> Iterator[Sample]:
        yield from choice_samples(questions())

    return read


def _domain(name: str, seed: int, alphabet: str, answers: int) -> Domain:
    read = _asked(seed, alphabet, answers)
    return Domain(name=name, origin="drawn here", licence="CC0", groups="question", read=read)


TASK = Task(
    summary="Choose the word that goes on with the letters of the question.",
    signature=Signature(kind="choice", classes=4),
    metric="accuracy",
    chance=0.375,
    domains=(_domain("two", 1, "abcd", 2), _domain("four", 2, "cdef", 4)),
    sources=("two",),
    held_out=("four",),
)
