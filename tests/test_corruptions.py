"""Truth: parameters of each corruption measured on its result, closed forms, toys with known splits."""

import random
import unicodedata
from dataclasses import replace
from pathlib import Path

import filled
import numpy as np
import pytest
from command import python
from working import plan_of, units

from harness import catalog
from harness.data.corruptions import (
    CONTRAST,
    NOISE,
    OF_IMAGES,
    OF_TEXTS,
    SEVERITIES,
    corrupt_image,
    corrupt_text,
    domain_of,
)
from harness.data.load import load_split
from harness.data.prepare import prepare_domain, prepared_folder
from harness.data.view import DataPlace, SourceView
from harness.data.view import test_split as read_test
from harness.errors import DataUnavailableError, HarnessError, UnknownNameError
from harness.task.signature import Signature
from harness.task.task import Archives, Sample, Task

IMAGE = Signature(kind="image", classes=2, channels=3, height=20, width=30)
TEXT = Signature(kind="bytes", classes=256)
SENTENCE = "The quick brown fox jumps over the lazy dog, and Ärger kostet Öl. "


def picture(seed: int = 0) -> np.ndarray:
    """Returns soft blobs around the middle grey, so that little is clipped."""
    draw = np.random.default_rng(seed)
    coarse = draw.uniform(90, 165, (3, 5, 6))
    return coarse.repeat(4, axis=1).repeat(5, axis=2).astype(np.uint8)


