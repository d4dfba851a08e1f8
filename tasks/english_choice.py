"""English multiple choice of five kinds: physics, social sense, logic, law, radio."""

import re
from collections.abc import Iterator

from harness import Archives, Domain, Signature, Task
from harness.data.packages import EVALS
from harness.data.text.corpora import evals_rows
from harness.data.text.questions import Question, choice_samples


def _questions(file: str, archives: Archives) -> Iterator[Question]:
    for text, ideal in evals_rows(archives, file):
        plain = re.sub(r"\bAnswer:\s*$", "", text.strip()).strip()
        if "; B: " in plain:
            plain = plain.removesuffix(".")  # it ends the sentence that lists the answers
        start = plain.rfind("A: ") if "A: " in plain else plain.rfind("\nA. ") + 1
        choices = re.split(r"\s*(?:^|[\n;])\s*[B-D][.:] ", plain[start + 3 :])
        cleaned = (re.sub(r"^[A-D]\.(?=\S)", "", choice.strip()) for choice in choices)
        yield Question(plain[:start].strip(), tuple(cleaned), "ABCD".index(ideal))


def _domain(name: str, file: str, origin: str, licence: str) -> Domain:
    return Domain(
        name=name,
        origin=f"{origin}, from evals 3.0.1.post1",
        licence=f"{licence}; MIT (the package)",
        groups="question",
        read=lambda archives: choice_samples(_questions(file, archives)),
        archives=(EVALS,),
        sha256=SHA256[name],
    )


SHA256 = {
    "quartz": "c3e368e309d40c650bea47a43b12db40992ae1f0d2807a7220a6d91f666e085f",
    "socialiqa": "5ccc27401549ec4c549fc55eb7db9c5d799c1786c851bd4b3e6dc3bdb86825d8",
    "logiqa": "bcff1e3a6f024e04dc58e5baeef1c2c8a46bae4127660a2fe22c864942ccb567",
    "tort_law": "d916f2c5938e24808fff447a37be01b48f9307d828b7ac773504f26b93ecabee",
    "radio_rules": "1fc0619074feb5110a016716a9019d3e8490ea7c8cf80e8a7a5144cc8ee78607",
}

TASK = Task(
    summary="Choose the right answer to an English question of one of five kinds; accuracy.",
    signature=Signature(kind="choice", classes=4),
    metric="accuracy",
    chance=(1 / 2 + 1 / 3 + 3 / 4) / 5,  # the mean over the five domains
    domains=(
        _domain("quartz", "quartz/samples", "QuaRTz (Tafjord et al. 2019)", "CC BY 4.0"),
        _domain("socialiqa", "theory_of_mind/socialiqa/test", "Social IQa (Sap et al. 2019)", "CC BY 4.0"),
        _domain("logiqa", "logiqa/logiqa", "LogiQA (Liu et al. 2020)", "CC BY-NC-SA 4.0"),
        _domain("tort_law", "us_tort_law/samples", "Questions on the law of torts", "not stated"),
        _domain(
            "radio_rules",
            "fcc_amateur_extra/samples",
            "Question pool of the amateur extra class (FCC)",
            "public domain",
        ),
    ),
    sources=("quartz", "socialiqa"),
    held_out=("logiqa", "tort_law", "radio_rules"),
)
