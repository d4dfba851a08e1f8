"""Results that runs share, and networks that rows share. Truth: folders and runs that shared nothing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from command import harness, result_bytes
from made_run import TOY_ROWS, ToyRun
from working import FLOORS, plan_of, units

from harness.files import process_name, read_sealed
from harness.identity.schema import Schema
from harness.identity.unit import Spec, Unit, UnitKind, unit_folder
from harness.run.loaded import load_run
from harness.run.provenance import provenance
from harness.run.record import Record, input_of
from harness.run.standing import Standing
from harness.run.store import Store
from harness.run.stored import (
    PROVENANCE,
    TIMING,
    inputs_of,
    read_beside,
    unit_record,
    write_beside,
    write_record,
)
from harness.study.trained.boards.notes import same_notes
from harness.study.trained.units import FINAL as TRAINED
from harness.task.selection import DEFAULT_SELECTION

WORD = "trained"
MACHINE = provenance("cpu", 1, threads=1)


@dataclass(frozen=True, kw_only=True)
class Of(Spec):
    method: str = ""
    seed: int = 0

    def asked(self, inputs: Mapping[str, str]) -> tuple[str, ...]:
        return ("method",) if "search" in inputs else ()


@dataclass(frozen=True, kw_only=True)
class Found(Schema):
    architecture: str = ""
    spent: int = 0


SEARCH = UnitKind(name="search", spec=Of, result=Found, work="", seconds=1.0)
FINAL = UnitKind(
    name="final",
    spec=Of,
    result=Found,
    work="",
    seconds=1.0,
    is_shared=True,
    takes={"search": ("architecture",)},
)


def row(method: str, *, code: str = "1", seed: int = 0) -> list[Unit[Of, Found]]:
    """Returns a search and a final of what it finds."""
    search = Unit(kind=SEARCH, spec=Of(method=method))
    spec = Of(method=method, seed=seed)
    return [search, Unit(kind=FINAL, spec=spec, needs=(search.hash,), code={"engine": code})]


def left(run: Path, unit: Unit, units: Mapping[str, Unit], architecture: str) -> None:
    """Leaves what a unit of this architecture leaves; a search also what it spent, each method its own."""
    place = unit_folder(run, unit)
    place.mkdir(parents=True, exist_ok=True)
    (place / "part").mkdir(exist_ok=True)
    (place / "part" / "weights").write_text(f"{WORD} {architecture} {unit.spec.seed}")
    write_beside(run, unit, TIMING, {"seconds": 1.0, "parts": {}, "peak_memory_bytes": 1, "host": "h"})
    write_beside(run, unit, PROVENANCE, MACHINE)
    spent = len(unit.spec.method) if unit.kind == SEARCH else 0
    inputs = inputs_of(run, unit, [units[need] for need in unit.needs])
    write_record(run, unit, "ok", result=Found(architecture=architecture, spent=spent), inputs=inputs)


def ran(run: Path, units: list[Unit], store: Store | None = None, architecture: str = "a") -> list[str]:
    """Does what does not stand, and returns the labels of what ran."""
    state = Standing(run, units, store=store)
    done = []
    for _ in range(20):
        state.settle()
        if (unit := state.ready()) is not None:
            left(run, unit, state.units, architecture)
            state.finished(unit, "ok")
            done.append(unit.label)
    assert not state.waiting
    return done


def bytes_of(run: Path) -> dict[str, bytes]:
    found = sorted((run / "units").rglob("*"))
    apart = (TIMING, PROVENANCE)
    return {
        str(one.relative_to(run)): one.read_bytes()
        for one in found
        if one.is_file() and one.name not in apart
    }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", 1.0)


@pytest.mark.slow  # three commands
@pytest.mark.ci
def test_a_second_run_trains_nothing_and_ends_in_the_same_bytes_unless_it_is_fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE_GIB", "1")
    (tmp_path / "mine.toml").write_text(FLOORS)

    def made(name: str, *words: str) -> tuple[list[str], dict[str, bytes]]:
        ended = harness("eval", tmp_path / "mine.toml", "--out", tmp_path / name, "--workers", 1, *words)
        assert ended.returncode == 0, ended.stderr
        beside = sorted((tmp_path / name / "units").glob(f"*/{PROVENANCE}"))
        here = [one.parent.name for one in beside if "taken from" not in read_sealed(one, "")]
        return sorted({one.partition("-")[0] for one in here}), result_bytes(tmp_path / name)

    first = made("first")
    assert first[0] == ["final", "prepare", "score"]
    assert made("second") == (["prepare"], first[1])
    assert made("second", "--fresh") == first
    listed = harness("cache", "list", "--json").stdout
    assert '"final"' in listed
    assert '"score"' in listed
    assert "prepare" not in listed
    assert harness("cache", "prune", "--gib", "0").returncode == 0
    assert harness("cache", "list", "--json").stdout == "{}\n"


@pytest.mark.parametrize("is_linked", [True, False])
def test_the_result_of_another_run_is_believed_by_content_and_machine(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, is_linked: bool
) -> None:
    if not is_linked:
        monkeypatch.setattr(
            os, "link", lambda *words: (_ for _ in ()).throw(OSError(18, "Cross-device link"))
        )
    search, final = row("one")
    assert ran(tmp_path / "a", [search, final], store) == [search.label, final.label]
    assert ran(tmp_path / "b", [search, final], store) == [search.label]
    assert bytes_of(tmp_path / "b") == bytes_of(tmp_path / "a")
    beside = read_beside(unit_folder(tmp_path / "b", final), PROVENANCE, final.name)
    assert beside == {**MACHINE, "taken from": "the results of all runs"}
    elsewhere = Store(store.folder, 1.0, processes=2)
    for other in (Store(store.folder, 1.0, answers=False), elsewhere, Store(store.folder, 0.0)):
        shutil.rmtree(tmp_path / "b")
        assert final.label in ran(tmp_path / "b", [search, final], other)
    monkeypatch.setattr(f"{__name__}.WORD", "other")  # what is made again stands for what was
    shutil.rmtree(tmp_path / "b")
    ran(tmp_path / "b", [search, final], Store(store.folder, 1.0, answers=False))
    assert ran(tmp_path / "c", [search, final], store) == [search.label]
    assert bytes_of(tmp_path / "c") == bytes_of(tmp_path / "b") != bytes_of(tmp_path / "a")
    edited = row("one", code="2")
    assert ran(tmp_path / "b", edited, store) == [final.label]


@pytest.mark.parametrize("name", ["part/weights", "record.json", TIMING, PROVENANCE])
@pytest.mark.parametrize("how", ["flip", "empty", "delete"])
def test_a_damaged_entry_is_not_believed_and_is_replaced(
    tmp_path: Path, store: Store, name: str, how: str
) -> None:
    units = row("one")
    ran(tmp_path / "a", units, store)
    (entry,) = store.entries()
    data = (entry.folder / name).read_bytes()
    (entry.folder / name).unlink()  # the run keeps its own
    if how != "delete":
        (entry.folder / name).write_bytes(b"" if how == "empty" else bytes([data[0] ^ 1]) + data[1:])
    lost = how == "delete" and name in (TIMING, PROVENANCE)  # no result depends on them
    assert ran(tmp_path / "b", units, store) == [one.label for one in (units[:1] if lost else units)]
    assert bytes_of(tmp_path / "b") == bytes_of(tmp_path / "a")
    assert ran(tmp_path / "c", units, store) == [units[0].label]


def test_what_a_damaged_run_shares_with_the_store_is_made_again(tmp_path: Path, store: Store) -> None:
    units = row("one")
    ran(tmp_path / "a", units, store)
    before = bytes_of(tmp_path / "a")
    with (unit_folder(tmp_path / "a", units[1]) / "part" / "weights").open("r+b") as file:  # linked: both
        file.write(b"x")
    state = Standing(tmp_path / "a", units, store=store)
    state.settle()
    assert len(state.damaged) == 2
    assert ran(tmp_path / "a", units, store) == [units[1].label]
    assert bytes_of(tmp_path / "a") == before
    assert ran(tmp_path / "b", units, store) == [units[0].label]


def test_pruning_keeps_what_was_used_last(tmp_path: Path, store: Store) -> None:
    for seed in range(4):
        ran(tmp_path / str(seed), row("one", seed=seed), store)
    for age, one in enumerate(store.entries()):
        os.utime(one.folder, (age, age))
    oldest, *rest = store.entries()
    ran(tmp_path / "used", row("one", seed=0), store)  # which of the four is not known: one is used now
    size = max(one.bytes for one in rest)
    store.prune(2 * size)
    kept = store.entries()
    assert len(kept) == 2
    assert kept[-1].used > 4  # used just now
    small = Store(store.folder, 2 * size / 2**30)
    ran(tmp_path / "more", row("one", seed=9), small)
    assert len(small.entries()) == 2
    assert [one.used > 4 for one in small.entries()] == [True, True]
    assert not oldest.folder.exists() or oldest.folder == kept[-1].folder


def test_a_store_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told: list[str] = []
    store = Store(tmp_path / "file" / "store", 1.0, tell=told.append)
    units = [*row("one"), *row("two", seed=1)]
    assert len(ran(tmp_path / "run", units, store)) == 4
    assert len(told) == 1
    assert told[0].startswith(f"Results are not kept in {store.folder} (Not a directory)")


def test_a_result_that_another_command_kept_just_now_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    store = Store(tmp_path / "store", 1.0, answers=False, tell=told.append)
    ran(tmp_path / "a", row("one"), store)
    for name in ("_holds", "_discard"):  # as if it were not there a moment before
        monkeypatch.setattr(store, name, lambda *words: None)
    ran(tmp_path / "b", row("one"), store)
    assert (told, len(store.entries())) == ([], 1)
    assert not list(store.folder.rglob(".part-*"))


def test_what_an_ended_command_left_half_is_not_believed_and_goes(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = row("one")
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    ran(tmp_path / "a", units, store)
    (entry,) = store.entries()
    part = entry.folder.with_name(f".part-{process_name(process.pid)}-x")
    entry.folder.rename(part)
    elsewhere = entry.folder.with_name(f".part-{process.pid}-of another machine")
    elsewhere.mkdir()
    assert store.entries() == []
    assert (part.exists(), elsewhere.exists()) == (False, True)

    def taken_away(*words: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    ran(tmp_path / "a", [*row("one"), *row("one", seed=5)], store)
    with monkeypatch.context() as other:
        other.setattr("harness.run.standing.linked", taken_away)
        seldom = row("one", seed=5)
        assert ran(tmp_path / "b", seldom, store) == [one.label for one in seldom]


@pytest.mark.parametrize("how", ["one after another", "at once", "the first fails"])
def test_one_architecture_that_two_searches_chose_is_trained_once(tmp_path: Path, how: str) -> None:
    (one, first), (two, second) = row("one"), row("another")
    units = [one, two, first, second, *row("another", seed=1)[1:]]
    state = Standing(tmp_path / "run", units)
    trained: list[Unit] = []
    for _ in range(2):
        search = state.ready()
        assert search is not None
        left(tmp_path / "run", search, state.units, "a")
        state.finished(search, "ok")
    assert state.settle() == []
    begun = state.ready()
    assert begun == first
    if how != "one after another":
        other = state.ready()
        assert other == units[4]  # another seed, and not the second, which waits
        assert state.ready() is None
        trained.append(other)
    if how == "the first fails":
        state.finished(first, "failed")
        assert state.settle() == []
        assert state.ready() == second
        return
    left(tmp_path / "run", first, state.units, "a")
    state.finished(first, "ok")
    assert state.settle() == [second]
    record = unit_record(tmp_path / "run", second)
    assert record is not None
    assert unit_record(tmp_path / "run", first) is not None
    assert record.spec["method"] == "another"
    made = read_beside(unit_folder(tmp_path / "run", second), PROVENANCE, second.name) or {}
    assert made["taken from"] == "a unit with the same result"
    left(tmp_path / "alone", two, state.units, "a")
    left(tmp_path / "alone", second, state.units, "a")
    apart = {key: value for key, value in bytes_of(tmp_path / "run").items() if second.folder in key}
    assert apart.items() <= bytes_of(tmp_path / "alone").items()


@pytest.mark.parametrize(("other", "expected"), [("a", 1), ("b", 2)])
def test_another_architecture_is_another_network(tmp_path: Path, other: str, expected: int) -> None:
    ran(tmp_path, row("one"))
    units = [*row("one"), *row("another")]
    assert len(ran(tmp_path, units, architecture=other)) == expected


def test_a_final_is_known_by_what_was_chosen_and_not_by_who_chose(tmp_path: Path) -> None:
    text = 'extends = "toy"\nsearchers = ["local_search", "random_search"]\nbaselines = ["tuned", "random"]\n'
    plan = plan_of(text, tmp_path)
    known = {unit.hash: unit for unit in plan.units}

    def keys(architecture: str, **spec: object) -> list[str]:
        found = []
        for final in units(plan, "final", space="hybrid:micro", **spec):
            results = {"search": {"architecture": architecture, "history": [final.spec.method]}}
            needs = [known[need] for need in final.needs]
            left = [
                Record(kind="", hash="", status="ok", result=results.get(one.kind.name, {})) for one in needs
            ]
            read = dict(input_of(final, *one) for one in zip(needs, left, strict=True))
            found.append(final.input_key(read))
        return found

    assert units(plan, "final", method="tuned")[0].spec.asked({"prepare-0": "a"}) == ()
    first, second = (keys("a", method=name) for name in ("local_search", "random_search"))
    assert first == second
    assert len(set(first)) == 2  # one a report seed
    assert not set(first) & {*keys("b", method="local_search"), *keys("a", method="random")}


def test_the_board_says_which_rows_are_one_network(tmp_path: Path) -> None:
    run = load_run(ToyRun(tmp_path).write())
    records = dict(run.records)
    keys = TOY_ROWS[:2] + TOY_ROWS[3:]
    for final in run.planned(TRAINED):
        name = "shared" if final.spec.key in keys[:2] and final.spec.report_seed < 2 else str(final.spec.key)
        files = {"weights.safetensors": f"{name} {final.spec.report_seed}"}
        records[final.hash] = replace(records[final.hash], files=files)
    notes = same_notes(
        replace(run, records=records), run.planned(TRAINED)[0].spec.task, DEFAULT_SELECTION, keys
    )
    assert [note.partition(";")[0] for note in notes] == [
        "The same network, byte for byte: default and tuned in hybrid:micro-attention share 2"
    ]


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_of_gib_is_refused(text: str) -> None:
    refused = harness("cache", "list", HARNESS_CACHE_GIB=text)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"HARNESS_CACHE_GIB is {text!r}; give a number of GiB, 0 to keep nothing." in refused.stderr
