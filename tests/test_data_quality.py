"""Truth: toy tasks in which one claim at a time was broken on purpose."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import filled
import numpy as np
import pytest

from harness import catalog
from harness.checks.finding import Finding
from harness.checks.task import check_task
from harness.errors import DataUnavailableError
from harness.task.signature import Signature
from harness.task.task import SPLITS, Archives, Sample, Task

Read = Callable[[Archives], Iterable[Sample]]


def picture(label: int, draw: np.random.Generator) -> bytes:
    image = draw.integers(0, 120, (8, 8)).astype(np.uint8)
    image[:, label * 4 : label * 4 + 4] += 100
    return image.tobytes()


def drawn(seed: int, archives: Archives) -> Iterable[Sample]:
    draw = np.random.default_rng(seed)
    for number in range(200):
        yield Sample(picture(number % 2, draw), number % 2, f"group-{number // 4}")


pictures, others = partial(drawn, 0), partial(drawn, 1)


def task(read: Read = pictures, *, fixed_splits: bool = False, chance: float = 0.5) -> Task:
    domains = [
        filled.domain("first", read, fixed_splits=fixed_splits),
        filled.domain("second", others),
    ]
    return filled.task(
        domains,
        Signature(kind="image", classes=2, height=8, width=8),
        metric="balanced_accuracy",
        chance=chance,
        held_out=("second",),
        class_names=("left", "right"),
    )


def broken(findings: list[Finding]) -> list[str]:
    return [finding.claim for finding in findings if not finding.holds]


def test_every_claim_holds_for_a_sound_task(tmp_path: Path) -> None:
    findings = check_task("toy", task(), tmp_path, offline=True)
    assert broken(findings) == []
    assert any("majority" in finding.detail for finding in findings)


def test_a_domain_that_is_not_there_gives_its_reason_and_others_go_on(tmp_path: Path) -> None:
    def gone(archives: Archives) -> Iterable[Sample]:
        raise DataUnavailableError("It is gone; bring it back.")

    findings = check_task("toy", task(gone), tmp_path, offline=True)
    assert [(finding.claim, finding.detail) for finding in findings if not finding.holds] == [
        ("first: its data is there", "It is gone; bring it back.")
    ]
    assert sum(finding.claim.startswith("second") for finding in findings) > 5


def test_labels_without_meaning_fail_the_linear_probe(tmp_path: Path) -> None:
    def shuffled(archives: Archives) -> Iterable[Sample]:
        draw = np.random.default_rng(1)
        return [sample._replace(label=int(draw.integers(2))) for sample in pictures(archives)]

    assert "first: a linear probe beats chance" in broken(
        check_task("toy", task(shuffled), tmp_path, offline=True)
    )


def test_near_copies_across_splits_are_found(tmp_path: Path) -> None:
    def copied(archives: Archives) -> Iterable[Sample]:
        for sample in (*pictures(archives), *others(archives)):
            for number, split in enumerate(SPLITS):
                # A grey level lost in one pixel: another file, the same picture.
                data = bytes([sample.data[0] ^ number]) + sample.data[1:]
                yield Sample(data, sample.label, f"{split}/{sample.group}")

    claims = broken(check_task("toy", task(copied, fixed_splits=True), tmp_path, offline=True))
    assert claims == [
        "first: at most 1% of test samples nearly are in another split",
        "at most 0.1% of a domain's samples are another domain's training samples",
        "at most 1% of a held-out domain's samples nearly are what sources train on",
    ]


def test_a_sample_of_any_split_of_a_held_out_domain_that_a_source_trains_on_is_found(tmp_path: Path) -> None:
    def copied(archives: Archives) -> Iterable[Sample]:
        # Groups keep their names and so their splits: no test sample is near a training sample.
        for sample in pictures(archives):
            yield sample._replace(data=bytes([sample.data[0] ^ 1]) + sample.data[1:])

    toy = task(pictures)
    toy = replace(toy, domains=(toy.domains[0], replace(toy.domains[1], read=copied)))
    claim = "at most 1% of a held-out domain's samples nearly are what sources train on"
    assert broken(check_task("toy", toy, tmp_path, offline=True)) == [claim]
    kin = replace(toy, domains=tuple(replace(one, family="kin") for one in toy.domains))
    assert broken(check_task("toy", kin, tmp_path, offline=True)) == [], "of one family nothing is claimed"


def test_a_rare_class_is_found(tmp_path: Path) -> None:
    def rare(archives: Archives) -> Iterable[Sample]:
        return [sample for n, sample in enumerate(pictures(archives)) if sample.label == 0 or n < 12]

    claims = broken(check_task("toy", task(rare), tmp_path, offline=True))
    assert any(claim.startswith("first: every split has every class") for claim in claims)


def test_another_hash_than_the_pinned_one_and_a_wrong_chance_are_found(tmp_path: Path) -> None:
    toy = task(chance=0.1)
    pinned = replace(toy, domains=(replace(toy.domains[0], sha256="00"), toy.domains[1]))
    assert broken(check_task("toy", pinned, tmp_path, offline=True)) == [
        "chance is stated",
        "first: the arrays are the recorded ones",
    ]


def test_documents_are_checked_too(tmp_path: Path) -> None:
    def documents(seed: int, archives: Archives) -> Iterable[Sample]:
        draw = np.random.default_rng(seed)
        for number in range(60):
            words = [b"w%d" % word for word in draw.integers(0, 10**6, 40)]
            yield Sample(b" ".join(words), 0, str(number))

    names = ("first", "second")
    toy = replace(
        task(),
        signature=Signature(kind="bytes", classes=256),
        metric="bits_per_byte",
        chance=8.0,
        domains=tuple(filled.domain(name, partial(documents, seed)) for seed, name in enumerate(names)),
    )
    findings = check_task("toy", toy, tmp_path, offline=True)
    assert broken(findings) == []
    assert any("unigram" in finding.claim for finding in findings)


@pytest.mark.parametrize("name", [name for name in catalog.names("task") if not name.startswith("toy")])
def test_packaged_tasks_pin_what_does_not_depend_on_versions(name: str) -> None:
    free = {"print", "figlet", "python_reference"}
    found = catalog.load("task", name)
    if found.awaits:  # nothing of it is here to be pinned
        return
    if name in ("emoji_styles", "icon_styles", "imagenet"):  # the renderer draws them; the user has them
        free = {domain.name for domain in found.domains}
    free |= {one.name for one in found.domains if one.stratum == "typefaces"}  # FreeType draws them
    free |= {
        one.name for one in found.domains if one.awaits or one.repository
    }  # not here, or a pinned commit
    assert {domain.name for domain in found.domains if domain.sha256 is None} <= free
    assert set(found.sources) | set(found.held_out) <= {domain.name for domain in found.domains}


def test_digits_that_need_no_package_hold(tmp_path: Path) -> None:
    digits = catalog.load("task", "digits")
    only = replace(digits, domains=(digits.domain("optdigits"),), sources=("optdigits",), held_out=())
    findings = check_task("digits", only, tmp_path, offline=True)
    assert broken(findings) == ["sources and held-out domains are different domains of the task"]
