"""Sarcastic or serious: headlines in English, and remarks in Portuguese."""

from collections.abc import Iterator
from functools import partial

from harness import Archives, Domain, Sample, Signature, Task
from harness.data.packages import EVALS
from harness.data.text.corpora import evals_rows, labelled


def _remarks(file: str, sarcastic: str, archives: Archives) -> Iterator[Sample]:
    yield from labelled(
        (int(ideal == sarcastic), f"{place:05}", text)
        for place, (text, ideal) in enumerate(evals_rows(archives, file))
    )


TASK = Task(
    summary="Tell sarcasm from earnest in a sentence, and in another language; balanced accuracy.",
    signature=Signature(kind="text", classes=2, context=64),
    metric="balanced_accuracy",
    chance=0.5,
    domains=(
        Domain(
            name="headlines",
            origin="Headlines of The Onion and HuffPost (Misra and Arora 2019), from evals 3.0.1.post1",
            licence="CC BY 4.0; MIT (the package)",
            groups="headline",
            read=partial(_remarks, "sarcasm/samples", "1"),
            archives=(EVALS,),
            sha256="4e22340b3939b56be778c6948b4e065ced5add29060352b5b515b1e4fb8c0626",
        ),
        Domain(
            name="portuguese",
            origin="Portuguese remarks of the eval portuguese-sarcasm, from evals 3.0.1.post1",
            licence="MIT (the package)",
            groups="remark",
            read=partial(_remarks, "portuguese-sarcasm/samples", "Y"),
            archives=(EVALS,),
            sha256="8b4306368a55a5f75bf3c0ecb5f0a6d37ff6fc9f6bfce79c572963bb532ac96d",
        ),
    ),
    sources=("headlines",),
    held_out=("portuguese",),
    class_names=("serious", "sarcastic"),
)
