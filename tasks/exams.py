"""School examinations in sixteen languages: multiple-choice questions, one domain a language."""

import re
from collections.abc import Iterator

from harness import Archives, Domain, Signature, Task
from harness.data.packages import EVALS
from harness.data.text.corpora import evals_rows
from harness.data.text.questions import Question, choice_samples

SOURCES = ("french", "german", "italian", "portuguese", "spanish")
HELD_OUT = (
    "albanian",
    "arabic",
    "bulgarian",
    "croatian",
    "hungarian",
    "lithuanian",
    "macedonian",
    "polish",
    "serbian",
    "turkish",
    "vietnamese",
)


def _questions(language: str, archives: Archives) -> Iterator[Question]:
    for text, ideal in evals_rows(archives, f"{language}-exams-qa/samples"):
        question, *choices = re.split(r"\n[A-E]\. ", text.removesuffix("\nAnswer:"))
        yield Question(question, tuple(choices), "ABCDE".index(ideal.strip("[]")))


def _domain(language: str) -> Domain:
    return Domain(
        name=language,
        origin=f"{language.capitalize()} questions of EXAMS (Hardalov et al. 2020), from evals 3.0.1.post1",
        licence="CC BY-SA 4.0; MIT (the package)",
        groups="question",
        read=lambda archives: choice_samples(_questions(language, archives)),
        archives=(EVALS,),
        sha256=SHA256[language],
    )


SHA256 = {
    "albanian": "4400320390a01c95b4c7debb0a8f112c3939d38bfb35fed000a73abe9248ae45",
    "arabic": "aadb2c4a91cb607b391b2692dbc1d0c5a90900042a7e6db4e687514a1d3cd0c0",
    "bulgarian": "cde58cd25973963dc2901b0c879ff028e94482904e67a85c4ac873f25504a544",
    "croatian": "3107ed47ef3d1b188e8e0e7a6e6b3b23b7589f9c9de2ecf841d6e83b3689fa88",
    "french": "f02120abd0a034304a0b8ab127c1ed890bd6b9592226ab6972cb0e7c3904de26",
    "german": "f46fbfc9e14a1b72c7a14e0915310d3ec3a9bde2682fa77c41c460c351b4529b",
    "hungarian": "a498daa0a5df95e8ad65ac9902fc386a7ff6b5fd52d0c1a472f6703f62876e69",
    "italian": "c3a5b32e42a2e489b4fcfae3e6dc143504d71a5454e779e9e21f6c6e185a0e6a",
    "lithuanian": "e3ab7ca5e2982fa3b8c6a264799233c9bcc5817e1863daef83dcf9385391f27e",
    "macedonian": "84b0f7c47323ada77e9fa5d88c533fbc6239e5fe2b32ed53114cafebe8b7194e",
    "polish": "f577dd5586de2844335d5be774c049d1732468fa85da89143492c6b4a792c282",
    "portuguese": "09eea23d062f7abea62c765f79d70834123840bf8c447e6e316421ecaf47629d",
    "serbian": "ede886ab5fa1518d624be7c2135be0b869f01b433d2510ee32492d1aa9db8de9",
    "spanish": "9af385aa4f0f132f2492150e3a68344b1b2fd7d2429980ce21ae30bcc62708b9",
    "turkish": "7601e1d3178e5ee594cfc40ca4df0a57d83317dde932af23580445ad9d6df6a6",
    "vietnamese": "88201a703a2af73ea202ba145b5249fad6987a9da3cb4c968aeb37178ad9b5a9",
}

TASK = Task(
    summary="Choose the right answer to a question of a school examination, in a language; accuracy.",
    signature=Signature(kind="choice", classes=5),
    metric="accuracy",
    chance=0.2557,  # the mean over all questions of one part in three, four or five
    domains=tuple(_domain(language) for language in sorted((*SOURCES, *HELD_OUT))),
    sources=SOURCES,
    held_out=HELD_OUT,
)
