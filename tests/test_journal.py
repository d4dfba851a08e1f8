"""Journals, scores kept line by line, and hashes that are remembered. Truth: properties under any damage."""

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import pytest
from command import python
from hypothesis import given
from hypothesis import strategies as st
from working import all_done, place_of, plan_of, units

from harness.errors import HarnessError
from harness.files import Journal, append_line, canonical_json, file_hash, known_hash
from harness.identity.unit import AnyUnit
from harness.run.place import Done
from harness.run.score_cache import FOLDER, ScoreCache, sort_scores
from harness.study.trained.work import slice_scores
from harness.workers.perform import perform

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


def only_file(run: Path) -> Path:
    (path,) = (run / FOLDER).glob("*.jsonl")
    return path


def fail(*inputs: object, **options: object) -> float:
    raise AssertionError("computed again")


def test_a_known_score_is_not_computed_again(tmp_path: Path) -> None:
    first = ScoreCache(tmp_path, ["supernet"])
    assert first.value([[0, 1]], lambda: 0.1 + 0.2) == 0.1 + 0.2
    assert first.value([[0, 1]], fail) == 0.1 + 0.2
    assert ScoreCache(tmp_path, ["supernet"]).value([[0, 1]], fail) == 0.1 + 0.2


def _charged(run: Path, told: Any) -> None:
    def compute() -> float:
        sleep(0.3)
        return 0.5

    cache, began = ScoreCache(run, []), perf_counter()
    for _ in range(2):
        cache.value([[0]], compute)
    told.put((cache.charged, perf_counter() - began + cache.elsewhere))


def test_a_score_is_charged_to_everyone_who_asks_and_waiting_to_nobody(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    told: Any = context.Queue()
    for together in (2, 1):
        both = [context.Process(target=_charged, args=(tmp_path, told)) for _ in range(together)]
        for process in both:
            process.start()
        for process in both:
            process.join()
    found = [told.get() for _ in range(3)]
    assert len({charged for charged, _ in found}) == 1
    assert found[0][0] >= 0.3
    for charged, seconds in found:
        assert seconds == pytest.approx(charged, abs=0.02)


def test_another_supernet_has_scores_of_its_own(tmp_path: Path) -> None:
    ScoreCache(tmp_path, ["supernet"]).value([[0, 1]], lambda: 1.0)
    assert ScoreCache(tmp_path, ["other"]).value([[0, 1]], lambda: 2.0) == 2.0


def _slow(run: Path, name: str) -> None:
    def compute() -> float:
        with (run / "computed").open("a") as file:
            file.write(f"{name}\n")
        sleep(0.3)
        return 0.5

    cache = ScoreCache(run, [])
    for key in ([[0]], [[1]]):
        assert cache.value(key, compute) == 0.5


def test_processes_that_want_the_same_score_at_once_compute_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_slow, args=(tmp_path, str(index))) for index in range(3)]
    for process in both:
        process.start()
    for process in both:
        process.join()
        assert process.exitcode == 0
    assert len((tmp_path / "computed").read_text().split()) == 2


def test_a_killed_process_gives_its_lock_up(tmp_path: Path) -> None:
    code = """
        import os, sys
        from pathlib import Path
        from harness.run.score_cache import ScoreCache
        ScoreCache(Path(sys.argv[1]), []).value([[0]], lambda: os.kill(os.getpid(), 9))
    """
    assert python(code, tmp_path).returncode == -9
    assert ScoreCache(tmp_path, []).value([[0]], lambda: 0.5) == 0.5


def test_sorted_files_do_not_tell_who_came_first(tmp_path: Path) -> None:
    for run, order in (("a", (0, 1, 2)), ("b", (2, 0, 1))):
        cache = ScoreCache(tmp_path / run, [])
        for gene in order:
            cache.value([[gene]], lambda gene=gene: gene / 7)
        sort_scores(tmp_path / run)
    files = [only_file(tmp_path / run).read_bytes() for run in ("a", "b")]
    assert files[0] == files[1]
    assert ScoreCache(tmp_path / "a", []).value([[2]], fail) == 2 / 7


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file")
    with pytest.raises(HarnessError, match=r"Cannot write .*choose another --out"):
        ScoreCache(tmp_path, [])


SUITE = """
extends = "toy"
spaces = ["hybrid:micro-attention"]
searchers = ["random_search", "local_search", "regularised_evolution"]
baselines = []
reference = "random_search"
[claim]
method = "local_search"
space = "hybrid:micro-attention"
[search]
evaluations = 8
racing = %s
"""


Searched = Callable[[AnyUnit], Done]


@pytest.fixture(params=["false", "true"], ids=["whole", "racing"])
def searched(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Searched, list[AnyUnit]]:
    """Returns what performs a search on a supernet that is there, and the searches of one seed."""
    plan = plan_of(SUITE % request.param, tmp_path)
    run = tmp_path / "run"
    all_done(plan, units(plan, "supernet", seed=0), run)
    known = {unit.hash: unit for unit in plan.units}
    return lambda unit: perform(unit, {need: known[need] for need in unit.needs}, place_of(run)), units(
        plan, "search", seed=0
    )


def test_searchers_of_a_suite_share_scores_and_results_do_not_show_it(
    searched: tuple[Searched, list[AnyUnit]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, searches = searched
    alone = []
    for unit in searches:
        shutil.rmtree((tmp_path / "run") / FOLDER, ignore_errors=True)
        alone.append(canonical_json(done(unit).result.to_json()))
    shutil.rmtree((tmp_path / "run") / FOLDER)
    assert [canonical_json(done(unit).result.to_json()) for unit in searches] == alone
    lines = only_file(tmp_path / "run").read_bytes().splitlines()
    keys = [canonical_json(json.loads(line)["key"][0]) for line in lines if line]
    asked = [json.dumps(entry) for text in alone for entry in json.loads(text)["history"]]
    assert len(set(keys)) < len(asked)  # the searchers met in some architectures
    monkeypatch.setattr(slice_scores, "score", fail)
    monkeypatch.setattr(slice_scores, "mean_score", fail)
    again = [done(unit) for unit in searches]
    assert [canonical_json(one.result.to_json()) for one in again] == alone
    assert all(one.seconds["evaluation"] > one.elsewhere > 0 for one in again)  # charged, and not spent


def test_a_race_is_told_in_the_record(searched: tuple[Searched, list[AnyUnit]]) -> None:
    done, searches = searched
    for unit in searches:
        result = done(unit).result.to_json()
        dropped = [entry for entry in result["history"] if "samples" in entry]
        assert ("racing" in result) == bool(getattr(unit.spec, "racing", None))
        if "racing" in result:
            whole = result["racing"]["of"] // len(result["history"])
            lost = sum(whole - entry["samples"] for entry in dropped)
            assert result["racing"]["samples"] == result["racing"]["of"] - lost
        assert "samples" not in result
        assert all(entry["score"] < result["score"] for entry in dropped)
