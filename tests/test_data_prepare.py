"""Truth: properties of a split (disjoint, whole, near its shares), and toys whose counts are known."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import catalog
from harness.cli.data import prepare_all, verify_all
from harness.data.fetch import archive_path
from harness.data.prepare import prepare_domain, prepared_folder, read_card, split_groups, verify_domain
from harness.data.sums import has_sums
from harness.errors import DataUnavailableError
from harness.task.task import SPLITS, Archive, Archives, Domain, Sample


def numbered(count: int, groups: int, archives: Archives) -> Iterator[Sample]:
    for number in range(count):
        yield Sample(b"%04d" % number, number % 3, f"group-{number % groups}")


def domain(count: int = 40, groups: int = 10) -> Domain:
    read = partial(numbered, count, groups)
    return Domain(name="toy", origin=f"{count}/{groups}", licence="none", groups="group", read=read)


@given(st.dictionaries(st.text(max_size=5), st.integers(1, 50), min_size=3, max_size=30))
def test_every_group_has_one_split_and_every_split_a_group(sizes: dict[str, int]) -> None:
    chosen = split_groups(sizes)
    assert set(chosen) == set(sizes)
    assert set(chosen.values()) == set(SPLITS)


def test_shares_are_a_quarter_and_fifteen_percent_where_groups_are_small() -> None:
    chosen = list(split_groups({f"image-{number}": 1 for number in range(1000)}).values())
    assert [chosen.count(split) for split in SPLITS] == [600, 150, 250]


def test_a_split_does_not_depend_on_the_order_of_groups() -> None:
    sizes = {f"g{number}": number + 1 for number in range(12)}
    assert split_groups(sizes) == split_groups(dict(reversed(sizes.items())))


def test_a_preparation_counts_and_is_reused(tmp_path: Path) -> None:
    card = prepare_domain("task", domain(), tmp_path, offline=True)
    assert sum(card.samples.values()) == 40
    assert sum(card.groups.values()) == 10
    assert card.classes == {"0": 14, "1": 13, "2": 13}
    assert (card.bytes, card.duplicates) == (160, 0)
    unreadable = replace(domain(), read=partial(numbered, 0, 1))
    assert prepare_domain("task", unreadable, tmp_path, offline=True) == card
    assert read_card("task", domain(), tmp_path) == card


def test_the_hash_does_not_depend_on_the_order_of_reading(tmp_path: Path) -> None:
    backwards = replace(domain(), read=lambda archives: reversed(list(numbered(40, 10, archives))))
    first = prepare_domain("forwards", domain(), tmp_path, offline=True)
    second = prepare_domain("backwards", backwards, tmp_path, offline=True)
    assert first.sha256 == second.sha256


def test_exact_duplicates_are_dropped_and_counted(tmp_path: Path) -> None:
    twice = replace(domain(), read=lambda archives: [*numbered(40, 10, archives), *numbered(8, 3, archives)])
    card = prepare_domain("task", twice, tmp_path, offline=True)
    assert (sum(card.samples.values()), card.duplicates) == (40, 8)


def test_another_origin_is_prepared_anew(tmp_path: Path) -> None:
    assert prepared_folder("task", domain(40), tmp_path) != prepared_folder("task", domain(41), tmp_path)


def test_fixed_splits_come_from_the_group(tmp_path: Path) -> None:
    samples = [Sample(bytes([number]), 0, f"{split}/a") for number, split in enumerate(SPLITS)]
    fixed = replace(domain(), fixed_splits=True, read=lambda archives: samples)
    card = prepare_domain("task", fixed, tmp_path, offline=True)
    assert card.samples == {"train": 1, "validation": 1, "test": 1}
    wrong = replace(fixed, origin="other", read=lambda archives: [Sample(b"x", 0, "dev/a")])
    with pytest.raises(DataUnavailableError, match="does not start with train, validation, test"):
        prepare_domain("task", wrong, tmp_path, offline=True)


@pytest.mark.parametrize(
    ("count", "groups", "words"),
    [(0, 1, "has no samples"), (9, 2, "has nothing for validation and test: 2 groups")],
)
def test_a_domain_that_cannot_be_split_says_so(tmp_path: Path, count: int, groups: int, words: str) -> None:
    with pytest.raises(DataUnavailableError, match=words):
        prepare_domain("task", domain(count, groups), tmp_path, offline=True)
    assert not list(tmp_path.rglob("card.json"))


def test_a_reader_that_misses_a_file_gives_one_sentence(tmp_path: Path) -> None:
    broken = replace(domain(), read=lambda archives: [Sample(archives["toy"].read_bytes(), 0, "a")])
    with pytest.raises(DataUnavailableError, match="Domain 'toy' cannot be read: KeyError"):
        prepare_domain("task", broken, tmp_path, offline=True)


def test_verification_compares_with_the_card_and_with_the_pin(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match="is not prepared"):
        verify_domain("task", domain(), tmp_path)
    card = prepare_domain("task", domain(), tmp_path, offline=True)
    assert verify_domain("task", replace(domain(), sha256=card.sha256), tmp_path) == card
    with pytest.raises(DataUnavailableError, match=f"has sha256 {card.sha256}, the task pins 00"):
        verify_domain("task", replace(domain(), sha256="00"), tmp_path)
    (prepared_folder("task", domain(), tmp_path) / "card.json").write_text("{")
    with pytest.raises(DataUnavailableError, match="is damaged"):
        read_card("task", domain(), tmp_path)


def test_a_folder_that_is_not_there_is_not_whole(tmp_path: Path) -> None:
    assert not has_sums(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert not has_sums(tmp_path / "empty")


def test_a_preparation_left_unfinished_is_done_again(tmp_path: Path) -> None:
    place = prepared_folder("task", domain(), tmp_path)
    place.mkdir(parents=True)
    (place / "half").write_text("")
    card = prepare_domain("task", domain(), tmp_path, offline=True)
    assert read_card("task", domain(), tmp_path) == card
    assert [entry.name for entry in place.parent.iterdir()] == [place.name]


def test_two_processes_may_prepare_one_domain_at_once(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys\n"
        "from harness import catalog\n"
        "from harness.data.prepare import prepare_domain\n"
        "domain = catalog.load('task', 'digits').domain('optdigits')\n"
        "print(prepare_domain('digits', domain, pathlib.Path(sys.argv[1]), offline=True).sha256)\n"
    )
    words = [sys.executable, "-c", script, str(tmp_path)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    hashes = {process.communicate(timeout=60)[0].strip() for process in running}
    assert hashes == {catalog.load("task", "digits").domain("optdigits").sha256}
    assert len(list((tmp_path / "prepared" / "digits").iterdir())) == 1


def test_a_flip_of_any_byte_of_a_prepared_domain_is_found(tmp_path: Path) -> None:
    place = prepared_folder("task", domain(), tmp_path)
    prepare_domain("task", domain(), tmp_path, offline=True)
    verify_domain("task", domain(), tmp_path)
    draw = np.random.default_rng(0)
    files = [path for path in sorted(place.rglob("*")) if path.is_file()]
    assert {"card.json", "SHA256SUMS", "dataset_info.json", "state.json"} <= {path.name for path in files}
    for path in files:
        whole = path.read_bytes()
        for index in {0, len(whole) - 1, *draw.integers(len(whole), size=12).tolist()}:
            flipped = bytearray(whole)
            flipped[index] ^= 1 << int(draw.integers(8))
            path.write_bytes(flipped)
            with pytest.raises(DataUnavailableError, match="is not the file that was written"):
                verify_domain("task", domain(), tmp_path)
        path.write_bytes(whole)
    verify_domain("task", domain(), tmp_path)


def test_a_file_too_many_or_too_few_is_found(tmp_path: Path) -> None:
    place = prepared_folder("task", domain(), tmp_path)
    prepare_domain("task", domain(), tmp_path, offline=True)
    (place / "notes.txt").write_text("mine")
    with pytest.raises(DataUnavailableError, match=r"notes\.txt is not the file that was written"):
        verify_domain("task", domain(), tmp_path)
    (place / "notes.txt").unlink()
    (place / "SHA256SUMS").unlink()
    with pytest.raises(DataUnavailableError, match="is not the file that was written"):
        verify_domain("task", domain(), tmp_path)


def test_a_flip_in_a_fetched_package_is_found_and_an_absent_one_is_not_missed(tmp_path: Path) -> None:
    content = b"a package"
    package = Archive(
        registry="pypi", name="toy", version="1", filename="toy.whl", sha256=sha256(content).hexdigest()
    )
    path = archive_path(package, tmp_path)
    path.parent.mkdir()
    path.write_bytes(content)
    packaged = replace(domain(), archives=(package,))
    prepare_domain("task", packaged, tmp_path, offline=True)
    path.write_bytes(b"a packagf")
    with pytest.raises(DataUnavailableError, match="delete the file and fetch it again"):
        verify_domain("task", packaged, tmp_path)
    path.unlink()
    verify_domain("task", packaged, tmp_path)


def test_all_domains_are_prepared_in_turn_and_each_fails_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare_all(["digits", "newsgroups"], tmp_path, offline=True) == 1
    out, progress = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        *("FAIL digits/mnist", "FAIL digits/print", "FAIL digits/figlet", "ok   digits/optdigits"),
        *(f"FAIL newsgroups/{name}" for name in ("graphics", "windows", "pc", "mac")),
    ]
    assert all("run `harness data prepare` without --offline first" in one for one in lines if "FAIL" in one)
    assert progress.splitlines()[3] == "[4/8] digits/optdigits"
    assert progress.splitlines()[-1] == "1 of 8 domains are prepared."
    prepare_all(["digits"], tmp_path, offline=True)
    assert "ok   digits/optdigits: 1797 samples, as before" in capsys.readouterr().out
    assert verify_all(["newsgroups"], tmp_path) == 1
    assert "is not prepared" in capsys.readouterr().out
    assert verify_all([], tmp_path) == 0, "what was never prepared is not missed"
    out, progress = capsys.readouterr()
    assert [line for line in out.splitlines() if not line.startswith("wait ")] == ["ok   digits/optdigits"]
    assert progress.splitlines()[-1] == "1 of 1 domains are as they were written."
