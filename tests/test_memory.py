"""What is remembered is believed by content alone. Truth: values counted as they are computed."""

from pathlib import Path

import pytest

from harness.identity.memory import NAME, _Memory


def opened(folder: Path) -> _Memory:
    memory = _Memory()
    memory.open(folder)
    return memory


def test_another_process_finds_what_was_computed_and_saved(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert first.remembered(["a", 1], lambda: [1, None]) == [1, None]
    first.save()
    assert opened(tmp_path).remembered(["a", 1], lambda: pytest.fail("computed again")) == [1, None]
    assert opened(tmp_path).remembered(["a", 2], lambda: 5) == 5


def test_two_processes_keep_what_either_computed(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    first.remembered("a", lambda: 1)
    second.remembered("b", lambda: 2)
    first.save()
    second.save()
    assert sorted(opened(tmp_path).values.values()) == [1, 2]


@pytest.mark.parametrize("at", [5, -80])
def test_a_flipped_byte_makes_all_of_it_worthless(tmp_path: Path, at: int) -> None:
    first = opened(tmp_path)
    first.remembered("a", lambda: 1)
    first.save()
    data = bytearray((tmp_path / NAME).read_bytes())
    data[at] ^= 1
    (tmp_path / NAME).write_bytes(data)
    assert opened(tmp_path).remembered("a", lambda: 2) == 2


def test_no_folder_is_made_for_it(tmp_path: Path) -> None:
    first = opened(tmp_path / "none")
    first.remembered("a", lambda: 1)
    first.save()
    assert not (tmp_path / "none").exists()