def edits(one: str, other: str) -> int:
    """Returns how many letters must be put in, left out or changed to turn one text into the other."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, start=1):
        before, row[0] = row[0], number
        for place, wanted in enumerate(other, start=1):
            best = min(row[place] + 1, row[place - 1] + 1, before + (letter != wanted))
            before, row[place] = row[place], best
    return row[-1]


@pytest.mark.parametrize("name", OF_IMAGES)
def test_an_image_is_further_from_itself_at_every_severity(name: str) -> None:
    distances = [
        np.mean(
            [np.abs(corrupt_image(picture(n), name, s) - picture(n).astype(float)).mean() for n in range(20)]
        )
        for s in SEVERITIES
    ]
    assert distances[0] > 0
    assert distances == sorted(set(distances))


@pytest.mark.parametrize("name", OF_TEXTS)
def test_a_text_is_further_from_itself_at_every_severity(name: str) -> None:
    text = SENTENCE * 4
    distances = [edits(text, corrupt_text(text.encode(), name, severity).decode()) for severity in SEVERITIES]
    assert distances[0] > 0
    assert distances == sorted(set(distances))


def test_noise_has_its_standard_deviation_and_contrast_its_share() -> None:
    grey = np.full((1, 100, 100), 128, np.uint8)
    spread = (corrupt_image(grey, "noise", 1) / 255.0).std()
    assert spread == pytest.approx(NOISE[0], rel=0.05)  # 10,000 pixels: a standard error of 0.7 %
    image = picture()
    flat = corrupt_image(image, "contrast", 3)
    assert flat.mean() == pytest.approx(image.mean(), abs=0.5)
    assert flat.std(axis=(1, 2)) == pytest.approx(CONTRAST[2] * image.std(axis=(1, 2)), rel=0.05)


def test_an_inversion_is_whole_at_the_last_severity_and_from_one_side_before() -> None:
    image = picture()
    assert np.array_equal(corrupt_image(image, "inversion", 5), 255 - image)
    changed = (corrupt_image(image, "inversion", 2) != image).any(axis=(0, 1))
    assert changed.sum() == 12
    assert changed[:12].all() or changed[-12:].all()


def test_a_rotation_keeps_the_middle_and_turns_a_bar() -> None:
    image = np.zeros((1, 21, 21), np.uint8)
    image[:, 10, :] = 255
    turned = corrupt_image(image, "rotation", 5)[0]
    rows, columns = np.nonzero(turned > 127)
    slope = np.polyfit(columns, rows, 1)[0]
    assert abs(slope) == pytest.approx(np.tan(np.pi / 3), rel=0.1)  # sixty degrees
    assert turned[10, 10] == 255


def test_a_blur_keeps_the_mean_of_an_even_margin() -> None:
    image = np.zeros((1, 32, 32), np.uint8)
    image[:, 12:20, 12:20] = 200
    blurred = corrupt_image(image, "blur", 5)
    assert blurred.astype(float).mean() == pytest.approx(image.astype(float).mean(), rel=0.01)
    assert blurred.max() <= 200


def test_homoglyphs_look_the_same_and_are_no_latin_letters() -> None:
    text = "aceijopsxyABCEHIKMOPSTX" * 20
    changed = corrupt_text(text.encode(), "homoglyphs", 5).decode()
    assert len(changed) == len(text)
    new = {letter for letter, old in zip(changed, text, strict=True) if letter != old}
    assert len(new) == 23
    assert all(unicodedata.name(letter).startswith("CYRILLIC") for letter in new)


def test_casing_and_white_space_change_nothing_else() -> None:
    text = SENTENCE * 3
    assert corrupt_text(text.encode(), "casing", 5).decode() == text.upper()
    loose = corrupt_text(text.encode(), "whitespace", 5).decode()
    assert "".join(loose.split()) == "".join(text.split())


def test_bytes_that_are_not_text_survive_and_nothing_becomes_empty() -> None:
    assert corrupt_text(b"\xff\xfe a", "casing", 5) == b"\xff\xfe A"
    draw = random.Random(0)
    for _ in range(200):
        letter = draw.choice("abcxyzQ").encode()
        assert corrupt_text(letter, "typos", 5)


def documents(archives: Archives) -> list[Sample]:
    return [Sample(f"{number} {SENTENCE}".encode(), 0, f"group {number // 3}") for number in range(60)]


def text_task(read: object = documents) -> Task:
    domain = filled.domain("d", read, origin="o", sha256="00")
    return filled.task([domain], TEXT, metric="bits_per_byte", chance=8.0)


def test_a_corrupted_domain_keeps_splits_labels_and_groups(tmp_path: Path) -> None:
    task: Task = catalog.load("task", "toy_patterns")
    noisy = domain_of(task, "clean+noise-2")
    for domain in (task.domain("clean"), noisy):
        prepare_domain("toy", domain, tmp_path, offline=True)
    for split in ("train", "validation", "test"):
        plain, changed = (
            load_split("toy", task, one, split, tmp_path) for one in (task.domain("clean"), noisy)
        )
        assert [f"{split}/{group}" for group in plain.group_names] == list(changed.group_names)
        assert np.bincount(plain.labels).tolist() == np.bincount(changed.labels).tolist()
        kept = {image.tobytes() for image in changed.images}
        made = {corrupt_image(image, "noise", 2).tobytes() for image in plain.images}
        assert kept == made


def test_a_corrupted_domain_says_what_it_is_and_pins_nothing() -> None:
    task = text_task()
    made = domain_of(task, "d+typos-4")
    assert (made.name, made.origin, made.sha256) == ("d+typos-4", "o; typos of severity 4", None)
    assert domain_of(task, "d") is task.domain("d")


def test_another_reader_of_the_domain_prepares_its_corruption_anew(tmp_path: Path) -> None:
    task, other = text_task(), catalog.load("task", "toy_patterns")
    mine = domain_of(task, "d+casing-1")
    theirs = domain_of(text_task(other.domain("clean").read), "d+casing-1")
    assert prepared_folder("toy", mine, tmp_path) != prepared_folder("toy", theirs, tmp_path)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("e+typos-1", UnknownNameError, "no domain named 'e'"),
        ("d+typo-1", UnknownNameError, "did you mean typos"),
        ("d+blur-1", UnknownNameError, "no corruption of kind bytes named 'blur'"),
        ("d+typos-6", HarnessError, r"severity 6; give 1 to 5, as in d\+typos-3"),
        ("d+typos-0", HarnessError, "severity 0; give 1 to 5"),
        ("d+typos", HarnessError, r"write DOMAIN\+CORRUPTION-SEVERITY, as in d\+typos-3"),
        ("d+typos-1+casing-2", HarnessError, r"write DOMAIN\+CORRUPTION-SEVERITY"),
    ],
)
def test_a_wrong_name_says_what_there_is(name: str, error: type[HarnessError], words: str) -> None:
    with pytest.raises(error, match=words):
        domain_of(text_task(), name)


def test_questions_have_no_corruptions() -> None:
    task = replace(text_task(), signature=Signature(kind="choice", classes=4))
    with pytest.raises(HarnessError, match="of kind choice have no corruptions; give 'd' alone"):
        domain_of(task, "d+typos-1")


def test_only_the_final_score_opens_a_corrupted_domain(tmp_path: Path) -> None:
    task: Task = catalog.load("task", "toy_patterns")
    place = DataPlace(folder=tmp_path)
    with pytest.raises(DataUnavailableError, match=r"'clean\+blur-5' of toy is not prepared"):
        read_test("toy", task, "clean+blur-5", place, samples=10)
    for name in ("clean", "clean+blur-5"):
        prepare_domain("toy", domain_of(task, name), tmp_path, offline=True)
    assert len(read_test("toy", task, "clean+blur-5", place, samples=10)) == 10
    assert SourceView("toy", task, ("clean",), place).sources == ("clean",)


def test_a_suite_names_corrupted_domains_as_held_out(tmp_path: Path) -> None:
    held_out = '["rough", "clean+rotation-3"]'
    plan = plan_of(f'extends = "toy"\n[[tasks]]\nname = "toy_patterns"\nheld_out = {held_out}\n', tmp_path)
    scored = {unit.spec.domain: unit.spec.role for unit in units(plan, "score")}
    assert scored["clean+rotation-3"] == "held_out"
    assert {unit.spec.domain for unit in units(plan, "prepare")} >= {"clean", "clean+rotation-3"}


def test_a_corruption_is_the_same_in_another_process() -> None:
    image = np.arange(192, dtype=np.uint8).reshape(3, 8, 8)
    here = [corrupt_image(image, name, 4).tobytes().hex() for name in ("noise", "rotation", "blur")]
    here += [corrupt_text(b"a b c d e f g h", name, 5).decode() for name in ("typos", "whitespace")]
    script = """
        import numpy as np
        from harness.data.corruptions import corrupt_image, corrupt_text
        image = np.arange(192, dtype=np.uint8).reshape(3, 8, 8)
        here = [corrupt_image(image, name, 4).tobytes().hex() for name in ("noise", "rotation", "blur")]
        print(here + [corrupt_text(b"a b c d e f g h", name, 5).decode() for name in ("typos", "whitespace")])
    """
    assert python(script).stdout == f"{here}\n"
