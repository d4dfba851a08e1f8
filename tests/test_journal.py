"""Journals, scores kept line by line, and hashes that are remembered. Truth: properties under any damage."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.files import Journal, append_line, file_hash, known_hash
from harness.run.score_cache import ScoreCache

Damage = Callable[[bytes], bytes]
NAMES = ("zeta", "alpha")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ENTRIES = st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)), min_size=1, max_size=5)


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    """Draws what a kill, a disk or a hand may do to a file."""
    at, byte = draw(st.floats(0, 1, exclude_max=True)), draw(st.binary(min_size=1, max_size=1))
    junk = draw(st.sampled_from([b"", b"\n", b"[1]\n", b"\xff", b"\0" * 40, b'{"alpha":' * 99_999 + b"\n"]))

    def changed(data: bytes) -> bytes:
        place = int(at * len(data))
        return data[:place] + byte + data[place + 1 :]

    def swapped(data: bytes) -> bytes:
        return b"".join(reversed(data.splitlines(keepends=True)))

    return draw(
        st.sampled_from(
            [lambda data: data[: int(at * len(data))] + junk, lambda data: data + junk, changed, swapped]
        )
    )


def written(path: Path, entries: list[dict[str, Any]], owner: str = "mine") -> bytes:
    path.unlink(missing_ok=True)
    journal = Journal(path, owner, NAMES)
    for entry in entries:
        journal.append(**entry)
    return path.read_bytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "a.jsonl"


@given(ENTRIES, damages())
def test_a_journal_believes_the_lines_before_any_damage_and_goes_on_to_the_same_bytes(
    path: Path, entries: list[dict[str, Any]], damage: Damage
) -> None:
    whole = written(path, entries)
    path.write_bytes(damage(whole))
    lines, there = whole.splitlines(keepends=True), path.read_bytes()
    intact = sum(there.startswith(b"".join(lines[: count + 1])) for count in range(len(lines)))
    again = Journal(path, "mine", NAMES)
    assert again.entries == entries[:intact]
    for entry in entries[intact:]:
        again.append(**entry)
    again.settle()
    assert path.read_bytes() == whole


@given(ENTRIES, st.integers(0, 5))
def test_what_is_cut_is_gone_from_memory_and_from_disk(
    path: Path, entries: list[dict[str, Any]], length: int
) -> None:
    written(path, entries)
    journal = Journal(path, "mine", NAMES)
    journal.cut(length)
    journal.append(**entries[0])
    assert Journal(path, "mine", NAMES).entries == journal.entries == [*entries[:length], entries[0]]


@given(ENTRIES)
def test_the_journal_of_another_is_not_believed(path: Path, entries: list[dict[str, Any]]) -> None:
    written(path, entries, owner="another's")
    assert Journal(path, "mine", NAMES).entries == []


def test_a_full_disk_is_one_sentence() -> None:
    with (
        Path("/dev/full").open("ab", buffering=0) as file,
        pytest.raises(HarnessError, match="No space left"),
    ):
        append_line(file, b"{}\n")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), damages())
def test_scores_are_as_they_were_computed_or_are_computed_again(
    tmp_path_factory: pytest.TempPathFactory, scores: list[float], damage: Damage
) -> None:
    run = tmp_path_factory.mktemp("run")

    def values() -> list[float]:
        cache = ScoreCache(run, ["supernet"])
        return [cache.value(index, lambda index=index: scores[index]) for index in range(len(scores))]

    assert values() == scores
    (file,) = run.rglob("*.jsonl")
    file.write_bytes(damage(file.read_bytes()))
    assert values() == scores
    before = file.read_bytes()
    assert values() == scores
    assert file.read_bytes() == before


def test_a_remembered_hash_is_of_what_the_file_holds_now(tmp_path: Path) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"one")
    first = known_hash(file)
    assert first == file_hash(file) == known_hash(file)
    state = file.stat()
    other.write_bytes(b"two")
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    os.replace(other, file)  # of the same size and time of change
    assert known_hash(file) == file_hash(file) != first
